// SPDX-License-Identifier: Apache-2.0
// The JSON documents of the API, in the shapes of CONTRACT section 4. Read-only views of the agent.
#pragma once

#include <string_view>

#include <boost/json/object.hpp>

#include "cmd/agent/agent.hpp"
#include "cmd/daemon/pieces.hpp"

namespace anyvip::cmd {

/// What the agent does not know about the process it runs in.
struct ProcessFacts {
    Instant started;
    int pid = 0;
};

[[nodiscard]] boost::json::object node_document(Agent& agent, const ProcessFacts& facts);

/// One line of a list.
[[nodiscard]] boost::json::object vip_summary(const VipView& view);
[[nodiscard]] boost::json::object peer_summary(const Agent& agent, const bgp::Peer& peer);
[[nodiscard]] boost::json::object check_summary(const CheckView& view);

/// Those that grow with the configuration come in pieces. Pieces refer to the agent, and are good
/// until its next reload.
[[nodiscard]] Pieces status_document(Agent& agent, const ProcessFacts& facts);
[[nodiscard]] Pieces vips_document(const Agent& agent);
[[nodiscard]] Pieces peers_document(Agent& agent);
[[nodiscard]] Pieces checks_document(const Agent& agent);

[[nodiscard]] boost::json::array default_routes_document(const Agent& agent);

/// All details; empty when there is no such name.
[[nodiscard]] boost::json::object vip_document(const Agent& agent, std::string_view name);
[[nodiscard]] boost::json::object peer_document(Agent& agent, std::string_view name);
[[nodiscard]] boost::json::object check_document(const Agent& agent, std::string_view name);

/// {"routes":[{"peer","prefix","next_hop",…}]}; `peer` empty: all.
[[nodiscard]] Pieces routes_document(Agent& agent, std::string_view peer);
/// {"routes":[{"peer","prefix","path_id","next_hop","as_path",…}]}: paths of our VIPs seen from the
/// routers.
[[nodiscard]] Pieces received_routes_document(Agent& agent, std::string_view peer);

/// {"vip","state","since","reason","conditions":[{"name","value","met","since","last_event","remedy"}]}
[[nodiscard]] boost::json::object explain_document(const Agent& agent, std::string_view name);

/// {"flows":[{"vip","flows"}]}
[[nodiscard]] Pieces flows_document(const Agent& agent);

[[nodiscard]] std::string_view to_string(NodeState state);

} // namespace anyvip::cmd
