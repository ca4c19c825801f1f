// SPDX-License-Identifier: Apache-2.0
// The two messages of IPv6 neighbour discovery (RFC 4861) from which the ends of an unnumbered
// link learn each other's address. Pure.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "bgp/ip.hpp"

namespace anyvip::bgp::net {

using MacAddress = std::array<std::uint8_t, 6>;

inline constexpr std::uint8_t icmp_router_solicitation = 133;
inline constexpr std::uint8_t icmp_router_advertisement = 134;

/// An ICMPv6 message as a raw socket delivers it.
struct IcmpMessage {
    IpAddress source;
    int hop_limit = 0;
    std::span<const std::uint8_t> octets;
};

/// Router lifetime of a valid Router Advertisement (RFC 4861 §6.1.2), nullopt for anything else.
/// 0 is valid: a router that is no default router is a BGP peer all the same.
[[nodiscard]] std::optional<std::chrono::seconds> router_lifetime(const IcmpMessage& message);

/// A valid Router Solicitation (RFC 4861 §6.1.1).
[[nodiscard]] bool is_router_solicitation(const IcmpMessage& message);

/// Router lifetime 0: it tells our address and makes nobody's default route. The checksum is the
/// kernel's. With a MAC address as source link-layer option.
[[nodiscard]] std::vector<std::uint8_t> router_advertisement(const std::optional<MacAddress>& mac);
[[nodiscard]] std::vector<std::uint8_t> router_solicitation(const std::optional<MacAddress>& mac);

} // namespace anyvip::bgp::net
