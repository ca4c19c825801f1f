// SPDX-License-Identifier: Apache-2.0
// Running checks: the schedule, results and what a reload makes of them.
#include "cmd/agent/check_set.hpp"

#include <cmath>

namespace anyvip::cmd {

namespace {

/// So many are looked at before the loop goes round: probes under way end before more are started.
/// On a host that cannot keep up, checks then run less often, instead of all at once and too late.
constexpr std::size_t most_in_a_turn = 64;

/// First runs are a millisecond apart: a small node knows everything at once, ten thousand checks
/// make no burst.
[[nodiscard]] double spread_of(std::size_t index, std::chrono::milliseconds interval) {
    const double place = static_cast<double>(index) /
                         static_cast<double>(std::max<std::int64_t>(interval.count(), 1));
    return place - std::floor(place);
}

[[nodiscard]] health::CheckConfig expanded(const health::CheckConfig& config,
                                           const std::optional<IpAddress>& address) {
    health::CheckConfig result = config;
    if (address) {
        result.target = health::expand_vip(config.target, to_string(*address), address->is_v6());
    }
    return result;
}

[[nodiscard]] std::string label_of(const CheckSet::Key& key) {
    return key.second ? key.first + "@" + to_string(*key.second) : key.first;
}

} // namespace

void CheckSet::replace(const std::map<Key, Wanted>& wanted,
                       const std::map<std::string, std::string>& renamed,
                       Instant now) {
    std::map<Key, CheckInstance> before;
    before.swap(instances_);
    std::size_t index = 0;
    for (const auto& [key, want] : wanted) {
        const auto alias = renamed.find(key.first);
        const Key old_key{alias == renamed.end() ? key.first : alias->second, key.second};
        auto node = before.extract(old_key);
        if (node.empty()) {
            start_new(key, want, index, now);
        } else {
            node.key() = key;
            CheckInstance& kept = instances_.insert(std::move(node)).position->second;
            kept.label = label_of(key);
            reconfigure(kept, want, now);
        }
        ++index;
    }
    for (auto& [key, gone] : before) {
        cancel(gone);
        deadlines_.move(gone.id, gone.deadline, std::nullopt);
        by_id_.erase(gone.id);
    }
    count_verdicts();
}

void CheckSet::start_new(const Key& key, const Wanted& wanted, std::size_t index, Instant now) {
    const std::uint64_t id = ++last_id_;
    const double spread = spread_of(index, wanted.config.schedule.interval);
    health::Check check(expanded(wanted.config, wanted.vip_address), seed_ + id, spread, now);
    if (wanted.adopt) {
        check.adopt(*wanted.adopt, now);
    }
    CheckInstance instance{
        id, label_of(key), wanted.config, wanted.vip_address, std::move(check), std::nullopt};
    CheckInstance& placed = instances_.emplace(key, std::move(instance)).first->second;
    by_id_.emplace(id, &placed);
    service(placed, now);
}

void CheckSet::reconfigure(CheckInstance& instance, const Wanted& wanted, Instant now) {
    if (instance.config == wanted.config) {
        return;
    }
    cancel(instance);
    instance.config = wanted.config;
    instance.check.reconfigure(expanded(wanted.config, wanted.vip_address), now);
    service(instance, now);
}

void CheckSet::finished(std::uint64_t id, const health::Result& result, Instant now) {
    const auto found = by_id_.find(id);
    if (found == by_id_.end() || !found->second->check.is_running()) {
        return; // an answer that crossed a cancellation
    }
    CheckInstance& instance = *found->second;
    const health::State before = instance.check.state();
    const std::uint32_t weight_before = instance.check.weight();
    const bool was_own = instance.check.has_own_verdict();
    if (instance.check.finished(result, now) || instance.check.weight() != weight_before ||
        instance.check.has_own_verdict() != was_own) {
        changed(instance, before, now);
    }
    service(instance, now);
}

void CheckSet::trigger(std::uint64_t id, Instant now) {
    if (const auto found = by_id_.find(id); found != by_id_.end()) {
        found->second->check.trigger(now);
        service(*found->second, now);
    }
}

void CheckSet::demand(std::uint64_t id, Instant now) {
    if (const auto found = by_id_.find(id); found != by_id_.end()) {
        found->second->check.demand(now);
        service(*found->second, now);
    }
}

void CheckSet::tick(Instant now) {
    for (std::size_t served = 0; served < most_in_a_turn; ++served) {
        const auto id = deadlines_.due(now + health::longest_lead);
        if (!id) {
            return;
        }
        CheckInstance& instance = *by_id_.at(*id);
        if (*instance.deadline > now && !instance.check.wants_run(now)) {
            return;
        }
        const health::State before = instance.check.state();
        if (instance.check.tick(now)) {
            changed(instance, before, now);
        }
        service(instance, now);
        if (instance.deadline && *instance.deadline <= now) {
            break; // still due: the next turn has it, nobody spins
        }
    }
}

void CheckSet::service(CheckInstance& instance, Instant now) {
    if (is_stopped_) {
        deadlines_.move(instance.id, instance.deadline, std::nullopt);
        return;
    }
    if (instance.check.wants_run(now)) {
        instance.check.started(now);
        outbox_.outputs.emplace_back(
            StartProbe{instance.id, instance.check.config(), instance.label, instance.vip_address});
    }
    deadlines_.move(instance.id, instance.deadline, instance.check.next_deadline());
}

void CheckSet::changed(const CheckInstance& instance, health::State before, Instant now) {
    changed_.insert(instance.config.name);
    const health::State state = instance.check.state();
    if (before == health::State::Unknown && state != health::State::Unknown) {
        --without_verdict_;
    }
    if (state != before && state != health::State::Unknown) {
        outbox_.event(now,
                      state == health::State::Up ? EventName("check.up") : EventName("check.down"),
                      instance.label,
                      instance.check.reason());
    }
}

void CheckSet::cancel(const CheckInstance& instance) {
    if (instance.check.is_running()) {
        outbox_.outputs.emplace_back(CancelProbe{instance.id});
    }
}

void CheckSet::stop() {
    is_stopped_ = true;
    for (auto& [key, instance] : instances_) {
        cancel(instance);
        deadlines_.move(instance.id, instance.deadline, std::nullopt);
    }
}

void CheckSet::count_verdicts() {
    without_verdict_ = 0;
    for (const auto& [key, instance] : instances_) {
        without_verdict_ += instance.check.state() == health::State::Unknown ? 1U : 0U;
    }
}

std::set<std::string> CheckSet::take_changed() {
    return std::exchange(changed_, {});
}

const CheckInstance* CheckSet::find(const Key& key) const {
    const auto found = instances_.find(key);
    return found == instances_.end() ? nullptr : &found->second;
}

} // namespace anyvip::cmd
