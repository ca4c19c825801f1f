// SPDX-License-Identifier: Apache-2.0
// Which next hop a session's routes carry, or why they cannot have one.
#pragma once

#include <expected>
#include <functional>
#include <string>

#include "bgp/session/negotiate.hpp"
#include "bgp/session/peer.hpp"
#include "bgp/wire/attributes.hpp"

namespace anyvip::bgp {

/// The error is the reason why routes of this family are not announced, for the operator.
/// `is_vip`: addresses that are announced or might be; none of them can be a next hop.
[[nodiscard]] std::expected<wire::NextHop, std::string>
choose_next_hop(Family family,
                const PeerConfig& config,
                const Endpoints& endpoints,
                const Negotiated& negotiated,
                const std::function<bool(const IpAddress&)>& is_vip);

} // namespace anyvip::bgp
