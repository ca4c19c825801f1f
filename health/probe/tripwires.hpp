// SPDX-License-Identifier: Apache-2.0
// All tripwires of all checks. See health/README.md.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "health/config.hpp"

namespace anyvip::health {

class Tripwires {
  public:
    /// From the loop: have this check run at once (`Check::trigger`, which bounds the rate).
    using Trigger = std::function<void(std::uint64_t check_id)>;

    struct Watched {
        std::uint64_t check_id = 0;
        const CheckConfig* config = nullptr; ///< expanded; needed only during the call
    };

    Tripwires(boost::asio::io_context& io, Trigger trigger);
    ~Tripwires();
    Tripwires(const Tripwires&) = delete;
    Tripwires& operator=(const Tripwires&) = delete;

    /// The whole wanted set: what is new is armed, what is gone is let go.
    void watch(std::span<const Watched> checks);

    /// After every passing run of a check: a wire that has been sprung is armed again, on the new
    /// process or connection. Free of system calls when all are armed.
    void passed(std::uint64_t check_id);

    /// What is armed now, one phrase each: "socket events, port 8080", "process 4711",
    /// "inotify /run/app.pid", "idle connection"; and why not, where something is not.
    [[nodiscard]] std::vector<std::string> armed(std::uint64_t check_id) const;

  private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

} // namespace anyvip::health
