// SPDX-License-Identifier: Apache-2.0
// What the doctor asks the agent: sessions, BFD, learnt default routes, and what routers show of
// other nodes' paths beside ours.
#include <algorithm>
#include <array>
#include <map>
#include <ranges>
#include <span>

#include "cmd/agent/node_mark.hpp"
#include "cmd/agent/peer_set.hpp"
#include "cmd/daemon/doctor.hpp"
#include "cmd/daemon/wall_time.hpp"
#include "vip/kernel/local.hpp"

namespace anyvip::cmd {
namespace {

using namespace std::chrono_literals;

/// BFD is given this long after BGP is up.
constexpr auto bfd_patience = 5s;
/// Of so many VIPs the conditions are looked through.
constexpr std::size_t examined_vips = 100;
/// Differences named one by one for each router.
constexpr std::size_t named_differences = 3;

/// By Family: of which there are VIPs that are to be announced to this router.
std::array<bool, 2> families_of(const Config& config, const PeerEntry& entry) {
    std::array<bool, 2> families{};
    for (const vip::VipConfig& vip : config.vips) {
        if (!vip.peers.empty() &&
            std::ranges::find(vip.peers, entry.session.name) == vip.peers.end()) {
            continue;
        }
        for (const Prefix& prefix : vip.addresses) {
            const auto family = static_cast<std::size_t>(prefix.family());
            families.at(family) = families.at(family) || entry.session.families.at(family);
        }
    }
    return families;
}

std::string problem_of(const bgp::PeerStatus& status) {
    if (status.state == bgp::SessionState::Established) {
        return {};
    }
    const std::string state(bgp::to_string(status.state));
    return status.last_error
               ? state + ", " + status.last_error->name +
                     (status.last_error->message.empty() ? "" : ": " + status.last_error->message)
               : state;
}

/// A family that nothing is announced of is nobody's problem: both are always offered.
std::vector<DoctorSetup::FamilyProblem> family_problems_of(const PeerEntry& entry,
                                                           const bgp::PeerStatus& status,
                                                           const std::array<bool, 2>& families) {
    std::vector<DoctorSetup::FamilyProblem> problems;
    for (const Family family : {Family::Ipv4, Family::Ipv6}) {
        const auto index = static_cast<std::size_t>(family);
        if (status.state == bgp::SessionState::Established && families.at(index) &&
            !status.family_problem.at(index).empty()) {
            problems.push_back({"carries no " + std::string(to_string(family)) + ": " +
                                    status.family_problem.at(index),
                                family_remedy(entry, status, family)});
        }
    }
    return problems;
}

/// Towards a router: its session knows; without one the configuration or the route there does.
std::string interface_of(const PeerEntry& entry, const bgp::PeerStatus& status) {
    if (status.endpoints && !status.endpoints->interface.empty()) {
        return status.endpoints->interface;
    }
    if (!entry.interface.empty() || !entry.scope.empty()) {
        return entry.interface.empty() ? entry.scope : entry.interface;
    }
    return entry.address ? vip::kernel::interface_towards(*entry.address) : std::string();
}

std::string
bfd_problem_of(const Agent& agent, const PeerEntry& entry, const bgp::PeerStatus& status) {
    const std::optional<PeerView> view = agent.peer(entry.session.name);
    if (!entry.bfd || !view || (view->bfd != BfdState::Down && view->bfd != BfdState::Init)) {
        return {};
    }
    // With `strict` it is BGP that waits for BFD: as long as it has been doing so counts.
    const bool is_established = status.state == bgp::SessionState::Established;
    const bool is_due = (is_established || view->waits_for_bfd) &&
                        read_clocks().monotonic - status.since > bfd_patience;
    if (!is_due) {
        return {};
    }
    const std::string bgp = is_established ? "its BGP session is up, but BFD "
                                           : "its BGP session waits for BFD (strict), which ";
    return bgp + (view->bfd == BfdState::Down ? "is down: no BFD packet of it arrives"
                                              : "stays at init: the router does not hear us");
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

bool is_of_another_node(const bgp::ObservedPath& path, std::span<const bgp::Speaker> selves) {
    return std::ranges::any_of(marks_of(path, selves),
                               [&](const Mark& mark) { return !is_ours(mark, selves); });
}

/// Prefix -> place of its VIP in the configuration.
using Places = std::map<Prefix, std::size_t>;

Places places_of(const Config& config) {
    Places places;
    for (std::size_t i = 0; i < config.vips.size(); ++i) {
        for (const Prefix& prefix : config.vips.at(i).addresses) {
            places.emplace(prefix, i);
        }
    }
    return places;
}

/// Meant to get traffic: not in backup, not on its way out. A view costs too much to make one for
/// every VIP.
bool is_plainly_announced(const Agent& agent, const Places& places, const Prefix& prefix) {
    const auto place = places.find(prefix);
    return place != places.end() && place->second < agent.vip_count() &&
           agent.vip_at(place->second).state == vip::VipState::Announced;
}

void compare_paths(const Agent& agent,
                   const Places& places,
                   const bgp::Peer& peer,
                   const PeerEntry& entry,
                   DoctorSetup& setup) {
    const std::optional<bgp::Asn> remote = peer.status().remote_asn;
    const std::optional<PeerView> view = agent.peer(entry.session.name);
    if (!remote || !view || view->use != PeerUse::Open) {
        return;
    }
    // This router and the others may know us as two while a reload changes it.
    const std::array selves{peer.speaker(), speaker_of(agent.config().node)};
    std::size_t named = 0;
    for (const auto& [prefix, paths] : peer.paths().all()) {
        const auto own = peer.advertised(prefix);
        if (!own || named >= named_differences ||
            std::ranges::find(own->communities, bgp::graceful_shutdown) != own->communities.end()) {
            continue;
        }
        for (const bgp::ObservedPath& path : paths | std::views::values) {
            const Comparison found = compare(path, *own, *remote == peer.speaker().asn);
            if (!is_of_another_node(path, selves) || path.is_graceful_shutdown ||
                found.text.empty() || !is_plainly_announced(agent, places, prefix)) {
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
        const auto router =
            std::ranges::find(setup.routers, offer.peer, &DoctorSetup::Router::name);
        const bool is_needed = router != setup.routers.end() &&
                               router->families.at(static_cast<std::size_t>(offer.family));
        if (!offer.next_hop && is_needed) {
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

DoctorSetup doctor_setup(const Config& config) {
    DoctorSetup setup;
    for (const vip::VipConfig& vip : config.vips) {
        setup.vips.push_back({vip.name, vip.interface, vip.addresses});
    }
    for (const PeerEntry& entry : config.peers) {
        setup.routers.push_back({.name = entry.session.name,
                                 .interface = interface_of(entry, {}),
                                 .address = entry.address,
                                 .families = families_of(config, entry),
                                 .problem = {},
                                 .family_problems = {},
                                 .has_default_route = entry.default_route,
                                 .listen_port = entry.listen_port,
                                 .has_bfd = entry.bfd.has_value(),
                                 .is_multihop = entry.session.multihop > 1,
                                 .bfd_problem = {}});
        setup.needs_raw = setup.needs_raw || !entry.interface.empty();
    }
    setup.state_dir = config.daemon.state_dir;
    setup.secret_files = secret_files(config, {});
    return setup;
}

DoctorSetup doctor_setup(Agent& agent) {
    DoctorSetup setup = doctor_setup(agent.config());
    const Places places = places_of(agent.config());
    for (std::size_t i = 0; i < setup.routers.size(); ++i) {
        const PeerEntry& entry = agent.config().peers.at(i);
        DoctorSetup::Router& router = setup.routers.at(i);
        const bgp::Peer* peer = agent.find_peer(router.name);
        if (peer == nullptr) {
            continue;
        }
        const bgp::PeerStatus status = peer->status();
        router.interface = interface_of(entry, status);
        if (status.endpoints) {
            router.address = status.endpoints->remote;
        }
        router.problem = problem_of(status);
        router.family_problems = family_problems_of(entry, status, router.families);
        router.bfd_problem = bfd_problem_of(agent, entry, status);
        compare_paths(agent, places, *peer, entry, setup);
    }
    default_route_troubles(agent, setup);
    find_silent(agent, setup);
    return setup;
}

} // namespace anyvip::cmd
