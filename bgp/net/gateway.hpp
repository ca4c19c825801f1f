// SPDX-License-Identifier: Apache-2.0
// By which way the kernel reaches a router: over a connected subnet, or through somebody else.
#pragma once

#include <string>

#include "bgp/net/net_config.hpp"

namespace anyvip::bgp::net {

/// `multihop = 0`: why this router is none on a connected subnet, one line. Empty: it is, or it is
/// ours, or the kernel does not tell. A system call each time; routes change.
[[nodiscard]] std::string find_gateway_problem(const NetConfig& config);

} // namespace anyvip::bgp::net
