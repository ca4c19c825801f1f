// SPDX-License-Identifier: Apache-2.0
// From octets to events: cutting the stream, decoding what the state allows, judging.
#include <algorithm>
#include <utility>

#include "bgp/session/session.hpp"

namespace anyvip::bgp {

namespace {

wire::Notification notification_for(const wire::Error& error) {
    return {.code = error.code, .subcode = error.subcode, .data = error.data};
}

} // namespace

void Session::receive(std::span<const std::uint8_t> octets, Instant now) {
    // Complete messages are read where they lie; only an incomplete one is copied.
    std::vector<std::uint8_t> joined;
    if (!input_.empty()) {
        joined = std::exchange(input_, {});
        joined.insert(joined.end(), octets.begin(), octets.end());
        octets = joined;
    }
    while (has_connection()) {
        const auto frame = wire::next_frame(octets, negotiated_.enhanced_route_refresh);
        if (!frame) {
            header_error(octets, frame.error(), now);
            return;
        }
        if (!*frame) {
            input_.assign(octets.begin(), octets.end());
            return;
        }
        octets = octets.subspan((*frame)->whole.size());
        ++host_->counters().received[std::to_underlying((*frame)->type)];
        dispatch(**frame, now);
    }
}

void Session::header_error(std::span<const std::uint8_t> stream,
                           const wire::Error& error,
                           Instant now) {
    constexpr std::size_t type_offset = wire::header_octets - 1;
    host_->on_malformed(
        stream.first(std::min(stream.size(), wire::max_message_octets)), std::span(&error, 1), now);
    const bool is_synchronized = error.code != 1 || error.subcode != 1;
    if (is_synchronized && stream.size() >= wire::header_octets &&
        stream[type_offset] == std::to_underlying(wire::MessageType::Notification)) {
        // RFC 4271 §6.4: an error in a NOTIFICATION is never answered.
        const Cause cause{.notification = std::nullopt,
                          .reason = "malformed NOTIFICATION received",
                          .is_protocol_error = true};
        handle(Event::NotifMsg, cause, now);
        return;
    }
    handle(Event::BgpHeaderErr, {notification_for(error), error.detail}, now);
}

void Session::dispatch(const wire::Frame& frame, Instant now) {
    switch (frame.type) {
    case wire::MessageType::Open:
        open_received(frame, now);
        break;
    case wire::MessageType::Update:
        update_received(frame, now);
        break;
    case wire::MessageType::Notification:
        notification_received(frame, now);
        break;
    case wire::MessageType::Keepalive:
        handle(Event::KeepAliveMsg, {}, now);
        break;
    case wire::MessageType::RouteRefresh:
        handle(Event::RouteRefreshMsg, {}, now);
        if (state_ == SessionState::Established) {
            host_->on_route_refresh(wire::decode_route_refresh(frame.body));
        }
        break;
    }
}

void Session::open_received(const wire::Frame& frame, Instant now) {
    if (state_ != SessionState::OpenSent) {
        handle(Event::BgpOpen, {}, now);
        return;
    }
    const auto refuse = [&](const wire::Error& error) {
        host_->on_malformed(frame.whole, std::span(&error, 1), now);
        handle(Event::BgpOpenMsgErr, {notification_for(error), error.detail}, now);
    };
    const auto open = wire::decode_open(frame.body);
    if (!open) {
        refuse(open.error());
        return;
    }
    auto negotiated = negotiate(offered_, *open, host_->config());
    if (!negotiated) {
        refuse(negotiated.error());
        return;
    }
    if (!host_->survives_collision(slot_, *negotiated, now)) {
        handle(Event::OpenCollisionDump,
               {wire::cease(wire::Cease::ConnectionCollisionResolution),
                "the other connection of this peer goes on"},
               now);
        return;
    }
    negotiated_ = std::move(*negotiated);
    decoding_ = {.local_asn = speaker().asn,
                 .peer_asn = negotiated_.remote_asn,
                 .is_internal = negotiated_.is_internal,
                 .four_octet_asn = negotiated_.four_octet_asn,
                 .add_path = negotiated_.add_path,
                 .families = negotiated_.families,
                 .extended_next_hop = negotiated_.extended_next_hop,
                 .strict = false,
                 .role = negotiated_.is_internal ? std::nullopt : host_->config().role};
    handle(Event::BgpOpen, {}, now);
}

void Session::update_received(const wire::Frame& frame, Instant now) {
    if (state_ != SessionState::Established) {
        handle(Event::UpdateMsg, {}, now);
        return;
    }
    decoding_.strict = host_->config().strict_rfc4271;
    // Also of a session that has come from a program that did not look at it.
    decoding_.role = negotiated_.is_internal ? std::nullopt : host_->config().role;
    const wire::Update update = wire::decode_update(frame.body, decoding_);
    if (!update.errors.empty()) {
        host_->on_malformed(frame.whole, update.errors, now);
    }
    if (update.verdict == wire::Severity::Reset) {
        const wire::Error& error = update.errors.front();
        handle(Event::UpdateMsgErr, {notification_for(error), error.detail}, now);
        return;
    }
    handle(Event::UpdateMsg, {}, now);
    host_->on_update(slot_, update, now);
}

void Session::notification_received(const wire::Frame& frame, Instant now) {
    constexpr std::uint8_t code_open_error = 2;
    constexpr std::uint8_t subcode_version = 1;
    Cause cause{.notification = wire::decode_notification(frame.body), .reason = {}};
    if (!cause.notification) {
        cause.reason = "malformed NOTIFICATION received";
        cause.is_protocol_error = true;
        handle(Event::NotifMsg, cause, now);
        return;
    }
    cause.reason = wire::describe_data(*cause.notification);
    const bool is_version_error = cause.notification->code == code_open_error &&
                                  cause.notification->subcode == subcode_version;
    handle(is_version_error ? Event::NotifMsgVerErr : Event::NotifMsg, cause, now);
}

} // namespace anyvip::bgp
