// SPDX-License-Identifier: Apache-2.0
// The state machine: a nested switch over states and events, total by -Wswitch-enum. The actions
// are in session_actions.cpp.
#include "bgp/session/session.hpp"

#include <string>
#include <utility>

namespace anyvip::bgp {

namespace {

/// RFC 2385 §4.1: a segment with a wrong signature, or without one, is dropped without an answer.
std::string silence(const PeerConfig& config) {
    return config.has_password
               ? "no answer; a wrong or missing password on either side looks just like this"
               : "no answer";
}

} // namespace

void Session::handle(Event event, const Cause& cause, Instant now) {
    switch (state_) {
    case SessionState::Idle:
        return in_idle(event, now);
    case SessionState::Connect:
        return in_connect(event, cause, now);
    case SessionState::Active:
        return in_active(event, cause, now);
    case SessionState::OpenSent:
        return in_open_sent(event, cause, now);
    case SessionState::OpenConfirm:
        return in_open_confirm(event, cause, now);
    case SessionState::Established:
        return in_established(event, cause, now);
    }
}

void Session::in_idle(Event event, Instant now) {
    switch (event) {
    case Event::AutomaticStart:
        attempt(now);
        break;
    case Event::AutomaticStartPassive:
        state_ = SessionState::Active;
        break;
    // RFC 4271 §8.2.2: the stops are ignored, and so are leftovers of a former connection.
    case Event::ManualStop:
    case Event::AutomaticStop:
    case Event::ConnectRetryTimerExpires:
    case Event::HoldTimerExpires:
    case Event::KeepaliveTimerExpires:
    case Event::TcpCrAcked:
    case Event::TcpConnectionConfirmed:
    case Event::TcpConnectionFails:
    case Event::BgpOpen:
    case Event::BgpHeaderErr:
    case Event::BgpOpenMsgErr:
    case Event::OpenCollisionDump:
    case Event::NotifMsgVerErr:
    case Event::NotifMsg:
    case Event::KeepAliveMsg:
    case Event::UpdateMsg:
    case Event::UpdateMsgErr:
    case Event::SendHoldTimerExpires:
    case Event::RouteRefreshMsg:
        break;
    }
}

void Session::in_connect(Event event, const Cause& cause, Instant now) {
    switch (event) {
    case Event::AutomaticStart:
    case Event::AutomaticStartPassive:
        break;
    case Event::ConnectRetryTimerExpires:
        host_->push(AbortConnectAction{});
        host_->on_attempt_failed(slot_, silence(host_->config()), now);
        attempt(now);
        break;
    case Event::TcpCrAcked:
    case Event::TcpConnectionConfirmed:
        send_open(now);
        break;
    case Event::TcpConnectionFails:
        back_to_active(cause, now);
        break;
    // Without a connection there is nobody to notify. The message events cannot come.
    case Event::ManualStop:
    case Event::AutomaticStop:
    case Event::OpenCollisionDump:
    case Event::HoldTimerExpires:
    case Event::KeepaliveTimerExpires:
    case Event::BgpOpen:
    case Event::BgpHeaderErr:
    case Event::BgpOpenMsgErr:
    case Event::NotifMsgVerErr:
    case Event::NotifMsg:
    case Event::KeepAliveMsg:
    case Event::UpdateMsg:
    case Event::UpdateMsgErr:
    case Event::SendHoldTimerExpires:
    case Event::RouteRefreshMsg:
        host_->push(AbortConnectAction{});
        forget();
        break;
    }
}

void Session::in_active(Event event, const Cause& cause, Instant now) {
    switch (event) {
    case Event::AutomaticStart:
    case Event::AutomaticStartPassive:
        break;
    case Event::ConnectRetryTimerExpires:
        attempt(now);
        break;
    case Event::TcpCrAcked:
    case Event::TcpConnectionConfirmed:
        send_open(now);
        break;
    case Event::TcpConnectionFails:
        back_to_active(cause, now);
        break;
    case Event::ManualStop:
    case Event::AutomaticStop:
    case Event::OpenCollisionDump:
    case Event::HoldTimerExpires:
    case Event::KeepaliveTimerExpires:
    case Event::BgpOpen:
    case Event::BgpHeaderErr:
    case Event::BgpOpenMsgErr:
    case Event::NotifMsgVerErr:
    case Event::NotifMsg:
    case Event::KeepAliveMsg:
    case Event::UpdateMsg:
    case Event::UpdateMsgErr:
    case Event::SendHoldTimerExpires:
    case Event::RouteRefreshMsg:
        forget();
        break;
    }
}

void Session::in_open_sent(Event event, const Cause& cause, Instant now) {
    switch (event) {
    case Event::ManualStop:
    case Event::AutomaticStop:
    case Event::BgpHeaderErr:
    case Event::BgpOpenMsgErr:
    case Event::OpenCollisionDump:
        end_with(cause.notification.value_or(wire::Notification{}), cause.reason, now);
        break;
    case Event::HoldTimerExpires:
        hold_timer_expired(now);
        break;
    case Event::TcpConnectionFails:
        // Not Idle: the router may just have been busy, no back-off.
        back_to_active(cause, now);
        break;
    case Event::BgpOpen:
        confirm_open(now);
        break;
    case Event::NotifMsgVerErr:
    case Event::NotifMsg:
        // DEVIATION RFC 4271 §8.2.2: event 25 is no FSM error here, for a NOTIFICATION is never
        // answered (§6.4).
        end_silently(
            {state_, cause.reason, cause.notification, false, cause.is_protocol_error}, true, now);
        break;
    case Event::KeepAliveMsg:
        unexpected(wire::MessageType::Keepalive, now);
        break;
    case Event::UpdateMsg:
    case Event::UpdateMsgErr:
        unexpected(wire::MessageType::Update, now);
        break;
    case Event::RouteRefreshMsg:
        unexpected(wire::MessageType::RouteRefresh, now);
        break;
    // Starts are ignored; these timers do not run and this slot has its connection.
    case Event::AutomaticStart:
    case Event::AutomaticStartPassive:
    case Event::ConnectRetryTimerExpires:
    case Event::KeepaliveTimerExpires:
    case Event::TcpCrAcked:
    case Event::TcpConnectionConfirmed:
    case Event::SendHoldTimerExpires:
        break;
    }
}

void Session::in_open_confirm(Event event, const Cause& cause, Instant now) {
    switch (event) {
    case Event::ManualStop:
    case Event::AutomaticStop:
    case Event::BgpHeaderErr:
    case Event::BgpOpenMsgErr:
    case Event::OpenCollisionDump:
        end_with(cause.notification.value_or(wire::Notification{}), cause.reason, now);
        break;
    case Event::HoldTimerExpires:
        hold_timer_expired(now);
        break;
    case Event::KeepaliveTimerExpires:
        send_keepalive(now);
        break;
    case Event::TcpConnectionFails:
        end_silently({state_, cause.reason, std::nullopt, false}, false, now);
        break;
    case Event::NotifMsgVerErr:
    case Event::NotifMsg:
        end_silently(
            {state_, cause.reason, cause.notification, false, cause.is_protocol_error}, true, now);
        break;
    case Event::KeepAliveMsg:
        establish(now);
        break;
    case Event::BgpOpen:
        unexpected(wire::MessageType::Open, now);
        break;
    case Event::UpdateMsg:
    case Event::UpdateMsgErr:
        unexpected(wire::MessageType::Update, now);
        break;
    case Event::RouteRefreshMsg:
        unexpected(wire::MessageType::RouteRefresh, now);
        break;
    case Event::AutomaticStart:
    case Event::AutomaticStartPassive:
    case Event::ConnectRetryTimerExpires:
    case Event::TcpCrAcked:
    case Event::TcpConnectionConfirmed:
    case Event::SendHoldTimerExpires:
        break;
    }
}

void Session::in_established(Event event, const Cause& cause, Instant now) {
    switch (event) {
    case Event::ManualStop:
    case Event::AutomaticStop:
    case Event::BgpHeaderErr: // RFC 4271 §6.1 wins over §8.2.2, which says FSM error
    case Event::BgpOpenMsgErr:
    case Event::OpenCollisionDump:
    case Event::UpdateMsgErr:
        end_with(cause.notification.value_or(wire::Notification{}), cause.reason, now);
        break;
    case Event::HoldTimerExpires:
        hold_timer_expired(now);
        break;
    case Event::SendHoldTimerExpires:
        // RFC 9687 §4: 8/0 is optional, and no octet of it could leave a socket that is stuck.
        host_->push(CloseAction{.slot = slot_, .graceful = false, .last_octets = {}});
        end_silently({state_, cause.reason, std::nullopt, true}, false, now);
        break;
    case Event::KeepaliveTimerExpires:
        send_keepalive(now);
        break;
    case Event::TcpConnectionFails:
        end_silently({state_, cause.reason, std::nullopt, false}, false, now);
        break;
    case Event::NotifMsgVerErr:
    case Event::NotifMsg:
        end_silently(
            {state_, cause.reason, cause.notification, false, cause.is_protocol_error}, true, now);
        break;
    case Event::KeepAliveMsg:
    case Event::UpdateMsg:
    case Event::RouteRefreshMsg: // RFC 4271 §8.2.2 leaves it out; a sign of life all the same
        restart_hold(now);
        break;
    case Event::BgpOpen:
        unexpected(wire::MessageType::Open, now);
        break;
    case Event::AutomaticStart:
    case Event::AutomaticStartPassive:
    case Event::ConnectRetryTimerExpires:
    case Event::TcpCrAcked:
    case Event::TcpConnectionConfirmed:
        break;
    }
}

} // namespace anyvip::bgp
