// SPDX-License-Identifier: Apache-2.0
// What the doctor asks the agent: sessions, BFD, learnt default routes, and what routers show of
// other nodes' paths beside ours.
#include <algorithm>
#include <ranges>

#include "cmd/daemon/doctor.hpp"
#include "cmd/daemon/wall_time.hpp"

namespace anyvip::cmd {
namespace {

using namespace std::chrono_literals;

/// BFD is given this long after BGP is up.
constexpr auto bfd_patience = 5s;
/// Of so many VIPs the conditions are looked through.
constexpr std::size_t examined_vips = 100;
/// Differences named one by one for each router.
constexpr std::size_t named_differences = 3;

std::string problem_of(const bgp::PeerStatus& status) {
    if (status.state != bgp::SessionState::Established) {
        const std::string state(bgp::to_string(status.state));
        return status.last_error
                   ? state + ", " + status.last_error->name +
                         (status.last_error->message.empty() ? ""
                                                             : ": " + status.last_error->message)
                   : state;
    }
    for (const std::string& problem : status.family_problem) {
        if (!problem.empty()) {
            return problem;
        }
    }
    return {};
}

std::string
bfd_problem_of(const Agent& agent, const PeerEntry& entry, const bgp::PeerStatus& status) {
    const std::optional<PeerView> view = agent.peer(entry.session.name);
    const bool is_due = status.state == bgp::SessionState::Established &&
                        read_clocks().monotonic - status.since > bfd_patience;
    if (!entry.bfd || !view || !is_due ||
        (view->bfd != BfdState::Down && view->bfd != BfdState::Init)) {
        return {};
    }
    return view->bfd == BfdState::Down
               ? "its BGP session is up, but BFD is down: no BFD packet of it arrives"
               : "its BGP session is up, but BFD stays at init: the router does not hear us";
}

/// The AS path that the router has for our route, as long as it would show it to us.
std::uint32_t own_path_length(const bgp::wire::PathAttributes& attributes, bool is_internal) {
    return attributes.path_count + (is_internal ? 0U : 1U); // it puts its own number in front
}

/// How another path compares with ours, empty: equal as far as is known. `is_worse`: ours is.
struct Comparison {
    std::string text;
    bool is_worse = false;
};

Comparison
compare(const bgp::ObservedPath& other, const bgp::wire::PathAttributes& own, bool is_internal) {
    const auto differ = [](std::string_view what, std::uint32_t theirs, std::uint32_t ours) {
        return std::string(what) + " " + std::to_string(theirs) + " of another node's path, " +
               std::to_string(ours) + " of ours";
    };
    if (is_internal && other.local_pref && own.local_pref && *other.local_pref != *own.local_pref) {
        return {differ("LOCAL_PREF", *other.local_pref, *own.local_pref),
                *own.local_pref < *other.local_pref};
    }
    const std::uint32_t length = own_path_length(own, is_internal);
    if (other.path_length != length) {
        return {differ("AS path length", other.path_length, length), length > other.path_length};
    }
    // RFC 4271 §9.1.2.2: a missing MED is the lowest. Routers of another AS do not pass it on.
    if (is_internal && other.med.value_or(0) != own.med.value_or(0)) {
        return {differ("MED", other.med.value_or(0), own.med.value_or(0)),
                own.med.value_or(0) > other.med.value_or(0)};
    }
    return {};
}

void compare_paths(const Agent& agent,
                   const bgp::Peer& peer,
                   const PeerEntry& entry,
                   DoctorSetup& setup) {
    const NodeConfig& node = agent.config().node;
    const std::optional<bgp::Asn> remote = peer.status().remote_asn;
    if (!remote || peer.paths().all().empty()) {
        return;
    }
    std::size_t named = 0;
    for (const auto& [prefix, paths] : peer.paths().all()) {
        const auto own = peer.advertised(prefix);
        if (!own || named >= named_differences) {
            continue;
        }
        for (const bgp::ObservedPath& path : paths | std::views::values) {
            const auto& marks = path.large_communities;
            const bool is_of_a_node =
                std::ranges::any_of(marks, [&](const bgp::LargeCommunity& mark) {
                    return mark.global == node.asn.value && mark.local1 == 1 &&
                           mark.local2 != node.router_id.value_or(bgp::RouterId{}).value;
                });
            const Comparison found = compare(path, *own, *remote == node.asn);
            if (!is_of_a_node || path.is_graceful_shutdown || found.text.empty()) {
                continue;
            }
            (found.is_worse ? setup.unequal : setup.less_equal)
                .push_back({to_string(prefix) + " at " + entry.session.name, found.text});
            ++named;
            break;
        }
    }
}

void default_route_troubles(const Agent& agent, DoctorSetup& setup) {
    for (const DefaultRouteView& route : agent.default_routes()) {
        if (!route.problem.empty() || !route.hidden_by.empty()) {
            setup.default_routes.push_back(
                {to_string(route.key),
                 route.problem.empty() ? "hidden by " + route.hidden_by : route.problem});
        }
    }
    for (const DefaultRouteOffer& offer : agent.default_route_offers()) {
        if (!offer.next_hop) {
            setup.default_routes.push_back(
                {to_string(vip::default_prefix(offer.family)) + " from " + offer.peer,
                 offer.problem});
        }
    }
}

void find_silent(const Agent& agent, DoctorSetup& setup) {
    const std::size_t count = std::min(examined_vips, agent.vip_count());
    for (std::size_t i = 0; i < count; ++i) {
        const std::string& name = agent.config().vips.at(i).name;
        const std::optional<VipView> view = agent.vip(name);
        const bool is_silent =
            view && view->state == vip::VipState::Announced &&
            std::ranges::any_of(view->conditions, [](const vip::Condition& condition) {
                return condition.name == "traffic" && !condition.is_met;
            });
        if (is_silent) {
            setup.silent.push_back(name);
        }
    }
}

} // namespace

DoctorSetup doctor_setup(Agent& agent) {
    DoctorSetup setup;
    for (const vip::VipConfig& vip : agent.config().vips) {
        setup.vips.push_back({vip.name, vip.interface, vip.addresses});
    }
    for (const PeerEntry& entry : agent.config().peers) {
        const bgp::Peer* peer = agent.find_peer(entry.session.name);
        if (peer == nullptr) {
            continue;
        }
        const bgp::PeerStatus status = peer->status();
        setup.routers.push_back(
            {.name = entry.session.name,
             .interface = status.endpoints ? status.endpoints->interface : entry.interface,
             .problem = problem_of(status),
             .has_default_route = entry.default_route,
             .listens = entry.listen_port != 0,
             .has_bfd = entry.bfd.has_value(),
             .is_multihop = entry.session.multihop > 1,
             .bfd_problem = bfd_problem_of(agent, entry, status)});
        setup.needs_raw = setup.needs_raw || !entry.interface.empty();
        compare_paths(agent, *peer, entry, setup);
    }
    setup.state_dir = agent.config().daemon.state_dir;
    default_route_troubles(agent, setup);
    find_silent(agent, setup);
    return setup;
}

} // namespace anyvip::cmd
