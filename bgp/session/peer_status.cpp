// SPDX-License-Identifier: Apache-2.0
// What a peer shows of itself.
#include <algorithm>

#include "bgp/session/peer_impl.hpp"

namespace anyvip::bgp {

namespace {

/// The most advanced connection; nullptr when none has got beyond its OPEN.
const Session* best_of(const Session& one, const Session& two) {
    const Session& best = one.state() >= two.state() ? one : two;
    return best.state() >= SessionState::OpenConfirm ? &best : nullptr;
}

} // namespace

SessionState Peer::Impl::state() const {
    const Session& outgoing = session(Slot::Outgoing);
    const Session& incoming = session(Slot::Incoming);
    if (outgoing.has_connection() || incoming.has_connection()) {
        return std::max(outgoing.state(), incoming.state());
    }
    if (idle_hold_) {
        return SessionState::Idle;
    }
    return config_.passive ? incoming.state() : outgoing.state();
}

Session* Peer::Impl::established() {
    const auto found = std::ranges::find(sessions_, SessionState::Established, &Session::state);
    return found == sessions_.end() ? nullptr : &*found;
}

const Session* Peer::Impl::established() const {
    const auto found = std::ranges::find(sessions_, SessionState::Established, &Session::state);
    return found == sessions_.end() ? nullptr : &*found;
}

void Peer::Impl::settle(Instant now) {
    const SessionState current = state();
    if (current != last_state_) {
        last_state_ = current;
        since_ = now;
    }
}

PeerStatus Peer::Impl::status() const {
    PeerStatus status;
    diagnostics_.describe(status);
    status.state = state();
    status.since = since_;
    status.resets = resets_;
    status.messages = counters_;
    status.advertised = routes_.rib().advertised_count();
    status.received_prefixes = reception_.prefixes();
    const Session& outgoing = session(Slot::Outgoing);
    status.next_attempt =
        outgoing.state() == SessionState::Active ? outgoing.connect_retry_deadline() : idle_hold_;
    const Session* best = best_of(session(Slot::Outgoing), session(Slot::Incoming));
    if (!best) {
        return status;
    }
    const Negotiated& negotiated = best->negotiated();
    status.remote_asn = negotiated.remote_asn;
    status.remote_id = negotiated.remote_id;
    status.hold_time = negotiated.hold_time;
    status.families = negotiated.families;
    status.four_octet_asn = negotiated.four_octet_asn;
    status.enhanced_route_refresh = negotiated.enhanced_route_refresh;
    status.extended_next_hop = negotiated.extended_next_hop;
    status.add_path = negotiated.add_path;
    status.peer_graceful_restart = negotiated.peer_graceful_restart;
    status.endpoints = best->endpoints();
    for (const Family family : {Family::Ipv4, Family::Ipv6}) {
        const std::size_t index = std::to_underlying(family);
        std::string& problem = status.family_problem[index];
        problem = config_.families[index] && !negotiated.families[index]
                      ? "the router does not offer it"
                      : routes_.problem(family);
        if (problem.empty() && best->is_disabled(family)) {
            problem = "received routes ignored since a malformed MP_REACH_NLRI or MP_UNREACH_NLRI";
        }
    }
    return status;
}

} // namespace anyvip::bgp
