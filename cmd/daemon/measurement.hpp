// SPDX-License-Identifier: Apache-2.0
// Counts the flows and packets that the agent wants counted, for as long as it wants them.
#pragma once

#include <functional>
#include <map>
#include <set>

#include <boost/asio/io_context.hpp>

#include "cmd/agent/agent.hpp"
#include "cmd/daemon/log.hpp"
#include "vip/kernel/flow_counter.hpp"
#include "vip/kernel/traffic_counter.hpp"

namespace anyvip::cmd {

class Measurement {
  public:
    /// `on_turn` runs after counts have been fed to the agent.
    Measurement(boost::asio::io_context& io, Agent& agent, Log& log, std::function<void()> on_turn);

    void apply(const Measure& measure);
    /// Flows of all configured VIPs, for the status; again after a reload.
    void watch_flows();

  private:
    Agent& agent_;
    Log& log_;
    std::map<IpAddress, std::uint64_t> packets_; ///< since each address was first asked for
    bool has_warned_ = false;
    bool is_draining_ = false;
    vip::kernel::FlowCounter flows_;
    vip::kernel::TrafficCounter traffic_;
};

} // namespace anyvip::cmd
