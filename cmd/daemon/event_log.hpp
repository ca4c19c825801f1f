// SPDX-License-Identifier: Apache-2.0
// The bounded event log behind `anyvip events`, with followers.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <string>

#include "cmd/agent/agent.hpp"
#include "cmd/daemon/http_server.hpp"

namespace anyvip::cmd {

/// An event as users see it: with wall clock time, rendered once as one JSON line.
struct LoggedEvent {
    std::chrono::system_clock::time_point at;
    std::string event;
    std::string name;
    std::string reason;
    std::string json; ///< without the line end

    template <class Archive> void transfer(Archive& archive) {
        archive.field(1, at);
        archive.field(2, event);
        archive.field(3, name);
        archive.field(4, reason);
        archive.field(5, json);
    }
};

[[nodiscard]] LoggedEvent to_logged(const Event& event);

class EventLog {
  public:
    using Follower = std::shared_ptr<HttpResponder>;

    void add(const Event& event);

    /// Each event from now on is written to it, until it is gone.
    void follow(Follower follower) { followers_.push_back(std::move(follower)); }

    [[nodiscard]] const std::list<Follower>& followers() const { return followers_; }

    [[nodiscard]] const std::deque<LoggedEvent>& all() const { return events_; }

    [[nodiscard]] std::uint64_t total() const { return total_; }

    /// What goes over at an upgrade in place.
    struct Past {
        std::deque<LoggedEvent> events;
        std::uint64_t total = 0;

        template <class Archive> void transfer(Archive& archive) {
            archive.field(1, events);
            archive.field(2, total);
        }
    };

    [[nodiscard]] Past past() const { return {events_, total_}; }

    void take_over(Past past) {
        events_ = std::move(past.events);
        total_ = past.total;
    }

  private:
    std::deque<LoggedEvent> events_;
    std::list<Follower> followers_;
    std::uint64_t total_ = 0;
};

} // namespace anyvip::cmd
