// SPDX-License-Identifier: Apache-2.0
// The graceful stop: withdraw with the sessions up, serve on until traffic has ended, Cease, take
// the addresses off (CONTRACT section 1).
#include <chrono>

#include "cmd/agent/impl.hpp"

namespace anyvip::cmd {

namespace {

using namespace std::chrono_literals;

/// The kernel has this long to take addresses and routes off.
constexpr auto removal_limit = 1s;

} // namespace

void Agent::Impl::stop(Instant now) {
    if (stopping == Stop::None) {
        stopping = Stop::Lingering;
        checks.stop();
        mark_all();
        return;
    }
    if (stopping == Stop::Lingering) {
        stop_give_up_at = now; // a second signal waits for nothing
    }
}

void Agent::Impl::advance_stop(Instant now) {
    if (stopping == Stop::Lingering) {
        const bool is_hasty = stop_give_up_at && now >= *stop_give_up_at;
        if (!is_hasty && peers.has_established() && !is_all_traffic_over(now)) {
            return;
        }
        stopping = Stop::Removing;
        stop_give_up_at = now + removal_limit;
        peers.flush(now);
        peers.stop_all("anyvip on " + config.node.name + " stops", now);
        mark_all();
        refresh_marked(now);
        addresses.tick(limits(), true, now);
        default_routes.settle(peers, true, now);
    }
    const bool is_clean = !addresses.has_owned() && !default_routes.has_installed();
    if (stopping == Stop::Removing && (is_clean || now >= *stop_give_up_at)) {
        stopping = Stop::Done;
        stop_give_up_at.reset();
        outbox.outputs.emplace_back(Stopped{});
    }
}

} // namespace anyvip::cmd
