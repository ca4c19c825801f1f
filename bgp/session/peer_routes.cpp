// SPDX-License-Identifier: Apache-2.0
// Routes of a peer while a session is Established.
#include <algorithm>

#include "bgp/limits.hpp"
#include "bgp/session/next_hop.hpp"
#include "bgp/session/peer_impl.hpp"

namespace anyvip::bgp {

namespace {

constexpr std::array both_families{Family::Ipv4, Family::Ipv6};

} // namespace

void Peer::Impl::on_established(Slot slot, Instant now) {
    Session& winner = session(slot);
    if (slot == Slot::Incoming) {
        stop_outgoing(now);
    }
    established_at_ = now;
    connect_pause_.forget();
    const Negotiated& negotiated = winner.negotiated();
    PeerUp up{.hold_time = negotiated.hold_time, .families = {}};
    for (const Family family : both_families) {
        if (negotiated.families[std::to_underlying(family)]) {
            up.families.push_back(family);
        }
    }
    diagnostics_.event(std::move(up));
    for (const std::string& notice : negotiated.notices) {
        diagnostics_.warn(notice);
    }
    routes_.begin(negotiated, winner.speaker());
    apply_next_hops(winner);
    refill(now);
}

void Peer::Impl::apply_next_hops(Session& session) {
    const auto is_vip = [this](const IpAddress& address) {
        const Prefix host = Prefix::host(address);
        return routes_.wants(host) || reception_.paths().watched().contains(host);
    };
    const auto choose = [&](Family family) {
        return choose_next_hop(family, config_, session.endpoints(), session.negotiated(), is_vip);
    };
    Routes::NextHops next_hops{choose(Family::Ipv4), choose(Family::Ipv6)};
    for (const Family family : both_families) {
        const std::size_t index = std::to_underlying(family);
        if (session.negotiated().families[index] && !next_hops[index] &&
            routes_.problem(family) != next_hops[index].error()) {
            diagnostics_.warn(std::string(to_string(family)) +
                              " routes are not announced: " + next_hops[index].error());
        }
    }
    routes_.apply(config_.policy, std::move(next_hops));
}

void Peer::Impl::on_update(Slot slot, const wire::Update& update, Instant now) {
    Session& from = session(slot);
    if (reception_.update(update, from.negotiated().four_octet_asn, config_.max_received)) {
        diagnostics_.event(PathsChanged{});
    }
    if (update.verdict == wire::Severity::AfiSafiDisable && update.disabled) {
        from.disable(*update.disabled);
    }
    end_over_limit(from, now);
}

void Peer::Impl::end_over_limit(Session& session, Instant now) {
    if (config_.max_received > 0 && reception_.prefixes() > config_.max_received) {
        const std::string reason =
            "more than " + std::to_string(config_.max_received) + " prefixes received";
        session.handle(
            Event::AutomaticStop, {wire::cease(wire::Cease::MaximumPrefixes), reason}, now);
    }
}

/// `max_received` holds for what has come before, too.
void Peer::Impl::apply_limit(Session& session, std::uint32_t former, Instant now) {
    if (former > 0 && config_.max_received > 0) {
        end_over_limit(session, now);
    } else if (config_.max_received > 0) {
        // Without a limit no route is known by itself, and one that was announced twice has counted
        // twice. So they are asked for again, or, by a router that cannot, have to do as they are.
        if (session.negotiated().route_refresh) {
            asks_for_routes_ = {true, true};
        } else {
            end_over_limit(session, now);
        }
        reception_.forget_counts();
    } else {
        reception_.forget_known();
    }
}

void Peer::Impl::on_route_refresh(const wire::RouteRefresh& refresh) {
    // RFC 2918 §3: without RFC 7313 the octet of the subtype is reserved, and ignored.
    const Session* session = established();
    const bool has_subtypes = session && session->negotiated().enhanced_route_refresh;
    const auto is = [&](wire::RefreshSubtype subtype) {
        return refresh.subtype == std::to_underlying(subtype);
    };
    // RFC 2918 §4, RFC 7313 §5: families not negotiated and unknown subtypes are ignored.
    for (const Family family : both_families) {
        if (refresh.family != wire::afi_safi(family)) {
            continue;
        }
        if (!has_subtypes || is(wire::RefreshSubtype::Request)) {
            routes_.request_resend(family); // served when the octets at hand are read
        } else if (is(wire::RefreshSubtype::BeginOfRouteRefresh)) {
            // RFC 7313 §4: not before the End-of-RIB of a router that has told of restarts.
            if (!session->negotiated().peer_graceful_restart || reception_.has_end_of_rib(family)) {
                reception_.begin_refresh(family);
            }
        } else if (is(wire::RefreshSubtype::EndOfRouteRefresh) && reception_.end_refresh(family)) {
            diagnostics_.event(PathsChanged{});
        }
    }
}

void Peer::Impl::on_malformed(std::span<const std::uint8_t> message,
                              std::span<const wire::Error> errors,
                              Instant now) {
    diagnostics_.malformed(message, errors, now);
}

void Peer::Impl::refill(Instant now) {
    if (Session* session = established()) {
        ask_for_routes(*session, now);
        const auto refilled = routes_.refill(session->output(), now);
        counters_.sent[std::to_underlying(wire::MessageType::RouteRefresh)] += refilled.refreshes;
        session->updates_appended(refilled.updates, now);
    }
}

void Peer::Impl::ask_for_routes(Session& session, Instant now) {
    const auto asked = std::exchange(asks_for_routes_, {});
    for (const Family family : both_families) {
        const std::size_t index = std::to_underlying(family);
        if (asked[index] && session.negotiated().route_refresh &&
            session.negotiated().families[index]) {
            session.send_route_refresh({.family = wire::afi_safi(family), .subtype = 0}, now);
            if (!session.negotiated().enhanced_route_refresh) {
                reception_.begin_again(family); // otherwise BoRR says when
            }
        }
    }
}

/// RFC 9687's timer is far too slow for a dead service behind a stuck window: a withdraw that the
/// router's TCP does not take ends the connection, and with it the routes.
void Peer::Impl::check_withdraw_flush(Instant now) {
    const auto deadline = withdraw_flush_deadline();
    if (!deadline || *deadline > now) {
        return;
    }
    for (const Slot slot : {Slot::Outgoing, Slot::Incoming}) {
        if (session(slot).state() == SessionState::Established) {
            push(CloseAction{.slot = slot, .graceful = false, .last_octets = {}});
            session(slot).handle(Event::TcpConnectionFails,
                                 {std::nullopt, "a withdraw was not acknowledged in time"},
                                 now);
        }
    }
}

std::optional<Instant> Peer::Impl::withdraw_flush_deadline() const {
    const Session* session = established();
    const auto since = routes_.oldest_withdrawal();
    if (!session || !since) {
        return std::nullopt;
    }
    return *since + std::max<Duration>(limits::withdraw_flush_least,
                                       Duration{session->negotiated().hold_time} / 3);
}

void Peer::Impl::watch(std::set<Prefix> prefixes) {
    Paths& paths = reception_.paths();
    if (prefixes == paths.watched()) {
        return;
    }
    Session* session = established();
    for (const Prefix& prefix : prefixes) {
        if (session && !paths.watched().contains(prefix)) {
            // What came before the prefix was watched is gone: ask for it once more.
            asks_for_routes_[std::to_underlying(prefix.family())] = true;
        }
    }
    if (paths.watch(std::move(prefixes))) {
        diagnostics_.event(PathsChanged{});
    }
    if (session) {
        apply_next_hops(*session);
    }
}

} // namespace anyvip::bgp
