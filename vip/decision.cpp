// SPDX-License-Identifier: Apache-2.0
// CONTRACT section 3 as code: one function for the route, one for the address, one for the state.
#include "vip/decision.hpp"

#include <algorithm>

namespace anyvip::vip {

namespace {

/// What health alone allows, before any drain or stop.
[[nodiscard]] RouteMode health_mode(const Conditions& conditions, const VipConfig& config) {
    // Once it was up, a VIP with on_down = "backup" is never less than backup; before, nothing is
    // announced, because nothing has ever worked here.
    const RouteMode last_resort =
        config.on_down == OnDown::Backup && conditions.was_up ? RouteMode::Backup : RouteMode::None;
    switch (conditions.verdict) {
    case Verdict::Pending:
        return RouteMode::None;
    case Verdict::Down:
        return last_resort;
    case Verdict::Up:
    case Verdict::SharedDown:
        break;
    }
    switch (conditions.hold_down) {
    case HoldDown::Configured:
    case HoldDown::Unsteady:
        return last_resort;
    case HoldDown::Damping:
        return RouteMode::Backup;
    case HoldDown::None:
        break;
    }
    return conditions.verdict == Verdict::Up ? RouteMode::Normal : RouteMode::Backup;
}

[[nodiscard]] RouteMode route_mode(const Conditions& conditions, const VipConfig& config) {
    if (conditions.is_stopping) {
        return RouteMode::None;
    }
    const RouteMode mode = health_mode(conditions, config);
    switch (conditions.drain) {
    case DrainStep::None:
        return mode;
    case DrainStep::GracefulShutdown:
        // A backup is the last choice already: GRACEFUL_SHUTDOWN would only make it better known.
        return mode == RouteMode::Normal ? RouteMode::GracefulShutdown : mode;
    case DrainStep::Withdrawn:
    case DrainStep::Finished:
        break;
    }
    return RouteMode::None;
}

[[nodiscard]] bool
wants_address(const Conditions& conditions, const VipConfig& config, RouteMode mode) {
    switch (config.address_policy) {
    case AddressPolicy::Hold:
        return !conditions.is_stopping || !conditions.may_release;
    case AddressPolicy::Follow:
        return mode != RouteMode::None || !conditions.may_release;
    case AddressPolicy::External:
        break;
    }
    return false;
}

[[nodiscard]] std::string withdrawn_reason(const Conditions& conditions, RouteMode mode) {
    if (conditions.is_stopping) {
        return "the daemon is stopping";
    }
    if (mode == RouteMode::None) {
        if (!is_healthy(conditions.verdict)) {
            return conditions.health_reason;
        }
        return conditions.hold_down == HoldDown::Configured
                   ? "up again, but hold_down still runs"
                   : "up again, but damped after several falls within a minute";
    }
    const bool has_address = std::ranges::any_of(
        conditions.addresses, [](Presence presence) { return presence != Presence::Absent; });
    if (!has_address) {
        return "healthy, but " + conditions.address_problem;
    }
    if (!conditions.session_problem.empty()) {
        return "healthy, but " + conditions.session_problem;
    }
    if (conditions.lacks_carried_address) {
        return "healthy, but " + conditions.address_problem;
    }
    return "healthy, its route is about to be sent";
}

[[nodiscard]] std::string backup_reason(const Conditions& conditions) {
    if (conditions.verdict == Verdict::Up) {
        return std::string("up again, but ") +
               (conditions.hold_down == HoldDown::Damping
                    ? "damped after several falls within a minute"
                    : "hold_down still runs") +
               "; announced for last resort only";
    }
    return conditions.health_reason + "; announced for last resort only";
}

void set_state(Decision& decision, const Conditions& conditions) {
    switch (conditions.drain) {
    case DrainStep::GracefulShutdown:
    case DrainStep::Withdrawn:
        decision.state = VipState::Draining;
        decision.reason = conditions.drain_reason;
        return;
    case DrainStep::Finished:
        decision.state = VipState::Drained;
        decision.reason = conditions.drain_reason;
        return;
    case DrainStep::None:
        break;
    }
    if (conditions.verdict == Verdict::Pending && !conditions.is_stopping) {
        decision.state = VipState::Starting;
        decision.reason = conditions.health_reason;
        return;
    }
    const bool is_routed = std::ranges::any_of(
        decision.routes, [](RouteMode mode) { return mode != RouteMode::None; });
    if (!is_routed || !conditions.is_sent) {
        decision.state = VipState::Withdrawn;
        decision.reason = withdrawn_reason(conditions, decision.mode);
    } else if (decision.mode == RouteMode::Backup) {
        decision.state = VipState::Backup;
        decision.reason = backup_reason(conditions);
    } else {
        decision.state = VipState::Announced;
        decision.reason = conditions.health_reason;
    }
}

} // namespace

Decision decide(const Conditions& conditions, const VipConfig& config) {
    Decision decision;
    decision.mode = route_mode(conditions, config);
    decision.wants_address = wants_address(conditions, config, decision.mode);
    decision.routes.reserve(conditions.addresses.size());
    for (const Presence presence : conditions.addresses) {
        decision.routes.push_back(presence == Presence::Absent ? RouteMode::None : decision.mode);
    }
    set_state(decision, conditions);
    return decision;
}

bgp::RouteIntent
make_intent(const VipConfig& config, RouteMode mode, std::optional<float> bandwidth) {
    bgp::RouteIntent intent{.prepend = config.prepend,
                            .med = config.med,
                            .communities = config.communities,
                            .extended_communities = config.extended_communities,
                            .large_communities = config.large_communities,
                            .bandwidth_bytes_per_second = bandwidth};
    intent.is_draining = mode == RouteMode::GracefulShutdown;
    if (mode == RouteMode::Backup) {
        intent.is_backup = true;
        intent.prepend += config.backup_prepend;
        intent.med = config.backup_med ? config.backup_med : config.med;
    }
    return intent;
}

std::string to_string(const Conditions& conditions) {
    std::string text = "verdict=" + std::string(to_string(conditions.verdict)) +
                       " was_up=" + std::to_string(conditions.was_up) +
                       " hold_down=" + std::string(to_string(conditions.hold_down)) +
                       " drain=" + std::string(to_string(conditions.drain)) +
                       " stopping=" + std::to_string(conditions.is_stopping) +
                       " may_release=" + std::to_string(conditions.may_release) + " addresses=";
    for (const Presence presence : conditions.addresses) {
        text += std::string(to_string(presence)) + ",";
    }
    return text + " session=" + std::to_string(conditions.has_session) +
           " sent=" + std::to_string(conditions.is_sent);
}

std::string_view to_string(Verdict verdict) {
    switch (verdict) {
    case Verdict::Pending:
        return "pending";
    case Verdict::Up:
        return "up";
    case Verdict::SharedDown:
        return "up, a shared check is down";
    case Verdict::Down:
        return "down";
    }
    return "";
}

std::string_view to_string(VipState state) {
    switch (state) {
    case VipState::Starting:
        return "starting";
    case VipState::Announced:
        return "announced";
    case VipState::Backup:
        return "backup";
    case VipState::Withdrawn:
        return "withdrawn";
    case VipState::Draining:
        return "draining";
    case VipState::Drained:
        return "drained";
    }
    return "";
}

std::string_view to_string(Presence presence) {
    switch (presence) {
    case Presence::Absent:
        return "absent";
    case Presence::Present:
        return "present";
    case Presence::Restoring:
        return "restoring";
    }
    return "";
}

std::string_view to_string(RouteMode mode) {
    switch (mode) {
    case RouteMode::None:
        return "none";
    case RouteMode::Normal:
        return "normal";
    case RouteMode::GracefulShutdown:
        return "graceful-shutdown";
    case RouteMode::Backup:
        return "backup";
    }
    return "";
}

std::string_view to_string(DrainStep step) {
    switch (step) {
    case DrainStep::None:
        return "none";
    case DrainStep::GracefulShutdown:
        return "graceful-shutdown";
    case DrainStep::Withdrawn:
        return "withdrawn";
    case DrainStep::Finished:
        return "finished";
    }
    return "";
}

} // namespace anyvip::vip
