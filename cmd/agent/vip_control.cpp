// SPDX-License-Identifier: Apache-2.0
// One VIP from its checks to its addresses and routes: gathers the conditions, asks `decide`, and
// carries out what it says.
#include <algorithm>

#include "cmd/agent/exposure.hpp"
#include "cmd/agent/impl.hpp"

namespace anyvip::cmd {

namespace {

/// How many VIPs are looked at in one turn when only what is shown may have changed: a session that
/// comes up must not hold up its own first UPDATEs.
constexpr std::size_t stale_slice = 256;

[[nodiscard]] vip::Verdict verdict_of(const health::ServiceHealth& health) {
    switch (health.state) {
    case health::State::Unknown:
        return vip::Verdict::Pending;
    case health::State::Up:
        return health.is_demoted ? vip::Verdict::SharedDown : vip::Verdict::Up;
    case health::State::Down:
        break;
    }
    return vip::Verdict::Down;
}

[[nodiscard]] std::optional<EventName> event_of(vip::VipState state) {
    switch (state) {
    case vip::VipState::Starting:
        break; // how each begins is no news
    case vip::VipState::Announced:
        return EventName("vip.announced");
    case vip::VipState::Backup:
        return EventName("vip.backup");
    case vip::VipState::Withdrawn:
        return EventName("vip.withdrawn");
    case vip::VipState::Draining:
        return EventName("vip.draining");
    case vip::VipState::Drained:
        return EventName("vip.drained");
    }
    return std::nullopt;
}

[[nodiscard]] bool is_absent(const AddressSlot* slot) {
    return slot->held.presence() == vip::Presence::Absent;
}

/// Of the address that stands in the way, if one does; else of any that is absent.
[[nodiscard]] std::string address_problem(const VipRecord& record) {
    auto found = std::ranges::find_if(record.addresses, [&](const AddressSlot* slot) {
        return is_absent(slot) && is_carried(record, slot);
    });
    if (found == record.addresses.end()) {
        found = std::ranges::find_if(record.addresses, is_absent);
    }
    if (found == record.addresses.end()) {
        return {};
    }
    const AddressSlot& slot = **found;
    const std::string& problem = slot.held.problem();
    return "address " + to_string(slot.prefix) + " is not on " + slot.interface +
           (slot.is_external  ? ", where somebody else must put it (address_policy)"
            : problem.empty() ? ""
                              : ": " + problem);
}

} // namespace

std::optional<health::State>
stand_in_for(const VipRecord& record, const std::string& name, const health::Check& check) {
    const auto found = record.inherited.find(name);
    return found == record.inherited.end() || check.has_own_verdict()
               ? std::nullopt
               : std::optional(found->second.state);
}

void Agent::Impl::mark(VipRecord& record) {
    if (!record.is_dirty) {
        record.is_dirty = true;
        dirty.push_back(record.id);
    }
}

void Agent::Impl::mark_all() {
    for (VipRecord* record : order) {
        mark(*record);
    }
}

void Agent::Impl::mark_all_stale() {
    for (const VipRecord* record : order) {
        stale.insert(stale.end(), record->id);
    }
}

void Agent::Impl::mark_users_of_changed_checks() {
    for (const std::string& name : checks.take_changed()) {
        if (const auto found = users.find(name); found != users.end()) {
            for (VipRecord* record : found->second) {
                mark(*record);
            }
        }
    }
}

void Agent::Impl::refresh_marked(Instant now) {
    const std::vector<std::uint64_t> ids = std::exchange(dirty, {});
    for (const std::uint64_t id : ids) {
        if (const auto found = vips.find(id); found != vips.end()) {
            found->second->is_dirty = false;
            refresh(*found->second, now);
        }
    }
}

void Agent::Impl::refresh_stale(Instant now) {
    if (stale.empty()) {
        // Something may have been sent since; asked once a turn, not again and again.
        stale = unsent;
    }
    for (std::size_t i = 0; i < stale_slice && !stale.empty(); ++i) {
        const std::uint64_t id = *stale.begin();
        stale.erase(stale.begin());
        if (const auto found = vips.find(id); found != vips.end()) {
            refresh(*found->second, now);
        }
    }
}

void Agent::Impl::refresh(VipRecord& record, Instant now) {
    update_health(record, now);
    advance_drain(record, now);
    record.conditions = conditions_of(record, now);
    vip::Decision decision = vip::decide(record.conditions, record.config);
    // A session that has come up since the last look has the routes of then already.
    const bool was_known = is_with_a_router(record);
    record.decision.wants_address = decision.wants_address;
    record.decision.mode = decision.mode;
    record.decision.routes = decision.routes;
    apply_addresses(record, now);
    apply_routes(record, now);
    note_exposure(record, was_known, now);
    note_state(record, std::move(decision), now);
    note_tracks(record, now);
    update_measures(record, now);
    schedule(record, now);
}

void Agent::Impl::update_health(VipRecord& record, Instant now) {
    std::vector<health::Member> members;
    members.reserve(record.checks.size());
    for (std::size_t i = 0; i < record.checks.size(); ++i) {
        std::vector<health::Member> instances;
        instances.reserve(record.checks[i].size());
        bool is_own = true;
        for (const CheckInstance* instance : record.checks[i]) {
            health::Member& member = instances.emplace_back(health::member_of(instance->check));
            if (const auto state = stand_in_for(record, record.config.checks[i], instance->check)) {
                member.state = *state;
                member.is_demoted = false;
                member.reason = "down before the reload, and a new check has no verdict yet";
                is_own = false;
            }
        }
        if (is_own) {
            record.inherited.erase(record.config.checks[i]);
        }
        members.push_back(health::conjunction_of(record.config.checks[i], instances));
    }
    record.health = health::evaluate(members, record.config.require);
    if (members.empty()) {
        record.health.reason = "no checks: always up";
    }
    record.health.in_the_way = {}; // a view into what may be gone by the next look
    const bool is_up = record.health.state == health::State::Up;
    if (is_up && !record.hold_down.is_up()) {
        record.hold_down.rose(now);
        record.was_up = true;
    } else if (!is_up && record.hold_down.is_up()) {
        record.hold_down.fell(record.config, now);
    }
}

vip::Conditions Agent::Impl::conditions_of(const VipRecord& record, Instant now) const {
    vip::Conditions conditions;
    conditions.verdict = verdict_of(record.health);
    conditions.was_up = record.was_up;
    conditions.hold_down = record.hold_down.state(now);
    conditions.drain = record.drain.step;
    conditions.is_stopping = stopping != Stop::None;
    const bool is_waiting = record.drain.step == vip::DrainStep::GracefulShutdown ||
                            record.drain.step == vip::DrainStep::Withdrawn;
    conditions.may_release =
        conditions.is_stopping
            ? stopping == Stop::Removing || stopping == Stop::Done
            : !is_waiting && !record.is_exposed && record.traffic.has_ended(limits(), now);
    conditions.addresses.reserve(record.addresses.size());
    for (const AddressSlot* slot : record.addresses) {
        conditions.addresses.push_back(slot->held.presence());
    }
    conditions.has_session = std::ranges::any_of(
        record.peers, [&](const PeerRecord* peer) { return can_carry(record, *peer); });
    conditions.is_sent = conditions.has_session && is_sent(record);
    conditions.health_reason = record.health.reason;
    conditions.drain_reason = record.drain.reason;
    conditions.address_problem = address_problem(record);
    bool has_open_session = false;
    bool can_send = false;
    for (const AddressSlot* slot : record.addresses) {
        const bool has_router = is_carried(record, slot);
        has_open_session = has_open_session || has_router;
        can_send = can_send || (has_router && !is_absent(slot));
    }
    conditions.lacks_carried_address = has_open_session && !can_send;
    if (!has_open_session) {
        conditions.session_problem = session_problem(record);
    }
    return conditions;
}

void Agent::Impl::apply_addresses(VipRecord& record, Instant now) {
    for (AddressSlot* slot : record.addresses) {
        slot->held.want(record.decision.wants_address);
        addresses.step(*slot, now);
    }
}

void Agent::Impl::apply_routes(VipRecord& record, Instant now) {
    // Traffic comes when the route is plain again, not when health is: slow_start would otherwise
    // pass during hold_down, damping or a drain.
    switch (record.decision.mode) {
    case vip::RouteMode::None:
    case vip::RouteMode::Backup:
        record.up_since.reset();
        break;
    case vip::RouteMode::Normal:
    case vip::RouteMode::GracefulShutdown:
        record.up_since = record.up_since.value_or(now);
        break;
    }
    // The weight of a check that is down says nothing: the last one stays.
    const std::optional<float> bandwidth =
        record.hold_down.is_up()
            ? record.ramp.update(record.config, record.health.weight, record.up_since, now)
            : record.bandwidth;
    if (bandwidth != record.bandwidth) {
        record.bandwidth = bandwidth;
        record.intents = {};
    }
    for (PeerRecord* peer : record.peers) {
        for (std::size_t i = 0; i < record.addresses.size(); ++i) {
            const AddressSlot& slot = *record.addresses[i];
            vip::RouteMode mode = limited(record.decision.routes[i], peer->use);
            // While the address is being put back its route stays, but nobody new is told of it.
            if (slot.held.presence() == vip::Presence::Restoring &&
                !peer->peer.is_advertised(slot.prefix)) {
                mode = vip::RouteMode::None;
            }
            peer->peer.want(slot.prefix,
                            mode == vip::RouteMode::None ? nullptr : intent_of(record, mode));
        }
    }
}

const bgp::RouteIntentPtr& Agent::Impl::intent_of(VipRecord& record, vip::RouteMode mode) {
    bgp::RouteIntentPtr& intent = record.intents[static_cast<std::size_t>(mode)];
    if (!intent) {
        bgp::RouteIntent made = vip::make_intent(record.config, mode, record.bandwidth);
        if (!last_intent || *last_intent != made) {
            last_intent = std::make_shared<const bgp::RouteIntent>(std::move(made));
        }
        intent = last_intent;
    }
    return intent;
}

void Agent::Impl::note_exposure(VipRecord& record, bool was_known, Instant now) {
    const bool is_wanted = is_routed(record.decision);
    const bool is_exposed = is_with_a_router(record);
    // A session that has ended took its routes along: that is no withdraw.
    const bool is_withdrawn =
        was_known || (record.is_exposed && (!is_wanted || is_taken_out(record)));
    if (is_exposed && !record.is_exposed) {
        record.exposed_since = now;
        record.has_traffic = false;
        record.traffic = {};
        unacknowledged.erase(record.id);
    } else if (!is_exposed && is_withdrawn) {
        record.has_told_stray = false;
        record.traffic = {};
        record.traffic.withdrawn_at = now;
        unacknowledged.insert(record.id);
    }
    record.is_wanted = is_wanted;
    record.is_exposed = is_exposed;
    if (is_unsent(record)) {
        unsent.insert(record.id);
    } else {
        unsent.erase(record.id);
    }
}

void Agent::Impl::note_state(VipRecord& record, vip::Decision decision, Instant now) {
    const vip::VipState before = record.decision.state;
    record.decision = std::move(decision);
    if (record.decision.state != before) {
        record.since = now;
        unreported.insert(record.id);
    }
}

// At the end of the turn: states that were only passed through, such as the moment between the wish
// for a route and its octets, are nobody's news.
void Agent::Impl::report_states() {
    for (const std::uint64_t id : std::exchange(unreported, {})) {
        const auto found = vips.find(id);
        if (found == vips.end() || found->second->decision.state == found->second->reported) {
            continue;
        }
        VipRecord& record = *found->second;
        const vip::VipState before = record.reported;
        const vip::VipState state = record.decision.state;
        // At a start a healthy VIP waits here for its first session.
        const bool is_starting = before == vip::VipState::Starting &&
                                 state == vip::VipState::Withdrawn &&
                                 vip::is_healthy(record.conditions.verdict);
        const std::optional<EventName> event = event_of(state);
        if (!event || is_starting) {
            continue;
        }
        record.reported = state;
        outbox.event(record.since,
                     *event,
                     record.config.name,
                     record.decision.reason,
                     {{"from", std::string(vip::to_string(before))}});
    }
}

void Agent::Impl::schedule(VipRecord& record, Instant now) {
    std::optional<Instant> next = record.hold_down.next_deadline(now);
    next = earlier(next, record.ramp.next_deadline(record.config, record.up_since, now));
    for (const AddressSlot* slot : record.addresses) {
        if (!slot->is_external) {
            next = earlier(next, slot->held.next_deadline());
        }
    }
    next = earlier(next, drain_deadline(record));
    next = earlier(next, record.traffic.next_deadline(limits(), now));
    next = earlier(next, measure_end(record, now));
    deadlines.move(record.id, record.deadline, next);
}

} // namespace anyvip::cmd
