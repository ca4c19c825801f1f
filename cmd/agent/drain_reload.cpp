// SPDX-License-Identifier: Apache-2.0
// Holds follow what they hold: a reload neither ends a drain nor restarts one, whatever it does to
// names and addresses (CONTRACT section 3).
#include <algorithm>

#include "cmd/agent/impl.hpp"

namespace anyvip::cmd {

namespace {

/// The new name of each VIP that is held, and the name of its hold before.
[[nodiscard]] std::map<std::string, std::string>
held_names(const VipHolds& holds, const std::vector<Succession>& successions) {
    std::map<std::string, std::string> names;
    for (const Succession& succession : successions) {
        const auto found = find_hold(holds, succession.before);
        if (found != holds.end()) {
            names.emplace(succession.record->config.name, found->first);
        }
    }
    return names;
}

[[nodiscard]] VipHolds followed(const VipHolds& holds, const std::vector<Succession>& successions) {
    const std::map<std::string, std::string> names = held_names(holds, successions);
    VipHolds result;
    for (const Succession& succession : successions) {
        const vip::VipConfig& after = succession.record->config;
        if (const auto found = names.find(after.name); found != names.end()) {
            result[after.name] = {holds.at(found->second).hold, addresses_of(after)};
        }
    }
    // Those of VIPs that are gone wait for them to come back.
    for (const auto& [name, held] : holds) {
        const bool is_moved =
            std::ranges::any_of(names, [&](const auto& item) { return item.second == name; });
        if (is_moved) {
            continue;
        }
        if (const auto [place, is_new] = result.emplace(name, held); !is_new) {
            join(place->second.hold, held.hold);
        }
    }
    return result;
}

void rename(std::map<std::string, vip::Hold>& holds,
            const std::string& from,
            const std::string& to) {
    if (auto held = holds.extract(from); !held.empty()) {
        held.key() = to;
        holds.insert(std::move(held));
    }
}

} // namespace

std::vector<std::string> addresses_of(const vip::VipConfig& config) {
    std::vector<std::string> texts;
    texts.reserve(config.addresses.size());
    for (const Prefix& prefix : config.addresses) {
        texts.push_back(to_string(prefix));
    }
    return texts;
}

VipHolds::const_iterator find_hold(const VipHolds& holds, const vip::VipConfig& config) {
    const auto named = holds.find(config.name);
    if (named != holds.end() || holds.empty()) {
        return named;
    }
    const std::vector<std::string> addresses = addresses_of(config);
    return std::ranges::find_if(holds, [&](const auto& item) {
        return !item.second.addresses.empty() &&
               std::ranges::is_permutation(item.second.addresses, addresses);
    });
}

void join(vip::Hold& hold, const vip::Hold& later) {
    // None: for ever.
    hold.until = hold.until && later.until ? std::max(hold.until, later.until) : std::nullopt;
    hold.reason = later.reason.empty() ? hold.reason : later.reason;
}

void Agent::Impl::rename_holds(const std::string& from, const std::string& to) {
    const bool is_held = drains.peers.contains(from);
    if (forced_peers.erase(from) > 0) {
        forced_peers.insert(to);
    }
    rename(drains.peers, from, to);
    rename(effective.peers, from, to);
    for (vip::DrainState& state : unwritten) {
        rename(state.peers, from, to);
    }
    if (is_held) {
        persist();
    }
}

void Agent::Impl::follow_vips(const std::vector<Succession>& successions) {
    std::map<std::string, std::string> names = held_names(effective.vips, successions);
    names.merge(held_names(drains.vips, successions));
    follow_runs(names);
    effective.vips = followed(effective.vips, successions);
    for (vip::DrainState& state : unwritten) {
        state.vips = followed(state.vips, successions);
    }
    VipHolds next = followed(drains.vips, successions);
    if (next != drains.vips) {
        drains.vips = std::move(next);
        persist();
    }
}

void Agent::Impl::follow_runs(const std::map<std::string, std::string>& names) {
    std::map<HolderKey, HolderRun> moved;
    for (const auto& [after, before] : names) {
        if (const auto found = runs.find({HolderKey::Kind::Vip, before}); found != runs.end()) {
            moved.emplace(HolderKey{HolderKey::Kind::Vip, after}, found->second);
        }
    }
    for (const auto& [after, before] : names) {
        runs.erase({HolderKey::Kind::Vip, before});
    }
    runs.merge(moved);
}

} // namespace anyvip::cmd
