// SPDX-License-Identifier: Apache-2.0
// Programs run on events, the event as JSON on their standard input. Bounded in number and time;
// nothing ever waits for them.
#pragma once

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
#include "cmd/daemon/log.hpp"
#include "health/probe/child.hpp"

namespace anyvip::cmd {

class Hooks {
  public:
    Hooks(boost::asio::io_context& io, Log& log);

    void configure(std::vector<HookConfig> hooks) { hooks_ = std::move(hooks); }

    /// Starts every hook whose pattern ("vip.*") matches. When too many wait already, the event is
    /// dropped for it and logged.
    void run(const LoggedEvent& event);

    // ---- upgrade in place ----
    [[nodiscard]] std::vector<WaitingHook> waiting() const;
    [[nodiscard]] std::vector<OrphanHandedOver> running() const;
    void take_over(const std::vector<WaitingHook>& waiting);

  private:
    struct Running {
        std::string name;
        std::unique_ptr<health::Child> child;
        boost::asio::steady_timer timeout;
    };

    void start_next();
    void end(std::uint64_t id, const std::string& problem);

    boost::asio::io_context& io_;
    Log& log_;
    std::vector<HookConfig> hooks_;
    std::deque<health::Command> waiting_;
    std::map<std::uint64_t, Running> running_;
    std::uint64_t next_id_ = 0;
};

} // namespace anyvip::cmd
