// SPDX-License-Identifier: Apache-2.0
// Who this node is where the configuration leaves it to the host: name and router ID.
#pragma once

#include <string>

#include "cmd/agent/config.hpp"

namespace anyvip::cmd {

/// Of this machine; empty when it has none.
[[nodiscard]] std::string host_name();

/// Fills in node.name (the host name) and node.router_id: the local address towards the first IPv4
/// peer, else the IPv4 address of the default route's interface, never a VIP. Returns why that is
/// not possible, in one line.
[[nodiscard]] std::string complete_identity(Config& config);

} // namespace anyvip::cmd
