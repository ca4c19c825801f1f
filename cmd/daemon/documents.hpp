// SPDX-License-Identifier: Apache-2.0
// The JSON documents of the API, in the shapes of CONTRACT section 4. Read-only views of the agent.
#pragma once

#include <string_view>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "cmd/agent/agent.hpp"

namespace anyvip::cmd {

/// What the agent does not know about the process it runs in.
struct ProcessFacts {
    Instant started;
    int pid = 0;
};

[[nodiscard]] boost::json::object status_document(Agent& agent, const ProcessFacts& facts);

/// Arrays for the lists; with a name one object with all details, empty when there is no such name.
[[nodiscard]] boost::json::array vips_document(const Agent& agent);
[[nodiscard]] boost::json::array peers_document(Agent& agent);
[[nodiscard]] boost::json::array checks_document(const Agent& agent);
[[nodiscard]] boost::json::object vip_document(const Agent& agent, std::string_view name);
[[nodiscard]] boost::json::object peer_document(Agent& agent, std::string_view name);
[[nodiscard]] boost::json::object check_document(const Agent& agent, std::string_view name);

/// {"routes":[{"peer","prefix","next_hop",…}]}; `peer` empty: all.
[[nodiscard]] boost::json::object routes_document(Agent& agent, std::string_view peer);
/// {"routes":[{"peer","prefix","path_id","next_hop","as_path",…}]}: paths of our VIPs seen from the
/// routers.
[[nodiscard]] boost::json::object received_routes_document(Agent& agent, std::string_view peer);

/// {"vip","state","since","reason","conditions":[{"name","value","met","since","last_event","remedy"}]}
[[nodiscard]] boost::json::object explain_document(const Agent& agent, std::string_view name);

/// {"flows":[{"vip","flows"}]}
[[nodiscard]] boost::json::object flows_document(const Agent& agent);

[[nodiscard]] std::string_view to_string(NodeState state);

} // namespace anyvip::cmd
