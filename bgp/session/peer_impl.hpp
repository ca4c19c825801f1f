// SPDX-License-Identifier: Apache-2.0
// The inside of Peer: two sessions, when the next attempt is due, and the halves that send and
// receive routes.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bgp/session/backoff.hpp"
#include "bgp/session/diagnostics.hpp"
#include "bgp/session/peer.hpp"
#include "bgp/session/reception.hpp"
#include "bgp/session/routes.hpp"
#include "bgp/session/session.hpp"

namespace anyvip::bgp {

struct Peer::Impl final : SessionHost {
    Impl(PeerConfig config, Speaker speaker, std::uint64_t seed, Instant now)
        : config_(std::move(config)), speaker_(speaker), jitter_(seed), since_(now) {}

    // ---- what sessions ask and tell ----
    [[nodiscard]] const PeerConfig& config() const override { return config_; }

    [[nodiscard]] const Speaker& speaker() const override { return speaker_; }

    MessageCounters& counters() override { return counters_; }

    [[nodiscard]] Duration jittered(Duration full) override { return jitter_(full); }

    [[nodiscard]] Duration connect_pause(Instant now) override;

    void push(Action action) override { actions_.push_back(std::move(action)); }

    [[nodiscard]] bool offers_capabilities(Instant now) const override;
    [[nodiscard]] bool survives_collision(Slot slot, const Negotiated& peer, Instant now) override;
    void on_established(Slot slot, Instant now) override;
    void on_update(Slot slot, const wire::Update& update, Instant now) override;
    void on_route_refresh(const wire::RouteRefresh& refresh) override;
    void on_malformed(std::span<const std::uint8_t> message,
                      std::span<const wire::Error> errors,
                      Instant now) override;
    void on_attempt_failed(Slot slot, const std::string& reason, Instant now) override;
    void on_end(Slot slot, const Ending& ending, Instant now) override;

    // ---- connections, see peer_connections.cpp ----
    void start(Instant now);
    void end_all(Event event, wire::Cease subcode, std::string_view message, Instant now);
    void start_outgoing(Instant now);
    void start_incoming(Instant now);
    void stop_outgoing(Instant now);
    void inbound(const Endpoints& endpoints, Instant now);
    /// How a new inbound connection is met.
    enum class Inbound : std::uint8_t { Accept, Defer, Reject, RejectCollision, RejectSilently };
    [[nodiscard]] Inbound judge_inbound() const;
    [[nodiscard]] Duration pause_after(const Ending& ending, Instant now);
    void consider_fallback(const Ending& ending, Instant now);
    void reconfigure(PeerConfig config, Instant now);
    void tick(Instant now);
    [[nodiscard]] std::optional<Instant> next_deadline() const;

    // ---- routes, see peer_routes.cpp ----
    void apply_next_hops(Session& session);
    void end_over_limit(Session& session, Instant now);
    void apply_limit(Session& session, std::uint32_t former, Instant now);
    void refill(Instant now);
    void ask_for_routes(Session& session, Instant now);
    void check_withdraw_flush(Instant now);
    [[nodiscard]] std::optional<Instant> withdraw_flush_deadline() const;
    void watch(std::set<Prefix> prefixes);

    // ---- views ----
    [[nodiscard]] SessionState state() const;
    [[nodiscard]] PeerStatus status() const;

    /// The jitter starts anew; actions and events have been taken.
    template <class Archive> void transfer(Archive& archive) {
        archive.field(1, session(Slot::Outgoing));
        archive.field(2, session(Slot::Incoming));
        archive.field(3, is_started_);
        archive.field(4, idle_hold_);
        archive.field(5, connect_pause_);
        archive.field(6, backoff_);
        archive.field(7, without_capabilities_until_);
        archive.field(8, routes_);
        archive.field(9, asks_for_routes_);
        archive.field(10, reception_);
        archive.field(11, diagnostics_);
        archive.field(12, counters_);
        archive.choice(13, last_state_, SessionState::Established);
        archive.field(14, since_);
        archive.field(15, established_at_);
        archive.field(16, resets_);
        archive.field(17, may_be_starting_);
        archive.field(18, is_deferred_);
        if constexpr (Archive::is_loading) {
            actions_.clear();
            if (session(Slot::Outgoing).state() == SessionState::Connect) {
                push(ConnectAction{}); // an attempt does not go over, it is made again
            }
        }
    }

    /// Every call that may change the state ends with this.
    void settle(Instant now);

    [[nodiscard]] Session& session(Slot slot) { return sessions_[std::to_underlying(slot)]; }

    [[nodiscard]] const Session& session(Slot slot) const {
        return sessions_[std::to_underlying(slot)];
    }

    [[nodiscard]] Session& other(Slot slot) {
        return session(slot == Slot::Outgoing ? Slot::Incoming : Slot::Outgoing);
    }

    /// nullptr when there is none.
    [[nodiscard]] Session* established();
    [[nodiscard]] const Session* established() const;

    PeerConfig config_;
    Speaker speaker_;
    Jitter jitter_;
    std::array<Session, 2> sessions_{Session{Slot::Outgoing, *this},
                                     Session{Slot::Incoming, *this}};

    bool is_started_ = false;
    bool is_deferred_ = false;         ///< not started, but about to be
    std::optional<Instant> idle_hold_; ///< the outgoing connection is not tried before
    ConnectPause connect_pause_;
    Backoff backoff_;
    bool may_be_starting_ = true; ///< the router, as far as we have seen: see `pause_after`
    std::optional<Instant> without_capabilities_until_;

    Routes routes_;
    std::array<bool, 2> asks_for_routes_{}; ///< by Family: send ROUTE-REFRESH with the next flush
    Reception reception_;
    Diagnostics diagnostics_;
    MessageCounters counters_;
    std::vector<Action> actions_;

    SessionState last_state_ = SessionState::Idle;
    Instant since_;
    Instant established_at_;
    std::uint64_t resets_ = 0;
};

} // namespace anyvip::bgp
