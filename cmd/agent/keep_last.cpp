// SPDX-License-Identifier: Apache-2.0
// Reading other nodes' marks in observed paths.
#include "cmd/agent/keep_last.hpp"

#include <algorithm>
#include <iterator>

#include "cmd/agent/node_mark.hpp"

namespace anyvip::cmd {

namespace {

/// A path that its node has made unattractive: LOCAL_PREF 0, the MED or the prepending of a backup.
[[nodiscard]] bool is_backup(const bgp::ObservedPath& path, const vip::VipConfig& config) {
    if (path.local_pref == 0U || (config.backup_med && path.med == config.backup_med)) {
        return true;
    }
    if (path.as_path.empty() || config.backup_prepend == 0) {
        return false;
    }
    const bgp::Asn origin = path.as_path.back();
    const auto other = std::find_if(
        path.as_path.rbegin(), path.as_path.rend(), [&](bgp::Asn asn) { return asn != origin; });
    const auto copies = static_cast<std::uint32_t>(other - path.as_path.rbegin());
    return copies > config.prepend + config.backup_prepend;
}

enum class Owner : std::uint8_t { Us, OtherNode, Unclear };

[[nodiscard]] Owner owner_of(const bgp::ObservedPath& path,
                             const std::vector<Mark>& marks,
                             std::span<const bgp::Speaker> selves,
                             const PathFacts& facts) {
    if (!marks.empty()) {
        const bool is_own =
            std::ranges::any_of(marks, [&](const Mark& mark) { return is_ours(mark, selves); });
        return is_own ? Owner::Us : Owner::OtherNode;
    }
    if (!path.next_hop) {
        return Owner::Unclear;
    }
    const auto holds = [&](const std::vector<IpAddress>& addresses) {
        return std::ranges::find(addresses, *path.next_hop) != addresses.end();
    };
    if (holds(facts.own_addresses)) {
        return Owner::Us;
    }
    // A router that sets itself as the next hop tells nothing of who stands behind it.
    return holds(facts.router_addresses) ? Owner::Unclear : Owner::OtherNode;
}

[[nodiscard]] PathFacts facts_of(const Prefix& prefix, const bgp::Peer& peer) {
    PathFacts facts;
    const auto found = peer.paths().all().find(prefix);
    facts.paths = found == peer.paths().all().end() ? nullptr : &found->second;
    const bgp::PeerStatus status = peer.status();
    facts.has_add_path = status.add_path[static_cast<std::size_t>(prefix.family())];
    facts.has_end_of_rib = peer.has_received_end_of_rib(prefix.family());
    const auto add = [](std::vector<IpAddress>& list, const std::optional<IpAddress>& address) {
        if (address) {
            list.push_back(*address);
        }
    };
    add(facts.own_addresses, peer.config().next_hop_ipv4);
    add(facts.own_addresses, peer.config().next_hop_ipv6);
    if (status.endpoints) {
        add(facts.own_addresses, status.endpoints->local);
        add(facts.own_addresses, status.endpoints->interface_ipv4);
        add(facts.own_addresses, status.endpoints->interface_ipv6);
        add(facts.own_addresses, status.endpoints->interface_link_local);
        add(facts.router_addresses, status.endpoints->remote);
    }
    return facts;
}

} // namespace

std::string_view to_string(Others others) {
    switch (others) {
    case Others::Unknown:
        return "unknown";
    case Others::None:
        return "none";
    case Others::Leaving:
        return "only draining ones";
    case Others::Seen:
        return "seen";
    }
    return "";
}

OthersView judge_paths(const PathFacts& facts,
                       std::span<const bgp::Speaker> selves,
                       const vip::VipConfig& config) {
    if (facts.paths == nullptr) {
        return {};
    }
    bool is_own_shown = false;
    std::size_t leaving = 0;
    std::size_t others = 0;
    bool is_lowest = true;
    for (const auto& [path_id, path] : *facts.paths) {
        const std::vector<Mark> marks = marks_of(path, selves);
        const Owner owner = owner_of(path, marks, selves, facts);
        if (owner == Owner::Us) {
            is_own_shown = true;
            continue;
        }
        ++others;
        if (owner == Owner::Unclear) {
            continue;
        }
        if (path.is_graceful_shutdown) {
            ++leaving;
            is_lowest =
                is_lowest && !marks.empty() && mark_of(selves.front()) < std::ranges::min(marks);
        } else if (!is_backup(path, config)) {
            return {Others::Seen, false};
        }
    }
    if (others == 0) {
        const bool is_known = facts.has_add_path && facts.has_end_of_rib && is_own_shown;
        return {is_known ? Others::None : Others::Unknown, false};
    }
    return leaving == others ? OthersView{Others::Leaving, is_lowest} : OthersView{};
}

OthersView others_of(const Prefix& prefix,
                     const std::vector<const bgp::Peer*>& peers,
                     const vip::VipConfig& config) {
    std::vector<bgp::Speaker> selves(1);
    std::ranges::transform(peers, std::back_inserter(selves), &bgp::Peer::speaker);
    OthersView whole;
    bool is_lowest = true;
    for (const bgp::Peer* peer : peers) {
        if (!peer->is_established()) {
            continue;
        }
        selves.front() = peer->speaker();
        const OthersView view = judge_paths(facts_of(prefix, *peer), selves, config);
        switch (view.others) {
        case Others::Seen:
            return view;
        case Others::Leaving:
            is_lowest = is_lowest && view.has_lowest_mark;
            whole = {Others::Leaving, is_lowest};
            break;
        case Others::None:
            if (whole.others == Others::Unknown) {
                whole = view;
            }
            break;
        case Others::Unknown:
            break;
        }
    }
    return whole;
}

} // namespace anyvip::cmd
