// SPDX-License-Identifier: Apache-2.0
// What the state machine does: timers, messages that it sends by itself, ways to end.
#include <algorithm>
#include <array>
#include <utility>

#include "bgp/limits.hpp"
#include "bgp/session/session.hpp"

namespace anyvip::bgp {

namespace {

constexpr std::uint8_t code_hold_timer_expired = 4;
constexpr std::uint8_t code_fsm_error = 5;

std::string_view name_of(wire::MessageType type) {
    switch (type) {
    case wire::MessageType::Open:
        return "OPEN";
    case wire::MessageType::Update:
        return "UPDATE";
    case wire::MessageType::Notification:
        return "NOTIFICATION";
    case wire::MessageType::Keepalive:
        return "KEEPALIVE";
    case wire::MessageType::RouteRefresh:
        return "ROUTE-REFRESH";
    }
    return "message";
}

} // namespace

void Session::attempt(Instant now) {
    connect_retry_ = now + host_->config().connect_timeout;
    state_ = SessionState::Connect;
    host_->push(ConnectAction{});
}

void Session::connected(const Endpoints& endpoints, Instant now) {
    endpoints_ = endpoints;
    handle(slot_ == Slot::Outgoing ? Event::TcpCrAcked : Event::TcpConnectionConfirmed, {}, now);
}

void Session::send_open(Instant now) {
    connect_retry_.reset();
    state_ = SessionState::OpenSent;
    offered_ = make_open(host_->config(), host_->speaker(), host_->offers_capabilities(now));
    send(wire::MessageType::Open, wire::encode_open(offered_), now);
    hold_ = now + host_->config().open_hold;
}

void Session::back_to_active(const Cause& cause, Instant now) {
    forget();
    state_ = SessionState::Active;
    if (slot_ == Slot::Outgoing) {
        connect_retry_ = now + host_->connect_pause(now);
    }
    host_->on_attempt_failed(slot_, cause.reason, now);
}

void Session::confirm_open(Instant now) {
    state_ = SessionState::OpenConfirm;
    send_keepalive(now);
    if (negotiated_.hold_time.count() > 0) {
        restart_hold(now);
    }
    // Otherwise open_hold runs on: a router that falls silent now would keep this place for ever.
}

void Session::establish(Instant now) {
    state_ = SessionState::Established;
    restart_hold(now);
    output_grew(now);
    host_->on_established(slot_, now);
}

void Session::hold_timer_expired(Instant now) {
    std::string reason = "nothing received within the hold time";
    if (state_ == SessionState::OpenSent) {
        reason = "no OPEN within open_hold";
    } else if (negotiated_.hold_time.count() == 0) {
        reason = "no KEEPALIVE within open_hold";
    }
    end_with({.code = code_hold_timer_expired, .subcode = 0, .data = {}}, std::move(reason), now);
}

void Session::unexpected(wire::MessageType type, Instant now) {
    const auto subcode = static_cast<std::uint8_t>(std::to_underlying(state_) -
                                                   std::to_underlying(SessionState::OpenSent) + 1);
    end_with({.code = code_fsm_error, .subcode = subcode, .data = {std::to_underlying(type)}},
             "unexpected " + std::string(name_of(type)) + " in " + std::string(to_string(state_)),
             now);
}

void Session::end_with(wire::Notification notification, std::string reason, Instant now) {
    send(wire::MessageType::Notification, wire::encode_notification(notification), now);
    host_->push(CloseAction{.slot = slot_, .graceful = true, .last_octets = output_.take()});
    end_silently({state_, std::move(reason), std::move(notification), true}, false, now);
}

void Session::end_silently(const Ending& ending, bool needs_close, Instant now) {
    if (needs_close) {
        host_->push(CloseAction{.slot = slot_, .graceful = true, .last_octets = {}});
    }
    forget();
    host_->on_end(slot_, ending, now);
}

void Session::forget() {
    state_ = SessionState::Idle;
    connect_retry_.reset();
    hold_.reset();
    keepalive_.reset();
    send_hold_.reset();
    endpoints_ = {};
    negotiated_ = {};
    input_.clear();
    output_ = {};
    last_keepalive_end_ = 0;
    acknowledged_ = 0;
}

// ---- sending ----

void Session::send(wire::MessageType type, std::span<const std::uint8_t> message, Instant now) {
    output_.append(message);
    ++host_->counters().sent[std::to_underlying(type)];
    output_grew(now);
}

void Session::send_keepalive(Instant now) {
    // One that still waits for the socket is enough: a stuck peer must not fill our memory.
    if (last_keepalive_end_ <= output_.sent()) {
        send(wire::MessageType::Keepalive, wire::keepalive(), now);
        last_keepalive_end_ = output_.end();
    }
    restart_keepalive(now);
}

void Session::send_route_refresh(const wire::RouteRefresh& refresh, Instant now) {
    send(wire::MessageType::RouteRefresh, wire::encode_route_refresh(refresh), now);
}

void Session::updates_appended(std::size_t messages, Instant now) {
    if (messages > 0) {
        host_->counters().sent[std::to_underlying(wire::MessageType::Update)] += messages;
        restart_keepalive(now);
        output_grew(now);
    }
}

void Session::sent(std::size_t octets) {
    output_.consume(octets);
}

/// What the kernel has taken proves nothing: its buffer holds minutes of KEEPALIVEs and the routes
/// of many VIPs.
void Session::acknowledged(std::uint64_t position, Instant now) {
    if (position > acknowledged_) {
        acknowledged_ = position;
        send_hold_.reset();
    }
    output_grew(now);
}

/// RFC 9687 §4: the timer runs from the last progress on, while something is on its way.
void Session::output_grew(Instant now) {
    const auto limit = send_hold_time();
    if (limit && !send_hold_ && output_.end() > acknowledged_) {
        send_hold_ = now + *limit;
    }
}

std::optional<Duration> Session::send_hold_time() const {
    if (state_ != SessionState::Established || negotiated_.hold_time.count() == 0) {
        return std::nullopt;
    }
    if (host_->config().send_hold_time) {
        return *host_->config().send_hold_time;
    }
    return std::max<Duration>(limits::send_hold_least, 2 * negotiated_.hold_time);
}

// ---- time ----

void Session::restart_hold(Instant now) {
    hold_.reset();
    if (negotiated_.hold_time.count() > 0) {
        hold_ = now + negotiated_.hold_time;
    }
}

void Session::restart_keepalive(Instant now) {
    keepalive_.reset();
    if (negotiated_.hold_time.count() > 0) {
        const Duration third = Duration{negotiated_.hold_time} / 3;
        keepalive_ = now + std::max<Duration>(limits::keepalive_least, host_->jittered(third));
    }
}

std::optional<Instant> Session::next_deadline() const {
    std::optional<Instant> next;
    for (const auto& deadline : {connect_retry_, hold_, keepalive_, send_hold_}) {
        if (deadline && (!next || *deadline < *next)) {
            next = deadline;
        }
    }
    return next;
}

void Session::tick(Instant now) {
    const auto expired = [now](const std::optional<Instant>& deadline) {
        return deadline && *deadline <= now;
    };
    if (expired(connect_retry_)) {
        handle(Event::ConnectRetryTimerExpires, {}, now);
    }
    if (expired(hold_)) {
        handle(Event::HoldTimerExpires, {}, now);
    }
    if (expired(send_hold_)) {
        handle(Event::SendHoldTimerExpires,
               {.notification = std::nullopt, .reason = "Send Hold Timer Expired"},
               now);
    }
    if (expired(keepalive_)) {
        handle(Event::KeepaliveTimerExpires, {}, now);
    }
}

} // namespace anyvip::bgp
