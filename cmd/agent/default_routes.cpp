// SPDX-License-Identifier: Apache-2.0
// Which next hops are wanted (CONTRACT section 2, `default_route`).
#include "cmd/agent/default_routes.hpp"

#include <algorithm>
#include <limits>
#include <ranges>
#include <tuple>

namespace anyvip::cmd {

namespace {

constexpr std::array both_families{Family::Ipv4, Family::Ipv6};

[[nodiscard]] bool is_connected(const IpAddress& address, const bgp::Endpoints& ends) {
    const bool is_own = address == ends.local || address == ends.interface_ipv4 ||
                        address == ends.interface_ipv6 || address == ends.interface_link_local;
    return !is_own && std::ranges::any_of(ends.local_subnets, [&](const Prefix& subnet) {
        return subnet.contains(address);
    });
}

struct Usable {
    std::optional<vip::NextHop> next_hop;
    std::string problem;
};

/// A link-local next hop is on the session's link; any other must be on one of its subnets.
[[nodiscard]] Usable usable_next_hop(const bgp::ObservedPath& path,
                                     const bgp::Endpoints& ends,
                                     std::uint8_t multihop,
                                     bgp::Asn local) {
    if (std::ranges::find(path.as_path, local) != path.as_path.end()) {
        return {{}, "its AS path contains our own AS"}; // RFC 4271 §9.1.2
    }
    if (!path.next_hop) {
        return {{}, "it has no usable next hop"};
    }
    if (ends.interface.empty()) {
        return {{}, "the interface towards the router is not known"};
    }
    const bool is_link_local = path.next_hop->is_v6() && path.next_hop->is_link_local();
    if (!is_link_local && is_connected(*path.next_hop, ends)) {
        return {vip::NextHop{*path.next_hop, ends.interface}, {}};
    }
    const std::optional<IpAddress> on_link =
        is_link_local ? path.next_hop : path.link_local_next_hop;
    if (on_link && multihop == 0 && on_link != ends.interface_link_local) {
        return {vip::NextHop{*on_link, ends.interface}, {}};
    }
    return {{},
            "its next hop " + to_string(*path.next_hop) + " is on no connected subnet of " +
                ends.interface};
}

/// Of several paths of one router (RFC 7911) the best one, in the order of RFC 4271 §9.1.2.2.
[[nodiscard]] auto rank(const bgp::ObservedPath& path) {
    return std::tuple(path.is_graceful_shutdown, // RFC 8326 §4.2: de-preferred
                      std::numeric_limits<std::uint32_t>::max() - path.local_pref.value_or(100),
                      path.path_length,
                      path.med.value_or(0),
                      path.path_id);
}

[[nodiscard]] DefaultRouteOffer offer_of(const PeerRecord& record, Family family) {
    DefaultRouteOffer offer{.peer = record.entry.session.name,
                            .family = family,
                            .metric = record.entry.default_route_metric,
                            .next_hop = std::nullopt,
                            .is_graceful_shutdown = false,
                            .is_taken_out = record.use == PeerUse::Withdrawn,
                            .problem = "its session is not established"};
    const bgp::Endpoints* ends = record.peer.endpoints();
    if (ends == nullptr) {
        return offer;
    }
    const auto found = record.peer.paths().all().find(vip::default_prefix(family));
    if (found == record.peer.paths().all().end() || found->second.empty()) {
        offer.problem = record.peer.has_received_end_of_rib(family) ? "it sends none"
                                                                    : "it has sent none so far";
        return offer;
    }
    const bgp::ObservedPath* best = nullptr;
    for (const bgp::ObservedPath& path : found->second | std::views::values) {
        Usable usable =
            usable_next_hop(path, *ends, record.entry.session.multihop, record.peer.speaker().asn);
        if (!usable.next_hop) {
            offer.problem = best == nullptr ? std::move(usable.problem) : offer.problem;
            continue;
        }
        if (best == nullptr || rank(path) < rank(*best)) {
            best = &path;
            offer.next_hop = std::move(usable.next_hop);
            offer.is_graceful_shutdown = path.is_graceful_shutdown;
            offer.problem.clear();
        }
    }
    return offer;
}

} // namespace

std::vector<DefaultRouteOffer> DefaultRoutes::offers(const PeerSet& peers) {
    std::vector<DefaultRouteOffer> result;
    for (const auto& record : peers.all()) {
        if (!record->entry.default_route) {
            continue;
        }
        for (const Family family : both_families) {
            if (record->entry.session.families[static_cast<std::size_t>(family)]) {
                result.push_back(offer_of(*record, family));
            }
        }
    }
    return result;
}

void DefaultRoutes::observed(const vip::DefaultRouteKey& key,
                             const vip::NextHops& next_hops,
                             std::string_view hidden_by,
                             Instant now) {
    if (next_hops.empty() && !slots_.contains(key)) {
        return;
    }
    const auto [place, is_new] = slots_.try_emplace(key);
    Slot& slot = place->second;
    if (is_new) {
        // Left by a run before, or put there by somebody under our protocol number.
        Wanted& wanted = wanted_[static_cast<std::size_t>(key.family)];
        for (const vip::NextHop& next_hop : next_hops) {
            wanted[key.metric].try_emplace(next_hop, nullptr);
        }
        slot.since = now;
        tell(key,
             slot,
             "default_route.adopted",
             to_string(next_hops) + " was there from a run before",
             now);
        slot.held.want(next_hops);
    }
    switch (slot.held.observed(next_hops, now)) {
    case vip::HeldRoute::Change::Nothing:
        break;
    case vip::HeldRoute::Change::Changed:
        slot.since = now;
        if (!is_new) {
            tell(key, slot, "default_route.changed", to_string(next_hops), now);
        }
        break;
    case vip::HeldRoute::Change::TakenAway:
        slot.since = now;
        tell(key,
             slot,
             "default_route.removed",
             slot.held.problem().empty()
                 ? "another program removed it, or its interface went down; it is put back"
                 : slot.held.problem(),
             now);
        break;
    }
    slot.hidden_by = hidden_by;
    tell_problem(key, slot, now);
}

void DefaultRoutes::failed(const vip::DefaultRouteKey& key, std::string_view reason, Instant now) {
    if (const auto found = slots_.find(key); found != slots_.end()) {
        found->second.held.failed(reason, now);
        tell_problem(key, found->second, now);
    }
}

void DefaultRoutes::tell_problem(const vip::DefaultRouteKey& key, Slot& slot, Instant now) {
    std::string problem = slot.held.problem();
    if (problem.empty() && !slot.hidden_by.empty()) {
        problem = "hidden by " + slot.hidden_by;
    }
    if (problem == slot.told) {
        return;
    }
    slot.told = problem;
    if (!problem.empty()) {
        tell(key, slot, "default_route.problem", problem, now);
    }
}

void DefaultRoutes::tell(const vip::DefaultRouteKey& key,
                         Slot& slot,
                         EventName event,
                         const std::string& reason,
                         Instant now) {
    slot.last_event = std::string(event.what()) + ": " + reason;
    outbox_.event(now,
                  event,
                  to_string(vip::default_prefix(key.family)),
                  reason,
                  {{"metric", std::to_string(key.metric)}});
}

/// For `explain`: since when a router has offered what it offers.
void DefaultRoutes::note(const DefaultRouteOffer& offer, PeerRecord& record, Instant now) {
    record.offer_tracks.at(static_cast<std::size_t>(offer.family))
        .note(offer.next_hop ? to_string(vip::NextHops{*offer.next_hop}) : offer.problem,
              record.peer.is_established() ? "an UPDATE of the router" : "its session ended",
              now);
}

/// What is left when nobody offers anything: better than no route at all, also when a reload has
/// taken its router away and the next one has not said anything yet. With the last `default_route`
/// it goes.
DefaultRoutes::Wanted DefaultRoutes::last_of(Family family, const PeerSet& peers) const {
    const auto& all = peers.all();
    const bool is_used =
        std::ranges::any_of(all, [](const auto& record) { return record->entry.default_route; });
    if (!is_used) {
        return {};
    }
    Wanted kept;
    for (const auto& [metric, next_hops] : wanted_[static_cast<std::size_t>(family)]) {
        for (const auto& [next_hop, from] : next_hops) {
            const auto record =
                std::ranges::find_if(all, [&](const auto& other) { return other.get() == from; });
            const bool is_known = record != all.end() && (*record)->entry.default_route;
            kept[is_known ? (*record)->entry.default_route_metric : metric].emplace(
                next_hop, is_known ? from : nullptr);
        }
    }
    return kept;
}

void DefaultRoutes::settle(const PeerSet& peers, bool is_over, Instant now) {
    const auto& all = peers.all();
    const bool is_used =
        std::ranges::any_of(all, [](const auto& record) { return record->entry.default_route; });
    if (!is_used && slots_.empty()) {
        return;
    }
    std::array<Wanted, 2> offered;
    const std::vector<DefaultRouteOffer> current = offers(peers);
    for (const DefaultRouteOffer& offer : current) {
        const auto record = std::ranges::find_if(
            all, [&](const auto& other) { return other->entry.session.name == offer.peer; });
        note(offer, **record, now);
    }
    // A router that asks for it by GRACEFUL_SHUTDOWN is used only when no other is left.
    for (const bool is_leaving : {false, true}) {
        const std::array was_empty{offered[0].empty(), offered[1].empty()};
        for (const DefaultRouteOffer& offer : current) {
            const auto family = static_cast<std::size_t>(offer.family);
            if (!is_over && offer.next_hop && !offer.is_taken_out && was_empty.at(family) &&
                offer.is_graceful_shutdown == is_leaving) {
                const auto record = std::ranges::find_if(all, [&](const auto& other) {
                    return other->entry.session.name == offer.peer;
                });
                offered.at(family)[offer.metric].emplace(*offer.next_hop, record->get());
            }
        }
    }
    for (const Family family : both_families) {
        const auto index = static_cast<std::size_t>(family);
        is_last_.at(index) = !is_over && offered.at(index).empty();
        wanted_.at(index) =
            is_last_.at(index) ? last_of(family, peers) : std::move(offered.at(index));
        for (const auto& [metric, next_hops] : wanted_.at(index)) {
            const auto [place, is_new] = slots_.try_emplace({family, metric});
            if (is_new) {
                place->second.since = now;
            }
        }
    }
    for (auto& [key, slot] : slots_) {
        vip::NextHops next_hops;
        const Wanted& wanted = wanted_[static_cast<std::size_t>(key.family)];
        if (const auto found = wanted.find(key.metric); found != wanted.end()) {
            for (const auto& [next_hop, from] : found->second) {
                next_hops.insert(next_hop);
            }
        }
        slot.held.want(std::move(next_hops));
        slot.held.tick(now);
    }
    // What is new first: a route of another metric goes only when its successor is there.
    for (const bool is_removal : {false, true}) {
        for (auto& [key, slot] : slots_) {
            if (slot.held.wanted().empty() == is_removal) {
                step(key, slot, now);
            }
        }
    }
    std::erase_if(slots_, [](const auto& entry) {
        return entry.second.held.wanted().empty() && entry.second.held.present().empty();
    });
}

void DefaultRoutes::step(const vip::DefaultRouteKey& key, Slot& slot, Instant now) {
    if (slot.held.wanted().empty()) {
        const bool has_successor = std::ranges::any_of(slots_, [&](const auto& other) {
            return other.first.family == key.family && !other.second.held.wanted().empty();
        });
        const bool is_replaced = std::ranges::any_of(slots_, [&](const auto& other) {
            return other.first.family == key.family && !other.second.held.wanted().empty() &&
                   !other.second.held.present().empty();
        });
        if (has_successor && !is_replaced) {
            return;
        }
    }
    if (const auto next_hops = slot.held.next_step(now)) {
        outbox_.outputs.emplace_back(SetDefaultRoute{key, *next_hops});
    }
}

std::vector<vip::DefaultRouteKey> DefaultRoutes::present() const {
    std::vector<vip::DefaultRouteKey> keys;
    for (const auto& [key, slot] : slots_) {
        if (!slot.held.present().empty()) {
            keys.push_back(key);
        }
    }
    return keys;
}

std::array<DefaultRoutes::Names, 2> DefaultRoutes::names() const {
    std::array<Names, 2> result;
    for (const Family family : both_families) {
        const auto index = static_cast<std::size_t>(family);
        for (const auto& [metric, next_hops] : wanted_.at(index)) {
            for (const auto& [next_hop, from] : next_hops) {
                result.at(index)[metric][next_hop] =
                    from == nullptr ? std::string() : from->entry.session.name;
            }
        }
    }
    return result;
}

void DefaultRoutes::take_over(const std::array<Names, 2>& names, PeerSet& peers) {
    wanted_ = {};
    for (const Family family : both_families) {
        const auto index = static_cast<std::size_t>(family);
        for (const auto& [metric, next_hops] : names.at(index)) {
            for (const auto& [next_hop, from] : next_hops) {
                wanted_.at(index)[metric][next_hop] = peers.find(from);
            }
        }
    }
}

std::optional<Instant> DefaultRoutes::next_deadline() const {
    std::optional<Instant> next;
    for (const auto& [key, slot] : slots_) {
        next = earlier(next, slot.held.next_deadline());
    }
    return next;
}

bool DefaultRoutes::has_installed() const {
    return std::ranges::any_of(
        slots_, [](const auto& entry) { return !entry.second.held.present().empty(); });
}

std::vector<DefaultRouteView> DefaultRoutes::routes(const PeerSet& peers) const {
    std::vector<DefaultRouteView> views;
    for (const auto& [key, slot] : slots_) {
        const auto family = static_cast<std::size_t>(key.family);
        DefaultRouteView view{.key = key,
                              .next_hops = {},
                              .is_last = is_last_.at(family) && !slot.held.wanted().empty(),
                              .since = slot.since,
                              .last_event = slot.last_event,
                              .problem = slot.held.problem(),
                              .hidden_by = slot.hidden_by};
        vip::NextHops all = slot.held.wanted();
        all.insert(slot.held.present().begin(), slot.held.present().end());
        for (const vip::NextHop& next_hop : all) {
            DefaultRouteView::Hop hop{.next_hop = next_hop,
                                      .peer = {},
                                      .is_installed = slot.held.present().contains(next_hop)};
            const Wanted& wanted = wanted_.at(family);
            if (const auto metric = wanted.find(key.metric); metric != wanted.end()) {
                const auto from = metric->second.find(next_hop);
                const auto record = std::ranges::find_if(peers.all(), [&](const auto& other) {
                    return from != metric->second.end() && other.get() == from->second;
                });
                hop.peer = record == peers.all().end() ? "" : (*record)->entry.session.name;
            }
            view.next_hops.push_back(std::move(hop));
        }
        views.push_back(std::move(view));
    }
    return views;
}

} // namespace anyvip::cmd
