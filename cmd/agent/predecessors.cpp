// SPDX-License-Identifier: Apache-2.0
#include "cmd/agent/predecessors.hpp"

#include <algorithm>
#include <set>
#include <utility>
#include <variant>

#include "cmd/agent/overload.hpp"

namespace anyvip::cmd {

namespace {

[[nodiscard]] const std::string& name_of(const PeerEntry& peer) {
    return peer.session.name;
}

[[nodiscard]] const std::string& name_of(const vip::VipConfig& vip) {
    return vip.name;
}

[[nodiscard]] IpAddress key_of(const PeerEntry& peer) {
    return peer.address.value_or(IpAddress());
}

[[nodiscard]] IpAddress key_of(const vip::VipConfig& vip) {
    const auto first = std::ranges::min_element(vip.addresses, {}, &Prefix::address);
    return first == vip.addresses.end() ? IpAddress() : first->address();
}

template <typename T, typename IsSame>
[[nodiscard]] Predecessors
match(const std::vector<const T*>& before, const std::vector<T>& after, const IsSame& is_same) {
    std::map<std::string_view, std::size_t> left;
    for (std::size_t i = 0; i < before.size(); ++i) {
        left.emplace(name_of(*before[i]), i);
    }
    Predecessors found(after.size());
    for (std::size_t i = 0; i < after.size(); ++i) {
        if (const auto named = left.find(name_of(after[i])); named != left.end()) {
            found[i] = named->second;
            left.erase(named);
        }
    }
    // Only what has the same key can be the same: thousands may be renamed at once.
    std::map<IpAddress, std::set<std::size_t>> nameless; // of a key in the order of the old file
    for (const auto& [name, place] : left) {
        nameless[key_of(*before[place])].insert(place);
    }
    for (std::size_t i = 0; i < after.size(); ++i) {
        const auto places = found[i] ? nameless.end() : nameless.find(key_of(after[i]));
        if (places == nameless.end()) {
            continue;
        }
        const auto same = std::ranges::find_if(
            places->second, [&](std::size_t place) { return is_same(*before[place], after[i]); });
        if (same != places->second.end()) {
            found[i] = *same;
            places->second.erase(same);
        }
    }
    return found;
}

/// What a probe is made to: the text by which most checks differ.
[[nodiscard]] std::string_view subject_of(const health::Target& target) {
    return std::visit(
        Overload{[](const health::TcpTarget& tcp) { return std::string_view(tcp.target); },
                 [](const health::TlsTarget& tls) { return std::string_view(tls.target); },
                 [](const health::HttpTarget& http) { return std::string_view(http.url); },
                 [](const health::DnsTarget& dns) { return std::string_view(dns.query); },
                 [](const health::ExecTarget& exec) {
                     return exec.command.empty() ? std::string_view()
                                                 : std::string_view(exec.command.back());
                 },
                 [](const health::HaproxyTarget& proxy) {
                     return proxy.backends.empty() ? std::string_view()
                                                   : std::string_view(proxy.backends.front());
                 },
                 [](const health::ProcessTarget& process) {
                     return std::string_view(process.unit.empty() ? process.pidfile : process.unit);
                 },
                 [](const health::FileTarget& file) { return std::string_view(file.path); }},
        target);
}

[[nodiscard]] bool is_same_check(const health::CheckConfig& a, const health::CheckConfig& b) {
    if (a.target != b.target) {
        return false; // before anything is copied
    }
    health::CheckConfig other = a;
    other.name = b.name;
    return other == b;
}

} // namespace

bool is_same_router(const PeerEntry& a, const PeerEntry& b) {
    return a.address == b.address && a.scope == b.scope && a.interface == b.interface &&
           a.port == b.port;
}

Predecessors predecessors(const std::vector<const PeerEntry*>& before,
                          const std::vector<PeerEntry>& after) {
    return match(before, after, is_same_router);
}

bool has_same_addresses(const vip::VipConfig& a, const vip::VipConfig& b) {
    return std::ranges::is_permutation(a.addresses, b.addresses);
}

Predecessors predecessors(const std::vector<const vip::VipConfig*>& before,
                          const std::vector<vip::VipConfig>& after) {
    return match(before, after, has_same_addresses);
}

std::map<std::string, std::string> renamed_checks(const std::vector<health::CheckConfig>& before,
                                                  const std::vector<health::CheckConfig>& after) {
    std::set<std::string_view> kept;
    for (const health::CheckConfig& check : after) {
        kept.insert(check.name);
    }
    std::set<std::string_view> known;
    std::multimap<std::string_view, const health::CheckConfig*> gone;
    for (const health::CheckConfig& check : before) {
        known.insert(check.name);
        if (!kept.contains(check.name)) {
            gone.emplace(subject_of(check.target), &check);
        }
    }
    std::map<std::string, std::string> renamed;
    for (const health::CheckConfig& check : after) {
        if (known.contains(check.name)) {
            continue;
        }
        const auto [first, last] = gone.equal_range(subject_of(check.target));
        const auto old = std::find_if(
            first, last, [&](const auto& item) { return is_same_check(*item.second, check); });
        if (old != last) {
            renamed.emplace(check.name, old->second->name);
            gone.erase(old);
        }
    }
    return renamed;
}

} // namespace anyvip::cmd
