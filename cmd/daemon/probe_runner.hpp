// SPDX-License-Identifier: Apache-2.0
// Runs the probes that the agent asks for, and hands their results back.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <system_error>
#include <unordered_map>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "cmd/agent/agent.hpp"
#include "health/probe/probe.hpp"

namespace anyvip::cmd {

class ProbeRunner {
  public:
    struct Finished {
        std::uint64_t check_id;
        std::string label;
        health::Result result;
    };

    /// Must be routed to this host: the result is "not local" otherwise (CONTRACT section 2,
    /// {vip}). Who cannot tell is at fault himself, not the service.
    using IsLocal = std::function<std::expected<bool, std::error_code>(const IpAddress&)>;
    using OnFinished = std::function<void(const Finished&)>;

    ProbeRunner(boost::asio::io_context& io, IsLocal is_local, OnFinished on_finished);

    void start(const StartProbe& start);
    void cancel(std::uint64_t check_id);

  private:
    void finish(std::uint64_t check_id, std::uint64_t serial, health::Result result);

    struct Running {
        std::uint64_t serial = 0; ///< tells a run from the next one of the same check
        std::string label;
        std::unique_ptr<health::Probe> probe;
    };

    boost::asio::io_context& io_;
    IsLocal is_local_;
    OnFinished on_finished_;
    std::unordered_map<std::uint64_t, Running> running_;
    std::uint64_t next_serial_ = 0;
    std::shared_ptr<int> alive_ = std::make_shared<int>(); // posted results outlive us
};

} // namespace anyvip::cmd
