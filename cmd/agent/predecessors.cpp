// SPDX-License-Identifier: Apache-2.0
#include "cmd/agent/predecessors.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace anyvip::cmd {

namespace {

[[nodiscard]] const std::string& name_of(const PeerEntry& peer) {
    return peer.session.name;
}

[[nodiscard]] const std::string& name_of(const vip::VipConfig& vip) {
    return vip.name;
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
    std::set<std::size_t> nameless; // in the order of the old file
    for (const auto& [name, place] : left) {
        nameless.insert(place);
    }
    for (std::size_t i = 0; i < after.size(); ++i) {
        if (found[i]) {
            continue;
        }
        const auto same = std::ranges::find_if(
            nameless, [&](std::size_t place) { return is_same(*before[place], after[i]); });
        if (same != nameless.end()) {
            found[i] = *same;
            nameless.erase(same);
        }
    }
    return found;
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
    std::vector<health::CheckConfig> gone;
    for (const health::CheckConfig& check : before) {
        known.insert(check.name);
        if (!kept.contains(check.name)) {
            gone.push_back(check);
        }
    }
    std::map<std::string, std::string> renamed;
    for (const health::CheckConfig& check : after) {
        if (known.contains(check.name)) {
            continue;
        }
        const auto old = std::ranges::find_if(gone, [&](health::CheckConfig other) {
            other.name = check.name;
            return other == check;
        });
        if (old != gone.end()) {
            renamed.emplace(check.name, old->name);
            gone.erase(old);
        }
    }
    return renamed;
}

} // namespace anyvip::cmd
