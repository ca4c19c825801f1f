// SPDX-License-Identifier: Apache-2.0
#include "cmd/daemon/runtime_impl.hpp"

#include <algorithm>
#include <utility>
#include <variant>

#include "cmd/agent/overload.hpp"
#include "cmd/daemon/event_line.hpp"

namespace anyvip::cmd {
namespace {

using ErrorCode = boost::system::error_code;

} // namespace

// One turn of the loop: decide, do, write, until nothing new comes of it. Every input ends here, so
// that the withdraw's octets leave in the same turn as their cause.
void Runtime::turn() {
    if (is_in_turn_ || is_finished_) {
        return; // an answer from within: the loop below sees it
    }
    is_in_turn_ = true;
    notice_pause();
    turn_cause_ = cause_.value_or(read_clocks().monotonic);
    // Each round needs a new answer of the kernel to go on; the limit only guards against a mistake
    // of ours.
    constexpr int most_rounds = 64;
    int round = 0;
    while (round < most_rounds && settle_once()) {
        ++round;
    }
    if (const auto withdrawn = std::exchange(withdrawn_, std::nullopt)) {
        metrics_.observe_withdraw(withdrawn->second - withdrawn->first);
    }
    publish();
    bfd_->reconcile();
    control_->after_turn();
    if (std::exchange(is_status_stale_, false)) {
        update_service_status();
    }
    is_in_turn_ = false;
    arm_timer();
}

// The turn of an input that came, or was due, at this moment: a withdraw is counted from there.
void Runtime::turn(Instant cause) {
    cause_ = cause;
    turn();
    cause_.reset();
}

// Returns whether something new was learnt. The peers are told first: nothing that they say waits
// for an output (agent.hpp).
bool Runtime::settle_once() {
    agent_->settle(read_clocks());
    agent_->withdraws_caused(turn_cause_);
    const bool is_told = peers_->drain();
    if (const auto cause = agent_->withdraws_written()) {
        const Instant earliest = withdrawn_ ? std::min(withdrawn_->first, *cause) : *cause;
        withdrawn_ = {earliest, read_clocks().monotonic};
    }
    const std::vector<Output> outputs = agent_->take_outputs();
    execute(outputs);
    return is_told || !outputs.empty();
}

void Runtime::execute(const std::vector<Output>& outputs) {
    for (const Output& output : outputs) {
        std::visit(Overload{[this](const StartProbe& start) { probes_->start(start); },
                            [this](const CancelProbe& cancel) { probes_->cancel(cancel.check_id); },
                            [this](const AddAddress& add) { add_address(add); },
                            [this](const RemoveAddress& remove) { remove_address(remove); },
                            [this](const SetDefaultRoute& set) { set_default_route(set); },
                            [this](const Persist& persist) {
                                saves_.push_back(turn_cause_);
                                drain_writer_->save(persist.state);
                            },
                            [this](const Measure& measure) { measurement_->apply(measure); },
                            [this](const PeerAdded& added) { peers_->add(added.name); },
                            [this](const PeerRemoved& removed) { peers_->remove(removed.name); },
                            [this](const PeerRenamed& renamed) {
                                peers_->rename(renamed.from, renamed.to);
                            },
                            [this](const Stopped&) { finish(); }},
                   output);
    }
}

void Runtime::add_address(const AddAddress& add) {
    if (const std::error_code error = addresses_->add(add.prefix, add.interface)) {
        agent_->address_failed(add.prefix, add.interface, error.message(), read_clocks());
    }
}

void Runtime::remove_address(const RemoveAddress& remove) {
    if (const std::error_code error = addresses_->remove(remove.prefix, remove.interface)) {
        log_.warning("cannot remove " + to_string(remove.prefix) + " from " + remove.interface +
                     ": " + error.message());
    }
}

void Runtime::set_default_route(const SetDefaultRoute& wanted) {
    const std::string problem = routes_->set(wanted.key, wanted.next_hops);
    if (!problem.empty()) {
        agent_->default_route_failed(wanted.key, problem, read_clocks());
    }
}

void Runtime::persisted(const std::string& problem) {
    persist_error_ = problem;
    if (!problem.empty()) {
        log_.error("cannot save the drains: " + problem);
    }
    agent_->persisted(problem, read_clocks());
    const Instant cause = saves_.empty() ? read_clocks().monotonic : saves_.front();
    if (!saves_.empty()) {
        saves_.pop_front();
    }
    turn(cause);
    if (drain_writer_->is_idle()) {
        control_->after_save();
    }
}

// Before what came of it is told.
void Runtime::notice_pause() {
    const Instant now = read_clocks().monotonic;
    if (const auto text = pause_watch_.look(timer_due_, now, time_suspended())) {
        record({now, "daemon.late", agent_->config().node.name, *text, {{"level", "warning"}}});
    }
    metrics_.observe_pause(pause_watch_.longest());
}

void Runtime::publish() {
    for (const Event& event : agent_->take_events()) {
        metrics_.observe_event(event);
        record(event);
        is_status_stale_ = true;
    }
}

void Runtime::record(const Event& event) {
    events_.add(event);
    write_event(log_, event);
    hooks_.run(events_.all().back());
}

void Runtime::arm_timer() {
    if (is_finished_) {
        return; // the timer serves the end now
    }
    const std::optional<Instant> next = agent_->next_deadline();
    if (next == armed_) {
        return;
    }
    armed_ = next;
    timer_due_.reset();
    timer_.cancel();
    if (!next) {
        return;
    }
    // A deadline that has passed already is no lateness of the loop: more checks are due than this
    // host can run, or a run was under way at an upgrade.
    const Instant due = std::max(*next, read_clocks().monotonic);
    timer_due_ = due;
    timer_.expires_at(due);
    timer_.async_wait([this, due](ErrorCode error) {
        if (error) {
            return;
        }
        notice_pause();
        armed_.reset();
        timer_due_.reset();
        peers_->look();
        agent_->tick(read_clocks());
        turn(due);
    });
}

void Runtime::update_service_status() {
    std::string status = std::string(to_string(agent_->node_state())) + ", " +
                         std::to_string(agent_->count_vips(vip::VipState::Announced)) + " of " +
                         std::to_string(agent_->config().vips.size()) + " VIPs announced";
    if (status != service_status_) {
        service_manager_.notify("STATUS=" + status);
        service_status_ = std::move(status);
    }
}

} // namespace anyvip::cmd
