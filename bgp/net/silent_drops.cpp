// SPDX-License-Identifier: Apache-2.0
// What the kernel counts when it drops a segment without an answer.
#include "bgp/net/silent_drops.hpp"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>

namespace anyvip::bgp::net {
namespace {

std::string_view take_word(std::string_view& line) {
    line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
    const std::string_view word = line.substr(0, line.find(' '));
    line.remove_prefix(word.size());
    return word;
}

std::string_view take_line(std::string_view& text) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    return line;
}

void store(SilentDrops& drops, std::string_view name, std::string_view digits) {
    std::uint64_t value = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (name == "TCPMD5NotFound") {
        drops.md5_not_found = value;
    } else if (name == "TCPMD5Unexpected") {
        drops.md5_unexpected = value;
    } else if (name == "TCPMD5Failure") {
        drops.md5_failure = value;
    } else if (name == "TCPMinTTLDrop") {
        drops.ttl_too_low = value;
    } else if (name == "TCPAORequired" || name == "TCPAOBad" || name == "TCPAOKeyNotFound") {
        drops.ao_not_good += value;
    }
}

std::string times(std::uint64_t before, std::uint64_t after) {
    return std::to_string(after - before) + " on this host meanwhile";
}

} // namespace

SilentDrops parse_silent_drops(std::string_view netstat) {
    SilentDrops drops;
    // Pairs of lines: "TcpExt: NAME…" and "TcpExt: VALUE…".
    while (!netstat.empty()) {
        std::string_view names = take_line(netstat);
        std::string_view values = take_line(netstat);
        if (take_word(names) != "TcpExt:" || take_word(values) != "TcpExt:") {
            continue;
        }
        for (std::string_view name = take_word(names); !name.empty(); name = take_word(names)) {
            store(drops, name, take_word(values));
        }
    }
    return drops;
}

SilentDrops read_silent_drops() {
    std::ifstream file("/proc/net/netstat");
    const std::string text(std::istreambuf_iterator<char>(file), {});
    return parse_silent_drops(text);
}

std::string
silent_drop_hint(const SilentDrops& before, const SilentDrops& after, const NetConfig& config) {
    const bool has_md5 =
        !config.tcp_ao && (!config.password.empty() || !config.password_file.empty());
    if (after.md5_failure > before.md5_failure) {
        return "wrong TCP MD5 signatures received (TCPMD5Failure: " +
               times(before.md5_failure, after.md5_failure) + "); compare the passwords";
    }
    if (has_md5 && after.md5_not_found > before.md5_not_found) {
        return "unsigned segments received (TCPMD5NotFound: " +
               times(before.md5_not_found, after.md5_not_found) +
               "); is the password set on the router?";
    }
    if (!has_md5 && after.md5_unexpected > before.md5_unexpected) {
        return "signed segments received (TCPMD5Unexpected: " +
               times(before.md5_unexpected, after.md5_unexpected) +
               "); the router has a TCP MD5 password, this peer has none";
    }
    if (config.tcp_ao && after.ao_not_good > before.ao_not_good) {
        return "TCP-AO segments refused (" + times(before.ao_not_good, after.ao_not_good) +
               "); compare key, identifiers and algorithm";
    }
    if (config.ttl_security != 0 && after.ttl_too_low > before.ttl_too_low) {
        return "segments with too low a TTL received (TCPMinTTLDrop: " +
               times(before.ttl_too_low, after.ttl_too_low) +
               "); the router must send with TTL 255: set ttl-security there too";
    }
    // A router that drops our segments tells nobody: no counter of this host moves.
    if (has_md5 || config.tcp_ao) {
        return "a wrong or missing key is silent; compare it with the router's";
    }
    if (config.ttl_security != 0) {
        return "ttl_security drops in silence what does not come with TTL 255; is it set on the "
               "router too?";
    }
    return {};
}

} // namespace anyvip::bgp::net
