// SPDX-License-Identifier: Apache-2.0
// Peer: the public face, and what it shows.
#include "bgp/session/peer.hpp"

#include "bgp/session/peer_impl.hpp"

namespace anyvip::bgp {

std::string_view to_string(SessionState state) {
    switch (state) {
    case SessionState::Idle:
        return "Idle";
    case SessionState::Connect:
        return "Connect";
    case SessionState::Active:
        return "Active";
    case SessionState::OpenSent:
        return "OpenSent";
    case SessionState::OpenConfirm:
        return "OpenConfirm";
    case SessionState::Established:
        return "Established";
    }
    return "Idle";
}

Peer::Peer(PeerConfig config, Speaker speaker, std::uint64_t seed, Instant now)
    : impl_(std::make_unique<Impl>(std::move(config), speaker, seed, now)) {}

Peer::~Peer() = default;
Peer::Peer(Peer&&) noexcept = default;
Peer& Peer::operator=(Peer&&) noexcept = default;

// ---- administration ----

void Peer::start(Instant now) {
    impl_->start(now);
    impl_->settle(now);
}

void Peer::stop(wire::Cease subcode, std::string_view message, Instant now) {
    impl_->is_started_ = false;
    impl_->is_deferred_ = false;
    impl_->idle_hold_.reset();
    impl_->end_all(Event::ManualStop, subcode, message, now);
    impl_->settle(now);
}

void Peer::defer() {
    impl_->is_deferred_ = !impl_->is_started_;
}

void Peer::reset(wire::Cease subcode, std::string_view message, Instant now) {
    const bool has_connection = impl_->session(Slot::Outgoing).has_connection() ||
                                impl_->session(Slot::Incoming).has_connection();
    if (has_connection) {
        impl_->end_all(Event::AutomaticStop, subcode, message, now);
        impl_->start_incoming(now);
    } else {
        // An attempt under way may go to a former address or bear a former key; a pause or a
        // back-off is nothing that the operator wants to wait for.
        impl_->stop_outgoing(now);
        impl_->start_outgoing(now);
    }
    impl_->settle(now);
}

void Peer::resend_all(Instant now) {
    impl_->routes_.request_resend(Family::Ipv4);
    impl_->routes_.request_resend(Family::Ipv6);
    impl_->refill(now);
    impl_->settle(now);
}

void Peer::reconfigure(PeerConfig config, Instant now) {
    impl_->reconfigure(std::move(config), now);
    impl_->settle(now);
}

std::vector<std::string> Peer::needs_reset(const PeerConfig& before, const PeerConfig& after) {
    std::vector<std::string> keys;
    const auto compare = [&keys](std::string_view key, const auto& one, const auto& two) {
        if (!(one == two)) {
            keys.emplace_back(key);
        }
    };
    compare("asn", before.remote_as, after.remote_as);
    compare("hold_time", before.hold_time, after.hold_time);
    compare("families", before.families, after.families);
    compare("extended_next_hop", before.extended_next_hop, after.extended_next_hop);
    compare("role", before.role, after.role);
    compare("password", before.has_password, after.has_password);
    return keys;
}

void Peer::set_speaker(Speaker speaker) {
    impl_->speaker_ = speaker;
}

Speaker Peer::speaker() const {
    const Session* session = impl_->established();
    return session == nullptr ? impl_->speaker_ : session->speaker();
}

// ---- transport ----

bool Peer::accepts_inbound() const {
    return impl_->judge_inbound() == Impl::Inbound::Accept;
}

bool Peer::defers_inbound() const {
    return impl_->judge_inbound() == Impl::Inbound::Defer;
}

std::vector<std::uint8_t> Peer::rejection() const {
    switch (impl_->judge_inbound()) {
    case Impl::Inbound::Accept:
    case Impl::Inbound::Defer:
    case Impl::Inbound::RejectSilently:
        return {};
    case Impl::Inbound::Reject:
        return wire::encode_notification(wire::cease(wire::Cease::ConnectionRejected));
    case Impl::Inbound::RejectCollision:
        return wire::encode_notification(wire::cease(wire::Cease::ConnectionCollisionResolution));
    }
    return {};
}

void Peer::connected(Slot slot, const Endpoints& endpoints, Instant now) {
    if (slot == Slot::Incoming) {
        impl_->inbound(endpoints, now);
    } else if (impl_->session(slot).state() == SessionState::Connect) {
        impl_->session(slot).connected(endpoints, now);
    } else {
        // The attempt was given up in the meantime.
        impl_->push(CloseAction{.slot = slot, .graceful = false, .last_octets = {}});
    }
    impl_->settle(now);
}

void Peer::inbound_refused(std::string_view why, Instant now) {
    impl_->diagnostics_.warn_once("inbound connection refused: " + std::string(why), now);
}

void Peer::connect_failed(std::string_view reason, Instant now) {
    if (impl_->session(Slot::Outgoing).state() == SessionState::Connect) {
        closed(Slot::Outgoing, reason, now);
    }
}

void Peer::received(Slot slot, std::span<const std::uint8_t> octets, Instant now) {
    impl_->session(slot).receive(octets, now);
    impl_->refill(now); // ROUTE-REFRESH: however many came at once, one answer
    impl_->settle(now);
}

void Peer::closed(Slot slot, std::string_view reason, Instant now) {
    impl_->session(slot).handle(
        Event::TcpConnectionFails, {std::nullopt, std::string(reason)}, now);
    impl_->settle(now);
}

std::span<const std::uint8_t> Peer::output(Slot slot) const {
    return impl_->session(slot).output().pending();
}

void Peer::sent(Slot slot, std::size_t octets, Instant now) {
    impl_->session(slot).sent(octets);
    impl_->refill(now);
}

void Peer::unacknowledged(Slot slot, std::size_t octets, Instant now) {
    Session& session = impl_->session(slot);
    const std::uint64_t sent = session.output().sent();
    const std::uint64_t acknowledged = sent - std::min<std::uint64_t>(sent, octets);
    if (session.state() == SessionState::Established) {
        impl_->routes_.acknowledged(acknowledged, now);
    }
    session.acknowledged(acknowledged, now);
}

bool Peer::wants_acknowledgement(Slot slot) const {
    return impl_->session(slot).state() == SessionState::Established &&
           impl_->routes_.wants_acknowledgement();
}

// ---- time ----

std::optional<Instant> Peer::next_deadline() const {
    return impl_->next_deadline();
}

void Peer::tick(Instant now) {
    impl_->tick(now);
    impl_->settle(now);
}

// ---- routes ----

void Peer::want(const Prefix& prefix, RouteIntentPtr intent) {
    impl_->routes_.want(prefix, std::move(intent));
}

void Peer::flush(Instant now) {
    impl_->refill(now);
}

void Peer::allow_end_of_rib(Instant now) {
    impl_->routes_.allow_end_of_rib();
    impl_->refill(now);
}

bool Peer::is_advertised(const Prefix& prefix) const {
    const Session* session = impl_->established();
    return session && impl_->routes_.rib().is_advertised(prefix, session->output().sent());
}

bool Peer::has_unwritten_withdrawals() const {
    const Session* session = impl_->established();
    return session && impl_->routes_.has_withdrawals_after(session->output().sent());
}

bool Peer::withdrawals_acknowledged() const {
    return impl_->routes_.withdrawals_acknowledged();
}

void Peer::watch(std::set<Prefix> prefixes) {
    impl_->watch(std::move(prefixes));
}

const Paths& Peer::paths() const {
    return impl_->reception_.paths();
}

bool Peer::has_received_end_of_rib(Family family) const {
    return impl_->reception_.has_end_of_rib(family);
}

std::shared_ptr<const wire::PathAttributes> Peer::advertised(const Prefix& prefix) const {
    return impl_->routes_.rib().advertised(prefix);
}

// ---- observation ----

bool Peer::is_established() const {
    return impl_->established() != nullptr;
}

const Endpoints* Peer::endpoints() const {
    const Session* session = impl_->established();
    return session ? &session->endpoints() : nullptr;
}

bool Peer::can_announce(Family family) const {
    return impl_->routes_.can_announce(family);
}

PeerStatus Peer::status() const {
    return impl_->status();
}

bool Peer::has_connection(Slot slot) const {
    return impl_->session(slot).has_connection();
}

const PeerConfig& Peer::config() const {
    return impl_->config_;
}

std::vector<Action> Peer::take_actions() {
    return std::exchange(impl_->actions_, {});
}

std::vector<PeerEvent> Peer::take_events() {
    return impl_->diagnostics_.take_events();
}

} // namespace anyvip::bgp
