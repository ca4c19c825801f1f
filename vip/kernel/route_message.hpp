// SPDX-License-Identifier: Apache-2.0
// What rtnetlink says of default routes of the main table, and how it is asked to change ours.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "vip/default_route.hpp"
#include "vip/kernel/netlink.hpp"

namespace anyvip::vip::kernel {

/// The protocol number of our routes, shown as `proto 167` by `ip route`; none of
/// /etc/iproute2/rt_protos.
inline constexpr std::uint8_t route_protocol = 0xA7;

/// One default route as the kernel keeps it.
struct DefaultRouteMessage {
    DefaultRouteKey key;
    std::uint8_t protocol = 0;
    std::vector<NextHop>
        next_hops; ///< in the kernel's order; none of a blackhole or a device route
    std::vector<std::string> interfaces; ///< by which it leaves
    std::string text; ///< for the operator: "via 10.0.0.1 dev eth0 proto static metric 0"
};

/// Nothing when it is no default route of the main table, or malformed.
[[nodiscard]] std::optional<DefaultRouteMessage> parse_default_route(nlmsghdr& message);

/// A unicast route of the main table by a gateway that is no default route.
struct GatewayRouteMessage {
    Family family = Family::Ipv4;
    std::vector<std::string> interfaces; ///< by which it leaves; at least one
};

[[nodiscard]] std::optional<GatewayRouteMessage> parse_gateway_route(nlmsghdr& message);

/// The interface's index, or why nothing can be sent there.
struct OutgoingInterface {
    int index = 0;
    std::string problem;
};

[[nodiscard]] OutgoingInterface outgoing_interface(const std::string& name);

/// NEWROUTE or DELROUTE of an IPv4 route with all its next hops. `flags`: NLM_F_…
[[nodiscard]] Request ipv4_route_request(int type,
                                         int flags,
                                         std::uint32_t metric,
                                         const std::vector<NextHop>& next_hops);
/// The same for one next hop of an IPv6 route: to the kernel each is a route of its own.
[[nodiscard]] Request
ipv6_route_request(int type, int flags, std::uint32_t metric, const NextHop& next_hop);

} // namespace anyvip::vip::kernel
