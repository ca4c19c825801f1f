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

[[nodiscard]] std::optional<health::Verdict> adopted_from(const std::set<health::State>& verdicts) {
    if (verdicts.size() != 1 || *verdicts.begin() == health::State::Unknown) {
        return std::nullopt;
    }
    health::Verdict verdict;
    verdict.state = *verdicts.begin();
    verdict.reason = "new; the verdict of its VIPs until its own";
    return verdict;
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

void Agent::Impl::reload(Config next, Now now, std::string_view exception) {
    if (stopping != Stop::None) {
        return;
    }
    ++reload_count;
    std::string outcome = "the new configuration is in force";
    for (const std::string& late : keep_until_next_start(config, next)) {
        outcome += "; " + late;
    }
    if (!exception.empty()) {
        outcome.append("; ").append(exception);
    }
    const auto renamed = renamed_checks(config.checks, next.checks);
    const Predecessors places = predecessors(pointers_to(config.peers), next.peers);
    for (std::size_t i = 0; i < places.size(); ++i) {
        if (places[i]) {
            const std::string& old_name = config.peers[*places[i]].session.name;
            if (old_name != next.peers[i].session.name) {
                rename_holds(old_name, next.peers[i].session.name);
            }
        }
    }
    config = std::move(next);
    peers.replace(config, now.monotonic);
    configure_checks(renamed, now.monotonic);
    configure_vips(renamed, now.monotonic);
    outbox.event(now.monotonic, "config.reloaded", config.node.name, outcome);
}

// Unknown: a VIP that was not there, or had none yet.
health::State Agent::Impl::verdict_before(const vip::VipConfig& next,
                                          const std::set<std::string_view>& names) const {
    if (const auto named = by_name.find(next.name); named != by_name.end()) {
        return named->second->health.state;
    }
    const auto found = next.addresses.empty() ? by_address.end()
                                              : by_address.find(next.addresses.front().address());
    const bool is_renamed = found != by_address.end() &&
                            has_same_addresses(found->second->config, next) &&
                            !names.contains(found->second->config.name);
    return is_renamed ? found->second->health.state : health::State::Unknown;
}

// A reload never withdraws a VIP: a new check begins with the verdict of its VIPs, if they agree.
void Agent::Impl::configure_checks(const std::map<std::string, std::string>& renamed, Instant now) {
    std::map<std::string_view, const health::CheckConfig*> with_vip;
    for (const health::CheckConfig& check : config.checks) {
        if (health::uses_vip(check.target)) {
            with_vip.emplace(check.name, &check);
        }
    }
    std::set<std::string_view> names;
    for (const vip::VipConfig& vip : config.vips) {
        names.insert(vip.name);
    }
    std::map<std::string_view, std::set<health::State>> verdicts;
    std::map<CheckSet::Key, CheckSet::Wanted> wanted;
    for (const vip::VipConfig& vip : config.vips) {
        const health::State verdict = verdict_before(vip, names);
        for (const std::string& name : vip.checks) {
            verdicts[name].insert(verdict);
            const auto check = with_vip.find(name);
            if (check == with_vip.end()) {
                continue;
            }
            for (const Prefix& prefix : vip.addresses) {
                wanted[{name, prefix.address()}] = {
                    *check->second, prefix.address(), adopted_from({verdict})};
            }
        }
    }
    for (const health::CheckConfig& check : config.checks) {
        if (!with_vip.contains(check.name)) {
            wanted[{check.name, std::nullopt}] = {
                check, std::nullopt, adopted_from(verdicts[check.name])};
        }
    }
    checks.replace(wanted, renamed, now);
}

void Agent::Impl::configure_vips(const std::map<std::string, std::string>& renamed_checks,
                                 Instant now) {
    std::vector<VipRecord*> before = std::exchange(order, {});
    std::vector<const vip::VipConfig*> configs;
    configs.reserve(before.size());
    for (const VipRecord* record : before) {
        configs.push_back(&record->config);
    }
    std::vector<VipRecord*> kept;
    kept.reserve(config.vips.size());
    for (const std::optional<std::size_t> place : predecessors(configs, config.vips)) {
        kept.push_back(place ? std::exchange(before[*place], nullptr) : nullptr);
    }
    for (VipRecord* record : before) {
        if (record != nullptr) {
            remove_vip(*record, now);
        }
    }
    std::vector<Succession> successions;
    successions.reserve(kept.size());
    for (std::size_t i = 0; i < kept.size(); ++i) {
        if (kept[i] == nullptr) {
            auto made = std::make_unique<VipRecord>();
            made->id = ++last_vip_id;
            made->config = config.vips[i];
            made->since = now;
            kept[i] = vips.emplace(made->id, std::move(made)).first->second.get();
            successions.push_back({config.vips[i], kept[i], true});
        } else {
            successions.push_back({kept[i]->config, kept[i], false});
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
    if (reload_count > 0) {
        for (const Succession& succession : successions) {
            inherit(succession, renamed_checks);
        }
        follow_vips(successions);
    }
    mark_all();
}

// What the checks share cannot hold the verdict of each VIP: one that is up stays up, one that is
// down or new does not rise by what others were.
void Agent::Impl::inherit(const Succession& succession,
                          const std::map<std::string, std::string>& renamed_checks) {
    VipRecord& record = *succession.record;
    const auto before = std::exchange(record.inherited, {});
    for (std::size_t i = 0; i < record.config.checks.size(); ++i) {
        const std::string& name = record.config.checks[i];
        const auto alias = renamed_checks.find(name);
        const std::string& old_name = alias == renamed_checks.end() ? name : alias->second;
        const bool is_new = succession.is_new || !uses(succession.before, old_name);
        const bool has_verdict =
            std::ranges::none_of(record.checks[i], [](const CheckInstance* instance) {
                return instance->check.state() == health::State::Unknown;
            });
        if (const auto found = before.find(old_name); !is_new && found != before.end()) {
            record.inherited.emplace(name, found->second);
        } else if (is_new || !has_verdict) {
            record.inherited.emplace(name, Inherited{record.health.state});
        }
    }
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
    const std::vector<AddressSlot*> old_addresses = std::exchange(record.addresses, {});
    const std::vector<PeerRecord*> old_peers = std::exchange(record.peers, {});
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
    record.follow(old_peers, old_addresses);
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
