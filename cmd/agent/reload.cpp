// SPDX-License-Identifier: Apache-2.0
// From one configuration to the next with the least that has to happen (CONTRACT section 5); the
// first configuration is the difference to nothing.
#include <algorithm>

#include "cmd/agent/impl.hpp"

namespace anyvip::cmd {

namespace {

[[nodiscard]] bool uses(const vip::VipConfig& config, const std::string& check) {
    return std::ranges::find(config.checks, check) != config.checks.end();
}

/// New names of checks that are otherwise what they were.
[[nodiscard]] std::map<std::string, std::string> renamed_checks(const Config& before,
                                                                const Config& after) {
    const auto has = [](const Config& config, const std::string& name) {
        return std::ranges::find(config.checks, name, &health::CheckConfig::name) !=
               config.checks.end();
    };
    std::map<std::string, std::string> renamed;
    for (const health::CheckConfig& check : after.checks) {
        if (has(before, check.name)) {
            continue;
        }
        for (health::CheckConfig old : before.checks) {
            const std::string old_name = std::exchange(old.name, check.name);
            if (old == check && !has(after, old_name)) {
                renamed.emplace(check.name, old_name);
                break;
            }
        }
    }
    return renamed;
}

/// What may still come for a VIP that loses its addresses: it is withdrawn now, or was before.
[[nodiscard]] vip::TrafficWatch traffic_left(const VipRecord& record, Instant now) {
    if (!record.is_exposed) {
        return record.traffic;
    }
    vip::TrafficWatch traffic;
    traffic.withdrawn_at = now;
    return traffic;
}

} // namespace

void Agent::Impl::reload(Config next, Now now) {
    if (stopping != Stop::None) {
        return;
    }
    ++reload_count;
    // Who we are cannot change while sessions know us by it.
    next.node.asn = config.node.asn;
    next.node.router_id = config.node.router_id;
    // Nor can what is open already.
    next.daemon.control = config.daemon.control;
    next.daemon.http = config.daemon.http;
    next.daemon.state_dir = config.daemon.state_dir;
    const auto renamed = renamed_checks(config, next);
    for (const PeerEntry& entry : next.peers) {
        for (const PeerEntry& old : config.peers) {
            const std::string& name = entry.session.name;
            if (is_same_router(entry, old) && old.session.name != name &&
                peers.find(name) == nullptr) {
                rename_holds(old.session.name, name);
            }
        }
    }
    config = std::move(next);
    peers.replace(config, speaker(), now.monotonic);
    configure_checks(renamed, now.monotonic);
    configure_vips(now.monotonic);
    outbox.event(
        now.monotonic, "config.reloaded", config.node.name, "the new configuration is in force");
}

void Agent::Impl::rename_holds(const std::string& from, const std::string& to) {
    auto held = drains.peers.extract(from);
    if (held.empty()) {
        return;
    }
    held.key() = to;
    drains.peers.insert(std::move(held));
    if (auto acting = effective.peers.extract(from); !acting.empty()) {
        acting.key() = to;
        effective.peers.insert(std::move(acting));
    }
    persist();
}

// A reload never withdraws a VIP: a new check begins with the verdict its VIP has, under whatever
// name.
std::map<std::string, health::Verdict> Agent::Impl::inherited_verdicts() const {
    std::set<std::string_view> names;
    for (const vip::VipConfig& next : config.vips) {
        names.insert(next.name);
    }
    std::map<std::string, health::Verdict> verdicts;
    for (const vip::VipConfig& next : config.vips) {
        const auto named = by_name.find(next.name);
        const VipRecord* record = named == by_name.end() ? nullptr : named->second;
        if (record == nullptr && !next.addresses.empty()) {
            const auto found = by_address.find(next.addresses.front().address());
            const bool is_renamed = found != by_address.end() &&
                                    found->second->config.addresses == next.addresses &&
                                    !names.contains(found->second->config.name);
            record = is_renamed ? found->second : nullptr;
        }
        if (record == nullptr || record->health.state == health::State::Unknown) {
            continue;
        }
        for (const std::string& check : next.checks) {
            health::Verdict& verdict = verdicts[check];
            if (verdict.state != health::State::Up) {
                verdict.state = record->health.state;
                verdict.reason =
                    "new; the verdict of VIP " + record->config.name + " until its own";
            }
        }
    }
    return verdicts;
}

void Agent::Impl::configure_checks(const std::map<std::string, std::string>& renamed, Instant now) {
    const std::map<std::string, health::Verdict> inherited = inherited_verdicts();
    std::map<CheckSet::Key, CheckSet::Wanted> wanted;
    for (const health::CheckConfig& check : config.checks) {
        const auto found = inherited.find(check.name);
        const auto adopted = found == inherited.end() ? std::nullopt : std::optional(found->second);
        if (!health::uses_vip(check.target)) {
            wanted[{check.name, std::nullopt}] = {check, std::nullopt, adopted};
            continue;
        }
        for (const vip::VipConfig& vip : config.vips) {
            if (!uses(vip, check.name)) {
                continue;
            }
            for (const Prefix& prefix : vip.addresses) {
                wanted[{check.name, prefix.address()}] = {check, prefix.address(), adopted};
            }
        }
    }
    checks.replace(wanted, renamed, now);
}

void Agent::Impl::configure_vips(Instant now) {
    std::vector<VipRecord*> before = std::exchange(order, {});
    const auto take = [&](const auto& matches) -> VipRecord* {
        const auto found = std::ranges::find_if(
            before, [&](const VipRecord* record) { return record && matches(*record); });
        return found == before.end() ? nullptr : std::exchange(*found, nullptr);
    };
    std::vector<VipRecord*> kept;
    kept.reserve(config.vips.size());
    for (const vip::VipConfig& next : config.vips) {
        kept.push_back(
            take([&](const VipRecord& record) { return record.config.name == next.name; }));
    }
    for (std::size_t i = 0; i < kept.size(); ++i) {
        const vip::VipConfig& next = config.vips[i];
        if (kept[i] == nullptr) {
            // A VIP renamed with the same addresses is the same VIP.
            kept[i] = take(
                [&](const VipRecord& record) { return record.config.addresses == next.addresses; });
        }
    }
    for (VipRecord* record : before) {
        if (record != nullptr) {
            remove_vip(*record, now);
        }
    }
    for (std::size_t i = 0; i < kept.size(); ++i) {
        if (kept[i] == nullptr) {
            auto made = std::make_unique<VipRecord>();
            made->id = ++last_vip_id;
            made->config = config.vips[i];
            made->since = now;
            kept[i] = vips.emplace(made->id, std::move(made)).first->second.get();
        } else {
            configure_vip(*kept[i], config.vips[i], now);
        }
    }
    users.clear();
    by_name.clear();
    by_address.clear();
    order = std::move(kept);
    std::set<Prefix> prefixes;
    for (VipRecord* record : order) {
        by_name.emplace(record->config.name, record);
        bind(*record, now);
        prefixes.insert(record->config.addresses.begin(), record->config.addresses.end());
    }
    peers.watch(prefixes);
    mark_all();
}

void Agent::Impl::configure_vip(VipRecord& record, const vip::VipConfig& next, Instant now) {
    for (AddressSlot* slot : record.addresses) {
        const bool is_kept =
            std::ranges::find(next.addresses, slot->prefix) != next.addresses.end();
        if (!is_kept) {
            withdraw(slot->prefix);
        }
        if (!is_kept || slot->interface != next.interface) {
            addresses.abandon(*slot, traffic_left(record, now));
        }
    }
    clear_measures(record);
    if (record.config != next) {
        record.config = next;
        record.intents = {};
    }
}

void Agent::Impl::bind(VipRecord& record, Instant now) {
    const vip::VipConfig& next = record.config;
    record.addresses.clear();
    for (const Prefix& prefix : next.addresses) {
        record.addresses.push_back(
            &addresses.claim({prefix, next.interface},
                             record.id,
                             next.address_policy == vip::AddressPolicy::External,
                             now));
        by_address[prefix.address()] = &record;
    }
    record.checks.clear();
    for (const std::string& name : next.checks) {
        users[name].push_back(&record);
        std::vector<const CheckInstance*>& instances = record.checks.emplace_back();
        if (const CheckInstance* plain = checks.find({name, std::nullopt})) {
            instances.push_back(plain);
            continue;
        }
        for (const Prefix& prefix : next.addresses) {
            if (const CheckInstance* instance = checks.find({name, prefix.address()})) {
                instances.push_back(instance);
            }
        }
    }
    record.peers.clear();
    for (const auto& peer : peers.all()) {
        const std::string& name = peer->entry.session.name;
        if (next.peers.empty() || std::ranges::find(next.peers, name) != next.peers.end()) {
            record.peers.push_back(peer.get());
            continue;
        }
        for (const Prefix& prefix : next.addresses) {
            peer->peer.want(prefix, nullptr);
        }
    }
}

void Agent::Impl::remove_vip(VipRecord& record, Instant now) {
    for (AddressSlot* slot : record.addresses) {
        withdraw(slot->prefix);
        addresses.abandon(*slot, traffic_left(record, now));
    }
    clear_measures(record);
    if (record.is_wanted) {
        outbox.event(now, "vip.withdrawn", record.config.name, "removed from the configuration");
    }
    deadlines.move(record.id, record.deadline, std::nullopt);
    unsent.erase(record.id);
    stale.erase(record.id);
    unacknowledged.erase(record.id);
    vips.erase(record.id);
}

void Agent::Impl::withdraw(const Prefix& prefix) {
    for (const auto& peer : peers.all()) {
        peer->peer.want(prefix, nullptr);
    }
}

} // namespace anyvip::cmd
