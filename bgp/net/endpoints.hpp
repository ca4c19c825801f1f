// SPDX-License-Identifier: Apache-2.0
// What the host knows of a connected socket: its ends and the interface beneath, from which next
// hops are chosen.
#pragma once

#include <optional>
#include <set>

#include "bgp/ip.hpp"
#include "bgp/session/peer.hpp"

namespace anyvip::bgp::net {

/// Both ends of a connected socket and the addresses of the interface that owns the local one.
/// Addresses in `vips` are never a candidate for a next hop and make no subnet. nullopt when the
/// connection is already gone.
[[nodiscard]] std::optional<Endpoints> read_endpoints(int socket, const std::set<IpAddress>& vips);

} // namespace anyvip::bgp::net
