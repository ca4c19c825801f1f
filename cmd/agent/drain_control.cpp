// SPDX-License-Identifier: Apache-2.0
// What drains do once they are on disk: who holds a VIP, and in which step it is.
#include <algorithm>

#include "cmd/agent/impl.hpp"

namespace anyvip::cmd {

namespace {

using namespace std::chrono_literals;

/// So long before its end a drain with --until is told of, if it was longer than that.
constexpr auto ending_notice = 5min;

/// "2026-11-26 14:00:05 UTC"
[[nodiscard]] std::string moment_text(vip::WallTime moment) {
    const auto second = std::chrono::floor<std::chrono::seconds>(moment);
    const auto day = std::chrono::floor<std::chrono::days>(second);
    const std::chrono::year_month_day date{day};
    const std::chrono::hh_mm_ss time{second - day};
    const auto two = [](auto number) {
        const std::string digits = std::to_string(number);
        return digits.size() < 2 ? "0" + digits : digits;
    };
    return std::to_string(static_cast<int>(date.year())) + "-" +
           two(static_cast<unsigned>(date.month())) + "-" + two(static_cast<unsigned>(date.day())) +
           " " + two(time.hours().count()) + ":" + two(time.minutes().count()) + ":" +
           two(time.seconds().count()) + " UTC";
}

[[nodiscard]] std::string describe_hold(const vip::Hold& hold) {
    std::string text = hold.until ? " until " + moment_text(*hold.until) : "";
    text += hold.reason.empty() ? "" : ": " + hold.reason;
    return hold.author.empty() ? text : text + " (by " + hold.author + ")";
}

[[nodiscard]] std::string step_text(const VipRecord& record) {
    switch (record.drain.step) {
    case vip::DrainStep::None:
    case vip::DrainStep::Finished:
        break;
    case vip::DrainStep::GracefulShutdown:
        return "; announced with GRACEFUL_SHUTDOWN";
    case vip::DrainStep::Withdrawn:
        return record.traffic.flows_counted_at
                   ? "; withdrawn, " + std::to_string(record.traffic.flows.flows) + " flows left"
                   : "; withdrawn, waiting for its traffic to end";
    }
    return record.drain.has_traffic_left() ? "; its deadline passed with traffic left" : "";
}

} // namespace

void Agent::Impl::persist() {
    unwritten.push_back(drains);
    outbox.outputs.emplace_back(Persist{drains});
}

void Agent::Impl::persisted(Instant now) {
    if (unwritten.empty()) {
        return;
    }
    effective = std::move(unwritten.front());
    unwritten.pop_front();
    next_expiry.reset();
    if (unwritten.empty()) {
        std::erase_if(runs, [&](const auto& run) { return !is_held(run.first); });
        std::erase_if(forced_peers, [&](const auto& name) { return !drains.peers.contains(name); });
    }
    // While the disk was written, the other node may have gone: those that leave in this turn are
    // asked about now, the others at the end of GRACEFUL_SHUTDOWN.
    ask_again(
        [&](const VipRecord& record, const HolderKey& key) {
            return record.drain.step == vip::DrainStep::None && !begins_with_gshut(record, key);
        },
        now);
    mark_all();
}

bool Agent::Impl::is_held(const HolderKey& key) const {
    switch (key.kind) {
    case HolderKey::Kind::Node:
        return effective.node.has_value();
    case HolderKey::Kind::File:
        return file_holds;
    case HolderKey::Kind::Unreadable:
        return !effective.unreadable.empty();
    case HolderKey::Kind::Vip:
        break;
    }
    return effective.vips.contains(key.vip);
}

std::optional<HolderKey> Agent::Impl::holder_of(const vip::VipConfig& config_of_vip,
                                                const vip::DrainState& state) const {
    if (!state.unreadable.empty()) {
        return HolderKey{HolderKey::Kind::Unreadable, {}};
    }
    if (state.node) {
        return HolderKey{HolderKey::Kind::Node, {}};
    }
    if (file_holds) {
        return HolderKey{HolderKey::Kind::File, {}};
    }
    const auto found = find_hold(state.vips, config_of_vip);
    return found == state.vips.end() ? std::nullopt
                                     : std::optional(HolderKey{HolderKey::Kind::Vip, found->first});
}

std::string Agent::Impl::describe(const HolderKey& key) const {
    switch (key.kind) {
    case HolderKey::Kind::Node:
        return effective.node ? "drained with the node" + describe_hold(*effective.node)
                              : "drained with the node";
    case HolderKey::Kind::File:
        return "drained while " + config.daemon.drain_file + " exists" +
               (file_problem.empty() ? "" : ", which it did when it could last be looked at");
    case HolderKey::Kind::Unreadable:
        return "drained because the state file cannot be read (" + effective.unreadable +
               "); `anyvip undrain` ends it";
    case HolderKey::Kind::Vip:
        break;
    }
    const auto held = effective.vips.find(key.vip);
    return held == effective.vips.end() ? "drained" : "drained" + describe_hold(held->second.hold);
}

void Agent::Impl::expire_holds(Now now) {
    if (next_expiry && now.monotonic < *next_expiry) {
        return;
    }
    next_expiry.reset();
    bool is_changed = false;
    const auto is_over = [&](const vip::Hold& hold, const std::string& name) {
        if (!hold.until) {
            return false;
        }
        if (*hold.until > now.wall) {
            const auto left = std::chrono::duration_cast<Duration>(*hold.until - now.wall);
            const bool was_long = *hold.until - hold.since > ending_notice;
            if (was_long && left <= ending_notice &&
                told_ending.emplace(name, *hold.until).second) {
                outbox.event(now.monotonic,
                             "drain.ending",
                             name,
                             "the time given with --until is near: " + moment_text(*hold.until));
            }
            // Looked at again within a minute: the wall clock may be set meanwhile.
            next_expiry = earlier(next_expiry, now.monotonic + std::min(left, Duration(60s)));
            return false;
        }
        outbox.event(now.monotonic, "drain.expired", name, "the time given with --until has come");
        is_changed = true;
        return true;
    };
    if (drains.node && is_over(*drains.node, config.node.name)) {
        drains.node.reset();
    }
    std::erase_if(drains.vips,
                  [&](const auto& item) { return is_over(item.second.hold, item.first); });
    std::erase_if(drains.peers, [&](const auto& item) { return is_over(item.second, item.first); });
    std::erase_if(told_ending, [&](const auto& item) { return item.second <= now.wall; });
    if (is_changed) {
        persist();
    }
}

void Agent::Impl::advance_drain_file(Instant now) {
    if (!file_exists) {
        file_refusal.clear();
        if (std::exchange(file_holds, false)) {
            mark_all();
        }
        return;
    }
    if (file_holds) {
        file_retry_at.reset(); // told again, after a reload: nothing is left to ask
        return;
    }
    if (file_retry_at && now < *file_retry_at) {
        return;
    }
    std::vector<std::string> names;
    names.reserve(order.size());
    for (const VipRecord* record : order) {
        names.push_back(record->config.name);
    }
    const std::optional<Refusal> refusal = refuses_any(names);
    if (!refusal) {
        file_retry_at.reset();
        file_refusal.clear();
        file_holds = true;
        runs[{HolderKey::Kind::File, {}}] = {};
        mark_all();
        return;
    }
    file_retry_at = now + file_retry_pause;
    if (std::exchange(file_refusal, refusal->vip + ": " + refusal->reason).empty()) {
        outbox.event(now,
                     "drain.refused",
                     config.node.name,
                     config.daemon.drain_file + " exists, but " + file_refusal,
                     {{"level", "warning"}});
    }
}

void Agent::Impl::drain_file_problem(std::string_view problem, Instant now) {
    if (problem == file_problem) {
        return;
    }
    if (file_problem.empty()) {
        outbox.event(now,
                     "drain.file_unknown",
                     config.node.name,
                     config.daemon.drain_file + " cannot be looked at: " + std::string(problem) +
                         "; it counts as " + (file_exists ? "present" : "absent") +
                         ", as seen last",
                     {{"level", "warning"}});
    }
    file_problem = problem;
    mark_all();
}

void Agent::Impl::enter(VipRecord& record, vip::DrainStep step, Instant now) {
    if (record.drain.step != step) {
        record.drain.step = step;
        record.drain.since = now;
    }
}

bool Agent::Impl::begins_with_gshut(const VipRecord& record, const HolderKey& holder) const {
    const auto run = runs.find(holder);
    return record.is_exposed && record.decision.mode == vip::RouteMode::Normal &&
           config.drain.gshut.count() > 0 && (run == runs.end() || !run->second.is_confirmed);
}

void Agent::Impl::begin_drain(VipRecord& record, const HolderKey& holder, Instant now) {
    HolderRun& run = runs[holder];
    record.drain.outcome = DrainOutcome::Running;
    record.drain.waits_until.reset();
    if (begins_with_gshut(record, holder)) {
        enter(record, vip::DrainStep::GracefulShutdown, now);
        run.gshut_until = run.gshut_until.value_or(now + config.drain.gshut);
        return;
    }
    leave_service(record, now);
}

/// Withdrawn while packets may still come, finished at once when none can.
void Agent::Impl::leave_service(VipRecord& record, Instant now) {
    const bool has_traffic = record.is_exposed || !record.traffic.has_ended(limits(), now);
    enter(record, has_traffic ? vip::DrainStep::Withdrawn : vip::DrainStep::Finished, now);
    if (!has_traffic) {
        record.drain.outcome = DrainOutcome::Ended;
    }
}

void Agent::Impl::advance_drain(VipRecord& record, Instant now) {
    const std::optional<HolderKey> holder = holder_of(record.config, effective);
    if (!holder) {
        if (record.drain.step != vip::DrainStep::None) {
            if (record.drain.outcome == DrainOutcome::Running) {
                record.drain.outcome = DrainOutcome::Cancelled;
            }
            enter(record, vip::DrainStep::None, now);
            if (!record.drain.is_refused) {
                record.drain.reason = "no drain holds it any more";
            }
            outbox.event(now, "vip.undrained", record.config.name, record.drain.reason);
        }
        return;
    }
    // The withdraw itself comes after this: only the next look can find its traffic ended.
    const bool had_traffic_left = record.drain.has_traffic_left();
    if (record.drain.step == vip::DrainStep::None) {
        begin_drain(record, *holder, now);
    }
    if (record.drain.step == vip::DrainStep::GracefulShutdown) {
        HolderRun& run = runs[*holder];
        // Another holder may have taken over since the step began.
        run.gshut_until = run.gshut_until.value_or(now + config.drain.gshut);
        const bool is_down = record.health.state != health::State::Up;
        if (is_down || run.is_confirmed || stopping != Stop::None) {
            leave_service(record, now);
        }
    } else if (had_traffic_left) {
        look_for_end(record, now);
    }
    record.drain.reason = describe(*holder) + step_text(record);
    record.drain.is_refused = false;
}

/// Traffic may end after the deadline as well: what is said of it then has to become true again.
void Agent::Impl::look_for_end(VipRecord& record, Instant now) {
    const auto deadline = drain_deadline(record);
    if (!record.traffic.withdrawn_at ||
        record.traffic.is_drained(limits(), config.drain.idle, now)) {
        enter(record, vip::DrainStep::Finished, now);
        record.drain.outcome = DrainOutcome::Ended;
    } else if (deadline && now >= *deadline) {
        enter(record, vip::DrainStep::Finished, now);
        record.drain.outcome = DrainOutcome::DeadlinePassed;
    }
}

/// A drain that joins after the deadline has passed: it looks again, and waits for as long as it
/// was told to.
void Agent::Impl::wait_again(VipRecord& record,
                             std::optional<std::chrono::milliseconds> deadline,
                             Instant now) {
    if (record.drain.step == vip::DrainStep::Finished && record.drain.has_traffic_left()) {
        const Instant end = now + deadline.value_or(config.drain.deadline);
        const bool is_waited_for = record.drain.outcome == DrainOutcome::Running;
        record.drain.outcome = DrainOutcome::Running;
        // Nobody who waits already is told sooner than he wished.
        record.drain.waits_until =
            is_waited_for ? std::max(end, record.drain.waits_until.value_or(end)) : end;
        mark(record);
    }
}

std::optional<Instant> Agent::Impl::drain_deadline(const VipRecord& record) const {
    if (!record.drain.is_waiting() || !record.traffic.withdrawn_at) {
        return std::nullopt;
    }
    if (record.drain.step == vip::DrainStep::Finished) {
        return record.drain.waits_until;
    }
    const std::optional<HolderKey> holder = holder_of(record.config, effective);
    const auto run = holder ? runs.find(*holder) : runs.end();
    const auto length =
        run != runs.end() && run->second.deadline ? *run->second.deadline : config.drain.deadline;
    return *record.traffic.withdrawn_at + length;
}

} // namespace anyvip::cmd
