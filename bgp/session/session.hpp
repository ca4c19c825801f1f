// SPDX-License-Identifier: Apache-2.0
// The state machine of ONE connection (RFC 4271 §8.2.2). Timers are deadlines; what concerns the
// whole peer (collision, back-off, routes) is asked of, or told to, its SessionHost.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "bgp/session/event.hpp"
#include "bgp/session/negotiate.hpp"
#include "bgp/session/output.hpp"
#include "bgp/session/peer.hpp"
#include "bgp/wire/framer.hpp"
#include "bgp/wire/update.hpp"

namespace anyvip::bgp {

/// How a connection came to its end.
struct Ending {
    SessionState was = SessionState::Idle;
    std::string reason;                             ///< one line for the operator
    std::optional<wire::Notification> notification; ///< none: transport or timeout
    bool sent = false;                              ///< the notification came from us
    bool is_protocol_error = false;                 ///< of the peer, without a notification
};

/// What a session needs of its peer.
class SessionHost {
  public:
    SessionHost() = default;
    SessionHost(const SessionHost&) = delete;
    SessionHost& operator=(const SessionHost&) = delete;

    [[nodiscard]] virtual const PeerConfig& config() const = 0;
    [[nodiscard]] virtual const Speaker& speaker() const = 0;
    virtual MessageCounters& counters() = 0;
    [[nodiscard]] virtual Duration jittered(Duration full) = 0;
    /// Pause before the next attempt, with jitter, growing.
    [[nodiscard]] virtual Duration connect_pause(Instant now) = 0;

    virtual void push(Action action) = 0;
    /// Not while the peer is known to refuse them (RFC 5492 §3).
    [[nodiscard]] virtual bool offers_capabilities(Instant now) const = 0;

    /// A valid OPEN came; may this connection go on? Ends the other one if that has to give way
    /// (RFC 4271 §6.8).
    [[nodiscard]] virtual bool
    survives_collision(Slot slot, const Negotiated& peer, Instant now) = 0;
    virtual void on_established(Slot slot, Instant now) = 0;
    /// A judged UPDATE whose verdict is not Reset.
    virtual void on_update(Slot slot, const wire::Update& update, Instant now) = 0;
    virtual void on_route_refresh(const wire::RouteRefresh& refresh) = 0;
    virtual void on_malformed(std::span<const std::uint8_t> message,
                              std::span<const wire::Error> errors,
                              Instant now) = 0;
    /// The TCP connection failed before OPENs were exchanged; the session tries again by itself.
    virtual void on_attempt_failed(Slot slot, const std::string& reason, Instant now) = 0;
    /// The session is Idle now.
    virtual void on_end(Slot slot, const Ending& ending, Instant now) = 0;

  protected:
    ~SessionHost() = default;
};

class Session {
  public:
    Session(Slot slot, SessionHost& host) : slot_(slot), host_(&host) {}

    /// Events 2, 3, 5, 8, 18 and 23 come from the peer; the rest arises in here.
    void handle(Event event, const Cause& cause, Instant now);

    // ---- transport ----
    /// Event 16 or 17.
    void connected(const Endpoints& endpoints, Instant now);
    /// Any octets of the stream. Returns early when the session ends on the way.
    void receive(std::span<const std::uint8_t> octets, Instant now);
    /// The kernel took octets of `output()`.
    void sent(std::size_t octets);
    /// The peer's TCP has everything before this position of the stream.
    void acknowledged(std::uint64_t position, Instant now);

    // ---- time ----
    [[nodiscard]] std::optional<Instant> next_deadline() const;
    void tick(Instant now);

    // ---- sending ----
    [[nodiscard]] const Output& output() const { return output_; }

    /// For UPDATEs; `updates_appended` must follow.
    [[nodiscard]] Output& output() { return output_; }

    void updates_appended(std::size_t messages, Instant now);
    void send_route_refresh(const wire::RouteRefresh& refresh, Instant now);

    // ---- observation ----
    [[nodiscard]] SessionState state() const { return state_; }

    /// A TCP connection exists: OpenSent, OpenConfirm or Established.
    [[nodiscard]] bool has_connection() const { return state_ >= SessionState::OpenSent; }

    /// Who we are on this connection. Valid while `has_connection()`.
    [[nodiscard]] Speaker speaker() const { return speaker_in(offered_); }

    /// Valid from OpenConfirm on.
    [[nodiscard]] const Negotiated& negotiated() const { return negotiated_; }

    /// Valid while `has_connection()`.
    [[nodiscard]] const Endpoints& endpoints() const { return endpoints_; }

    [[nodiscard]] std::optional<Instant> connect_retry_deadline() const { return connect_retry_; }

    /// Received routes of this family are ignored from now on (RFC 7606 §2 «AFI/SAFI disable»).
    void disable(Family family) { decoding_.families[std::to_underlying(family)] = false; }

    [[nodiscard]] bool is_disabled(Family family) const {
        const std::size_t index = std::to_underlying(family);
        return state_ == SessionState::Established && negotiated_.families[index] &&
               !decoding_.families[index];
    }

    /// What goes over at an upgrade in place (cmd/handover).
    template <class Archive> void transfer(Archive& archive) {
        archive.choice(1, state_, SessionState::Established);
        archive.field(2, connect_retry_);
        archive.field(3, hold_);
        archive.field(4, keepalive_);
        archive.field(5, send_hold_);
        archive.field(6, endpoints_);
        archive.field(7, offered_);
        archive.field(8, negotiated_);
        archive.field(9, decoding_);
        archive.field(10, input_);
        archive.field(11, output_);
        archive.field(12, last_keepalive_end_);
        archive.field(13, acknowledged_);
        archive.require(input_.size() < wire::max_message_octets, "too much unread input");
    }

  private:
    // One function a state, in the order of RFC 4271 §8.2.2.
    void in_idle(Event event, Instant now);
    void in_connect(Event event, const Cause& cause, Instant now);
    void in_active(Event event, const Cause& cause, Instant now);
    void in_open_sent(Event event, const Cause& cause, Instant now);
    void in_open_confirm(Event event, const Cause& cause, Instant now);
    void in_established(Event event, const Cause& cause, Instant now);

    // Actions that several states share.
    void attempt(Instant now);
    void send_open(Instant now);
    void back_to_active(const Cause& cause, Instant now);
    void confirm_open(Instant now);
    void establish(Instant now);
    void hold_timer_expired(Instant now);
    /// RFC 6608: the subcode is the state, the data the type of the message.
    void unexpected(wire::MessageType type, Instant now);
    void end_with(wire::Notification notification, std::string reason, Instant now);
    void end_silently(const Ending& ending, bool needs_close, Instant now);

    // Input, see session_input.cpp.
    void dispatch(const wire::Frame& frame, Instant now);
    void open_received(const wire::Frame& frame, Instant now);
    void update_received(const wire::Frame& frame, Instant now);
    void notification_received(const wire::Frame& frame, Instant now);
    void header_error(std::span<const std::uint8_t> stream, const wire::Error& error, Instant now);

    void send(wire::MessageType type, std::span<const std::uint8_t> message, Instant now);
    void send_keepalive(Instant now);
    void output_grew(Instant now);
    void restart_hold(Instant now);
    void restart_keepalive(Instant now);
    [[nodiscard]] std::optional<Duration> send_hold_time() const;
    void forget();

    Slot slot_;
    SessionHost* host_;
    SessionState state_ = SessionState::Idle;

    std::optional<Instant> connect_retry_; ///< limit of an attempt in Connect, pause in Active
    std::optional<Instant> hold_;
    std::optional<Instant> keepalive_;
    std::optional<Instant> send_hold_; ///< runs while octets are not acknowledged

    Endpoints endpoints_;
    wire::Open offered_;
    Negotiated negotiated_;
    wire::DecodeContext decoding_;
    std::vector<std::uint8_t> input_; ///< an incomplete message
    Output output_;
    std::uint64_t last_keepalive_end_ = 0; ///< position in the stream
    std::uint64_t acknowledged_ = 0;       ///< position up to which it is known to be
};

} // namespace anyvip::bgp
