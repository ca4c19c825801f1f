// SPDX-License-Identifier: Apache-2.0
// The bounded event log behind `anyvip events`, with followers.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <string>

#include "cmd/agent/agent.hpp"

namespace anyvip::cmd {

/// An event as users see it: with wall clock time, rendered once as one JSON line.
struct LoggedEvent {
    std::chrono::system_clock::time_point at;
    std::string event;
    std::string name;
    std::string reason;
    std::string json; ///< without the line end
};

[[nodiscard]] LoggedEvent to_logged(const Event& event);

class EventLog {
  public:
    /// Returns false when the follower is gone and shall not be called again.
    using Follower = std::function<bool(const LoggedEvent&)>;

    void add(const Event& event);

    void follow(Follower follower) { followers_.push_back(std::move(follower)); }

    [[nodiscard]] const std::deque<LoggedEvent>& all() const { return events_; }

    [[nodiscard]] std::uint64_t total() const { return total_; }

  private:
    std::deque<LoggedEvent> events_;
    std::list<Follower> followers_;
    std::uint64_t total_ = 0;
};

} // namespace anyvip::cmd
