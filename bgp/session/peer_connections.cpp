// SPDX-License-Identifier: Apache-2.0
// The two connections of a peer: when to dial, which one gives way, how long to wait after an end.
#include <algorithm>
#include <array>

#include "bgp/limits.hpp"
#include "bgp/session/peer_impl.hpp"

namespace anyvip::bgp {

namespace {

constexpr std::uint8_t code_open_error = 2;
constexpr std::uint8_t subcode_unsupported_parameter = 4;
constexpr std::uint8_t subcode_unsupported_capability = 7;
constexpr std::uint8_t code_state_machine_error = 5;
constexpr std::uint8_t code_cease = 6;

bool is(const wire::Notification& notification, std::uint8_t code, std::uint8_t subcode) {
    return notification.code == code && notification.subcode == subcode;
}

/// The router said that it did it on purpose: it will be back, or it will dial us.
bool is_deliberate(const wire::Notification& notification) {
    constexpr std::array deliberate{wire::Cease::AdministrativeShutdown,
                                    wire::Cease::PeerDeconfigured,
                                    wire::Cease::AdministrativeReset,
                                    wire::Cease::OtherConfigurationChange,
                                    wire::Cease::OutOfResources};
    return notification.code == code_cease &&
           std::ranges::find(deliberate, wire::Cease{notification.subcode}) != deliberate.end();
}

/// FRR answers so to an OPEN that comes while it starts, before its own side has noticed the
/// connection. No session existed and nothing is wrong with ours: it is one more failed attempt.
/// A router that says it again means it.
bool is_not_ready(const Ending& ending) {
    return !ending.sent && ending.was == SessionState::OpenSent &&
           ending.notification->code == code_state_machine_error;
}

bool is_collision(const wire::Notification& notification) {
    return is(
        notification, code_cease, std::to_underlying(wire::Cease::ConnectionCollisionResolution));
}

} // namespace

void Peer::Impl::start(Instant now) {
    if (std::exchange(is_started_, true)) {
        return;
    }
    is_deferred_ = false;
    connect_pause_.forget();
    backoff_.forget();
    may_be_starting_ = true;
    start_incoming(now);
    start_outgoing(now);
}

void Peer::Impl::end_all(Event event, wire::Cease subcode, std::string_view message, Instant now) {
    const Cause cause{wire::cease(subcode, message), std::string(message)};
    for (Session& each : sessions_) {
        each.handle(event, cause, now);
    }
}

void Peer::Impl::start_incoming(Instant now) {
    if (is_started_ && config_.listens) {
        session(Slot::Incoming).handle(Event::AutomaticStartPassive, {}, now);
    }
}

void Peer::Impl::start_outgoing(Instant now) {
    idle_hold_.reset();
    if (is_started_ && !config_.passive &&
        session(Slot::Incoming).state() < SessionState::OpenConfirm) {
        session(Slot::Outgoing).handle(Event::AutomaticStart, {}, now);
    }
}

/// The other connection has got so far that no second one is wanted.
void Peer::Impl::stop_outgoing(Instant now) {
    idle_hold_.reset();
    if (!session(Slot::Outgoing).has_connection()) {
        session(Slot::Outgoing).handle(Event::AutomaticStop, {}, now);
    }
}

Peer::Impl::Inbound Peer::Impl::judge_inbound() const {
    if (!is_started_ && !is_deferred_) {
        return Inbound::Reject;
    }
    if (!config_.listens) {
        return Inbound::RejectSilently;
    }
    if (!is_started_) {
        return Inbound::Defer;
    }
    const Session& incoming = session(Slot::Incoming);
    switch (incoming.state()) {
    case SessionState::Idle:
    case SessionState::Connect:
    case SessionState::Active:
        return Inbound::Accept;
    case SessionState::OpenSent:
        return Inbound::Accept; // the router has given up its first one
    case SessionState::OpenConfirm:
        return Inbound::RejectCollision;
    case SessionState::Established:
        // RFC 4724 §5: a router that can restart gracefully has done so.
        return incoming.negotiated().peer_graceful_restart ? Inbound::Accept
                                                           : Inbound::RejectCollision;
    }
    return Inbound::RejectSilently;
}

void Peer::Impl::inbound(const Endpoints& endpoints, Instant now) {
    if (judge_inbound() != Inbound::Accept) {
        push(CloseAction{.slot = Slot::Incoming, .graceful = true, .last_octets = {}});
        return;
    }
    Session& incoming = session(Slot::Incoming);
    Session& outgoing = session(Slot::Outgoing);
    const Cause replaced{std::nullopt, "replaced by a new connection of the router"};
    if (incoming.has_connection()) {
        incoming.handle(Event::TcpConnectionFails, replaced, now);
    }
    if (outgoing.state() == SessionState::Established &&
        outgoing.negotiated().peer_graceful_restart) {
        // RFC 4724 §5: the old connection is dead; no NOTIFICATION.
        push(CloseAction{.slot = Slot::Outgoing, .graceful = false, .last_octets = {}});
        outgoing.handle(Event::TcpConnectionFails, replaced, now);
    }
    incoming.connected(endpoints, now);
}

bool Peer::Impl::survives_collision(Slot slot, const Negotiated& peer, Instant now) {
    Session& rival = other(slot);
    switch (rival.state()) {
    case SessionState::Idle:
    case SessionState::Connect:
    case SessionState::Active:
        if (slot == Slot::Incoming) {
            stop_outgoing(now);
        }
        return true;
    case SessionState::OpenSent:
        return true; // decided when the rival's OPEN comes
    case SessionState::OpenConfirm: {
        // RFC 4271 §6.8 with RFC 6286 §2.3: the connection of the side with the larger identifier
        // stays, of equal ones that with the larger AS number. What counts is who dialled, not
        // which connection is the newer one.
        const Speaker self = session(slot).speaker();
        const bool is_ours_larger =
            std::pair{self.router_id, self.asn} > std::pair{peer.remote_id, peer.remote_asn};
        const Slot winner = is_ours_larger ? Slot::Outgoing : Slot::Incoming;
        if (winner != slot) {
            return false;
        }
        rival.handle(Event::OpenCollisionDump,
                     {wire::cease(wire::Cease::ConnectionCollisionResolution),
                      "the other connection of this peer goes on"},
                     now);
        return true;
    }
    case SessionState::Established:
        return false;
    }
    return false;
}

Duration Peer::Impl::connect_pause(Instant now) {
    return jitter_(connect_pause_.next(config_, now));
}

bool Peer::Impl::offers_capabilities(Instant now) const {
    return !without_capabilities_until_ || now >= *without_capabilities_until_ ||
           !can_go_without_capabilities(config_, speaker_); // a reload may ask for more
}

void Peer::Impl::on_attempt_failed(Slot slot, const std::string& reason, Instant now) {
    const bool is_beaten = other(slot).state() >= SessionState::OpenConfirm;
    if (slot == Slot::Outgoing && (is_beaten || config_.passive)) {
        stop_outgoing(now); // `passive` may have come with a reload while this one was open
        connect_pause_.forget();
        return;
    }
    if (is_beaten) {
        return; // the other connection is the session, or about to be
    }
    std::string text = (slot == Slot::Outgoing ? "connection failed: " : "inbound connection: ");
    text += reason.empty() ? "closed" : reason;
    diagnostics_.ended(
        {.was = SessionState::Active, .reason = text, .notification = std::nullopt, .sent = false},
        now);
    diagnostics_.warn_once(text, now);
}

void Peer::Impl::on_end(Slot slot, const Ending& ending, Instant now) {
    const bool is_lost_collision =
        ending.notification && is_collision(*ending.notification) && other(slot).has_connection();
    // The other connection is the session, or about to be: whatever ended this one is no news.
    const bool is_redundant =
        ending.was != SessionState::Established && other(slot).state() >= SessionState::OpenConfirm;
    if (!is_lost_collision && !is_redundant) {
        const std::string line = diagnostics_.ended(ending, now);
        if (ending.was == SessionState::Established) {
            diagnostics_.event(PeerDown{line});
        } else {
            diagnostics_.warn_once("session not established: " + line, now);
        }
    }
    if (ending.was == SessionState::Established) {
        ++resets_;
        backoff_.was_established(now - established_at_);
        may_be_starting_ = true;
        routes_.end();
        asks_for_routes_ = {};
        if (reception_.end()) {
            diagnostics_.event(PathsChanged{});
        }
    }
    if (!is_redundant) {
        consider_fallback(ending, now);
    }
    if (!is_started_) {
        return;
    }
    if (other(slot).state() < SessionState::OpenConfirm) {
        const Duration pause = is_lost_collision ? connect_pause(now) : pause_after(ending, now);
        stop_outgoing(now);
        if (!config_.passive && !session(Slot::Outgoing).has_connection()) {
            idle_hold_ = now + pause;
        }
    }
    if (slot == Slot::Incoming) {
        start_incoming(now);
    }
}

Duration Peer::Impl::pause_after(const Ending& ending, Instant now) {
    if (ending.is_protocol_error) {
        return jitter_(backoff_.next());
    }
    if (!ending.notification || (is_not_ready(ending) && std::exchange(may_be_starting_, false))) {
        return connect_pause(now);
    }
    if (!ending.sent && is(*ending.notification, code_open_error, subcode_unsupported_capability)) {
        // DEVIATION RFC 5492 §3: a VIP node goes on trying, but slowly.
        diagnostics_.warn("the router refuses our capabilities; trying again in a minute");
        return jitter_(limits::backoff_last);
    }
    const Duration wait = jitter_(backoff_.next());
    return !ending.sent && is_deliberate(*ending.notification)
               ? std::min<Duration>(wait, limits::backoff_after_cease)
               : wait;
}

/// RFC 5492 §3: a router that refuses optional parameters may know none. It may have sent its own
/// OPEN before it read ours: then we are in OpenConfirm.
void Peer::Impl::consider_fallback(const Ending& ending, Instant now) {
    const bool was_opening =
        ending.was == SessionState::OpenSent || ending.was == SessionState::OpenConfirm;
    if (!was_opening || !ending.notification || ending.sent ||
        !is(*ending.notification, code_open_error, subcode_unsupported_parameter) ||
        !offers_capabilities(now) || !can_go_without_capabilities(config_, speaker_)) {
        return;
    }
    without_capabilities_until_ = now + limits::capability_fallback;
    diagnostics_.warn("the router refuses optional parameters; trying without capabilities");
}

void Peer::Impl::reconfigure(PeerConfig config, Instant now) {
    const bool was_passive = config_.passive;
    const std::uint32_t former_limit = config_.max_received;
    config_ = std::move(config);
    if (!is_started_) {
        return;
    }
    if (config_.passive) {
        stop_outgoing(now);
    } else if (was_passive) {
        start_outgoing(now);
    }
    Session& incoming = session(Slot::Incoming);
    if (!config_.listens && !incoming.has_connection()) {
        incoming.handle(Event::AutomaticStop, {}, now);
    }
    start_incoming(now);
    if (Session* session = established()) {
        apply_next_hops(*session);
        if (config_.max_received != former_limit) {
            apply_limit(*session, former_limit, now);
        }
    }
}

void Peer::Impl::tick(Instant now) {
    check_withdraw_flush(now);
    for (Session& each : sessions_) {
        each.tick(now);
    }
    if (idle_hold_ && *idle_hold_ <= now) {
        start_outgoing(now);
    }
    if (const auto poll = routes_.poll_deadline(); poll && *poll <= now) {
        routes_.poll_expired(now);
    }
}

std::optional<Instant> Peer::Impl::next_deadline() const {
    std::optional<Instant> next;
    for (const auto& deadline : {sessions_[0].next_deadline(),
                                 sessions_[1].next_deadline(),
                                 idle_hold_,
                                 routes_.poll_deadline(),
                                 withdraw_flush_deadline()}) {
        if (deadline && (!next || *deadline < *next)) {
            next = deadline;
        }
    }
    return next;
}

} // namespace anyvip::bgp
