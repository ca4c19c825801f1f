# SPDX-License-Identifier: Apache-2.0
# bash completion for anyvip; names come from the running daemon.

_anyvip_names() {
    # The first column of a table, without its header.
    command anyvip "${_anyvip_socket[@]}" "$1" 2>/dev/null | awk 'NR > 1 { print $1 }'
}

_anyvip() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    local command="" word words="" i
    local -a _anyvip_socket=()
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [[ $word == --socket ]]; then
            _anyvip_socket=(--socket "${COMP_WORDS[i + 1]}")
            ((i++))
        elif [[ $word != -* ]]; then
            command=$word
            break
        fi
    done
    case $previous in
    --socket | --config | -c)
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        return
        ;;
    --peer)
        mapfile -t COMPREPLY < <(compgen -W "$(_anyvip_names peers)" -- "$current")
        return
        ;;
    --deadline | --until | --since)
        mapfile -t COMPREPLY < <(compgen -W "30s 1m 5m 30m 1h" -- "$current")
        return
        ;;
    --reason)
        return
        ;;
    esac
    if [[ $current == -* ]]; then
        words="--socket --json --help"
        case $command in
        drain) words+=" --wait --deadline --until --reason --force --dry-run --peer" ;;
        undrain) words+=" --peer" ;;
        routes) words+=" --peer --received" ;;
        doctor) words+=" -c --config" ;;
        events) words+=" -f --follow --since" ;;
        reload) words+=" --dry-run --upgrade" ;;
        reset) words+=" --soft" ;;
        esac
    else
        case $command in
        "" | help)
            words=" status vips peers checks routes explain drain undrain doctor flows check events
                   reload reset watch version help"
            ;;
        vips | explain | drain | undrain | flows) words=$(_anyvip_names vips) ;;
        peers | reset) words=$(_anyvip_names peers) ;;
        checks | check) words=$(_anyvip_names checks) ;;
        esac
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}

complete -F _anyvip anyvip
