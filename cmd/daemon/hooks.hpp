// SPDX-License-Identifier: Apache-2.0
// Programs run on events, the event as JSON on their standard input. Bounded in number and time;
// nothing ever waits for them.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "cmd/agent/config.hpp"
#include "cmd/daemon/event_log.hpp"
#include "cmd/daemon/handed_over.hpp"
#include "cmd/daemon/limits.hpp"
#include "cmd/daemon/log.hpp"
#include "health/probe/child.hpp"

namespace anyvip::cmd {

struct HookLimits {
    std::size_t running = limits::hooks_running;
    std::size_t waiting_octets = limits::hooks_waiting_octets;
    std::chrono::milliseconds time = limits::hook_time;
};

class Hooks {
  public:
    Hooks(boost::asio::io_context& io, Log& log, HookLimits limits = {});

    void configure(std::vector<HookConfig> hooks) { hooks_ = std::move(hooks); }

    /// Starts every hook whose pattern ("vip.*") matches, at once or when there is a place. When
    /// too much waits already, the event is dropped for it, counted and logged.
    void run(const LoggedEvent& event);

    /// So many of a program before this one still run: they have their places.
    void predecessors(std::size_t count);

    // ---- upgrade in place ----
    [[nodiscard]] std::vector<WaitingHook> waiting() const;
    [[nodiscard]] std::vector<OrphanHandedOver> running() const;
    void take_over(const std::vector<WaitingHook>& waiting);

  private:
    struct Running {
        std::string name;
        std::unique_ptr<health::Child> child;
        boost::asio::steady_timer timeout;
        bool is_killed = false;
    };

    void wait_for_place(health::Command command);
    void start_next();
    void start(const health::Command& command);
    void kill(std::uint64_t id);
    void end(std::uint64_t id, health::Ending ending);

    boost::asio::io_context& io_;
    Log& log_;
    HookLimits limits_;
    std::vector<HookConfig> hooks_;
    std::deque<health::Command> waiting_;
    std::size_t waiting_octets_ = 0;
    std::uint64_t dropped_ = 0;
    /// Also those that were killed and do not end: they keep their places.
    std::map<std::uint64_t, Running> running_;
    std::size_t predecessors_ = 0;
    std::uint64_t next_id_ = 0;
};

} // namespace anyvip::cmd
