// SPDX-License-Identifier: Apache-2.0
// Questions to the kernel's routing: is this address here, and by which address are we known?
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "bgp/ip.hpp"

namespace anyvip::vip::kernel {

/// A route look-up that says "local"; false also without any route. Errors: the kernel could not be
/// asked (no descriptor, no memory), which says nothing of the address.
[[nodiscard]] std::expected<bool, std::error_code> is_local_address(const IpAddress& address);

/// The source address the kernel would choose towards a destination; nothing without a route.
/// `interface`: needed for link-local destinations.
[[nodiscard]] std::optional<IpAddress> local_address_towards(const IpAddress& destination,
                                                             std::string_view interface = {});

/// The interface by which packets to a destination leave; empty without a route, and of this host's
/// own addresses.
[[nodiscard]] std::string interface_towards(const IpAddress& destination);

/// IPv4 addresses by which this host may be known: the preferred source of the default route of
/// least metric in the main table, then those of its interface in the kernel's order, without ours.
/// The caller leaves out VIPs that others have put there. Reads the main table, so not for every
/// turn of the loop.
[[nodiscard]] std::vector<IpAddress> default_route_addresses();

} // namespace anyvip::vip::kernel
