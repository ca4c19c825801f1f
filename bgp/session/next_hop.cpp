// SPDX-License-Identifier: Apache-2.0
// Next hops (RFC 4271 §5.1.3, RFC 2545 §3, RFC 8950 §4): what is ours, reachable and no VIP.
#include "bgp/session/next_hop.hpp"

#include <algorithm>
#include <optional>
#include <utility>

namespace anyvip::bgp {

namespace {

using Choice = std::expected<wire::NextHop, std::string>;

/// An IPv6 next hop of 16 or 32 octets. RFC 2545 §3: the link-local address goes along when the
/// router shares our subnet.
wire::NextHop with_link_local(const IpAddress& address,
                              bool is_shared_subnet,
                              const PeerConfig& config,
                              const Endpoints& endpoints) {
    wire::NextHop next_hop{.address = address, .link_local = std::nullopt};
    switch (config.ipv6_link_local_next_hop) {
    case LinkLocalNextHop::Never:
        break;
    case LinkLocalNextHop::Auto:
        if (is_shared_subnet) {
            next_hop.link_local = endpoints.interface_link_local;
        }
        break;
    case LinkLocalNextHop::Always:
        next_hop.link_local = endpoints.interface_link_local;
        break;
    }
    return next_hop;
}

bool is_on_subnet_of(const IpAddress& address, const IpAddress& other, const Endpoints& endpoints) {
    return std::ranges::any_of(endpoints.local_subnets, [&](const Prefix& subnet) {
        return subnet.contains(address) && subnet.contains(other);
    });
}

/// The next hop of a session that runs over IPv6 itself.
wire::NextHop ipv6_of_session(const PeerConfig& config, const Endpoints& endpoints) {
    if (endpoints.local.is_link_local()) {
        // No RFC agrees for sessions between link-local addresses. RFC 2545 wants a global address
        // in front; without one the link-local address stands in both places, because routers
        // store `::` as it comes.
        const IpAddress address = endpoints.interface_ipv6.value_or(endpoints.local);
        wire::NextHop next_hop{.address = address, .link_local = endpoints.local};
        if (config.ipv6_link_local_next_hop == LinkLocalNextHop::Never) {
            next_hop.link_local.reset();
        }
        return next_hop;
    }
    const bool is_shared =
        config.multihop == 0 && is_on_subnet_of(endpoints.local, endpoints.remote, endpoints);
    return with_link_local(endpoints.local, is_shared, config, endpoints);
}

Choice
choose_ipv4(const PeerConfig& config, const Endpoints& endpoints, const Negotiated& negotiated) {
    if (config.next_hop_ipv4) {
        return wire::NextHop{.address = *config.next_hop_ipv4, .link_local = std::nullopt};
    }
    if (endpoints.local.is_v4()) {
        return wire::NextHop{.address = endpoints.local, .link_local = std::nullopt};
    }
    if (negotiated.extended_next_hop) {
        return ipv6_of_session(config, endpoints);
    }
    if (endpoints.interface_ipv4) {
        return wire::NextHop{.address = *endpoints.interface_ipv4, .link_local = std::nullopt};
    }
    return std::unexpected("no usable next hop: the session runs over IPv6, the interface has no "
                           "IPv4 address and extended_next_hop was not negotiated");
}

Choice choose_ipv6(const PeerConfig& config, const Endpoints& endpoints) {
    if (config.next_hop_ipv6) {
        const bool is_ours = *config.next_hop_ipv6 == endpoints.local;
        return is_ours ? ipv6_of_session(config, endpoints)
                       : with_link_local(*config.next_hop_ipv6, false, config, endpoints);
    }
    if (endpoints.local.is_v6()) {
        return ipv6_of_session(config, endpoints);
    }
    if (endpoints.interface_ipv6) {
        return with_link_local(*endpoints.interface_ipv6, false, config, endpoints);
    }
    return std::unexpected("no usable next hop: the session runs over IPv4 and the interface has "
                           "no global IPv6 address; set next_hop_ipv6");
}

/// Why no router could use this address as our next hop.
std::optional<std::string> objection(const IpAddress& address,
                                     const PeerConfig& config,
                                     const Endpoints& endpoints,
                                     const Negotiated& negotiated,
                                     const std::function<bool(const IpAddress&)>& is_vip) {
    if (address.is_unspecified() || address.is_multicast() || address.is_v4_mapped()) {
        return "is no unicast address of a node";
    }
    // Over loopback the router is on this very host, and then a loopback address is reachable.
    if (address.is_loopback() && !endpoints.remote.is_loopback()) {
        return "is a loopback address";
    }
    if (address == endpoints.remote) {
        return "is the router's own address"; // RFC 4271 §5.1.3
    }
    if (is_vip(address)) {
        return "is a VIP: it would resolve to itself";
    }
    const bool is_single_hop = config.multihop == 0 && !negotiated.is_internal;
    // A link-local address of the router tells nothing about its global ones on the link.
    const bool is_over_link_local = endpoints.remote.is_v6() && endpoints.remote.is_link_local();
    const bool knows_subnet =
        !is_over_link_local && is_on_subnet_of(endpoints.remote, endpoints.local, endpoints);
    if (is_single_hop && knows_subnet && !endpoints.remote.is_loopback() &&
        address.family() == endpoints.remote.family() &&
        !is_on_subnet_of(address, endpoints.remote, endpoints)) {
        return "is not on the subnet of the router"; // RFC 4271 §5.1.3
    }
    return std::nullopt;
}

} // namespace

std::expected<wire::NextHop, std::string>
choose_next_hop(Family family,
                const PeerConfig& config,
                const Endpoints& endpoints,
                const Negotiated& negotiated,
                const std::function<bool(const IpAddress&)>& is_vip) {
    Choice choice = family == Family::Ipv4 ? choose_ipv4(config, endpoints, negotiated)
                                           : choose_ipv6(config, endpoints);
    if (choice) {
        if (const auto why = objection(choice->address, config, endpoints, negotiated, is_vip)) {
            return std::unexpected("no usable next hop: " + to_string(choice->address) + " " +
                                   *why);
        }
    }
    return choice;
}

} // namespace anyvip::bgp
