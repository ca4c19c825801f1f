// SPDX-License-Identifier: Apache-2.0
#include "cmd/daemon/drain_waiters.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "cmd/daemon/wall_time.hpp"

namespace anyvip::cmd {
namespace {

namespace json = boost::json;

json::value number_or_null(const std::optional<std::uint64_t>& number) {
    return number ? json::value(*number) : json::value(nullptr);
}

std::string message_of(const DrainProgress& progress) {
    switch (progress.step) {
    case vip::DrainStep::None:
        return progress.reason.empty() ? "not draining" : progress.reason;
    case vip::DrainStep::GracefulShutdown:
        return "announced with GRACEFUL_SHUTDOWN";
    case vip::DrainStep::Withdrawn:
        return "withdrawn, waiting for traffic to end";
    case vip::DrainStep::Finished:
        return progress.reason.empty() ? "drained" : progress.reason;
    }
    return {};
}

json::object step_document(const DrainProgress& progress) {
    return {{"vip", progress.vip},
            {"step", vip::to_string(progress.step)},
            {"flows", number_or_null(progress.flows)},
            {"packets", number_or_null(progress.packets)},
            {"message", message_of(progress)}};
}

// The exit status of `anyvip drain --wait` (CONTRACT section 4): the worst of all VIPs decides.
int exit_status(DrainOutcome outcome) {
    switch (outcome) {
    case DrainOutcome::None:
    case DrainOutcome::Running:
    case DrainOutcome::Ended:
        return 0;
    case DrainOutcome::DeadlinePassed:
        return 4;
    case DrainOutcome::Cancelled:
        return 1;
    }
    return 1;
}

// A drain that is over, but will not survive a restart, has failed (CONTRACT section 3).
void finish(HttpResponder& responder,
            int exit,
            std::string message,
            const std::string& unsaved = "") {
    if (!unsaved.empty()) {
        message += (exit == 0 ? ", but it" : "; and it") +
                   std::string(" will not survive a restart: ") + unsaved;
        exit = 1;
    }
    const json::object end{{"done", true}, {"exit", exit}, {"message", message}};
    responder.write(json::serialize(end) + "\n");
    responder.finish();
}

} // namespace

void DrainWaiters::add(const Agent& agent,
                       const std::vector<std::string>& vips,
                       std::string unsaved,
                       std::shared_ptr<HttpResponder> responder) {
    responder->begin_stream("application/x-ndjson");
    Waiter waiter{vips, std::move(unsaved), std::move(responder), {}, 0};
    if (!advance(waiter, agent)) {
        waiters_.push_back(std::move(waiter));
    }
}

void DrainWaiters::add_peer(Agent& agent,
                            const std::string& peer,
                            std::string unsaved,
                            std::shared_ptr<HttpResponder> responder) {
    responder->begin_stream("application/x-ndjson");
    PeerWaiter waiter{peer, std::move(unsaved), std::move(responder), {}};
    if (!advance(waiter, agent)) {
        peer_waiters_.push_back(std::move(waiter));
    }
}

void DrainWaiters::update(Agent& agent) {
    waiters_.remove_if([&](Waiter& waiter) { return advance(waiter, agent); });
    peer_waiters_.remove_if([&](PeerWaiter& waiter) { return advance(waiter, agent); });
}

void DrainWaiters::hand_over(std::vector<ApiClient>& waiters,
                             std::vector<ApiClient>& peer_waiters) const {
    for (const Waiter& waiter : waiters_) {
        if (const int descriptor = waiter.responder->descriptor(); descriptor >= 0) {
            waiters.push_back({descriptor, waiter.vips, waiter.last_line, {}, {}, waiter.unsaved});
        }
    }
    for (const PeerWaiter& waiter : peer_waiters_) {
        if (const int descriptor = waiter.responder->descriptor(); descriptor >= 0) {
            peer_waiters.push_back({descriptor,
                                    {waiter.peer},
                                    {{waiter.peer, waiter.last_step}},
                                    {},
                                    {},
                                    waiter.unsaved});
        }
    }
}

void DrainWaiters::take_over(const ApiClient& client, std::shared_ptr<HttpResponder> responder) {
    waiters_.push_back({client.names, client.unsaved, std::move(responder), client.last_lines, 0});
}

void DrainWaiters::take_over_peer(const ApiClient& client,
                                  std::shared_ptr<HttpResponder> responder) {
    for (const auto& [peer, last_step] : client.last_lines) {
        peer_waiters_.push_back({peer, client.unsaved, responder, last_step});
    }
}

// Returns whether the waiter is done.
bool DrainWaiters::advance(Waiter& waiter, const Agent& agent) {
    // Cheap, for this is asked after every turn and of every VIP.
    const std::uint64_t fingerprint = agent.drain_fingerprint();
    if (std::exchange(waiter.fingerprint, fingerprint) == fingerprint) {
        return false;
    }
    const Now now = read_clocks();
    bool is_running = false;
    int exit = 0;
    std::string why;
    const std::vector<DrainProgress> all = agent.drain_progress(waiter.vips);
    if (all.size() < waiter.vips.size()) {
        finish(*waiter.responder, 1, "a reload has removed or renamed a VIP; the drain goes on");
        return true;
    }
    std::string steps;
    for (const DrainProgress& progress : all) {
        json::object document = step_document(progress);
        std::string& last = waiter.last_line[progress.vip];
        if (std::string line = json::serialize(document); line != last) {
            last = std::move(line);
            document["at"] = to_rfc3339(now.wall);
            document["left_s"] =
                progress.deadline
                    ? json::value(
                          std::max(0.0,
                                   std::chrono::duration<double>(*progress.deadline - now.monotonic)
                                       .count()))
                    : json::value(nullptr);
            steps += json::serialize(document) + "\n";
        }
        is_running = is_running || progress.outcome == DrainOutcome::Running;
        // Cancelled (1) outweighs the deadline (4): the VIP may be in service again.
        const int status = exit_status(progress.outcome);
        if (status == 1 || (status == 4 && exit == 0)) {
            exit = status;
            why = progress.vip + ": " + message_of(progress);
        }
    }
    if (!waiter.responder->write(steps)) {
        return true; // the client is gone, the drain goes on
    }
    if (is_running) {
        return false;
    }
    finish(*waiter.responder, exit, exit == 0 ? "drained" : why, waiter.unsaved);
    return true;
}

bool DrainWaiters::advance(PeerWaiter& waiter, Agent& agent) {
    const std::optional<PeerView> view = agent.peer(waiter.peer);
    if (!view) {
        finish(*waiter.responder, 1, "a reload has removed or renamed " + waiter.peer);
        return true;
    }
    vip::DrainRequest asked;
    asked.peer = waiter.peer;
    if (const std::string why = agent.why_drain_ended(asked); !why.empty()) {
        finish(*waiter.responder, 1, why);
        return true;
    }
    const bool is_withdrawn = view->use == PeerUse::Withdrawn;
    const bool is_over =
        is_withdrawn && (!view->peer->is_established() || view->peer->withdrawals_acknowledged());
    const std::string_view step = is_over        ? "finished"
                                  : is_withdrawn ? "withdrawn"
                                                 : "graceful-shutdown";
    // No step is left out, however soon the next one comes: a script may wait for each.
    const std::array<std::string_view, 3> steps{"graceful-shutdown", "withdrawn", "finished"};
    const std::array<std::string_view, 3> messages{
        "announced with GRACEFUL_SHUTDOWN",
        "withdrawn, waiting for the router's acknowledgement",
        "nothing is announced to it any more"};
    const auto last = std::ranges::find(steps, waiter.last_step);
    std::size_t next = last == steps.end() ? 0 : static_cast<std::size_t>(last - steps.begin()) + 1;
    for (; next < steps.size() && waiter.last_step != step; ++next) {
        waiter.last_step = steps.at(next);
        const json::object document{{"peer", waiter.peer},
                                    {"step", waiter.last_step},
                                    {"message", messages.at(next)},
                                    {"at", to_rfc3339(read_clocks().wall)}};
        if (!waiter.responder->write(json::serialize(document) + "\n")) {
            return true;
        }
    }
    if (is_over) {
        finish(*waiter.responder, 0, "drained", waiter.unsaved);
    }
    return is_over;
}

} // namespace anyvip::cmd
