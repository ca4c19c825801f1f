// SPDX-License-Identifier: Apache-2.0
// What the programs of checks leave running outside of their process group (setsid, a daemon): it
// becomes our child when its parent ends, and is killed when its run is over.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

namespace anyvip::health {

struct StraysHost {
    /// A child of ours that somebody else reaps, beside those of class Child.
    std::function<bool(int pid)> is_known;
    /// One line, for the 1st, 10th, 100th, ... of a check.
    std::function<void(const std::string&)> warn;
};

/// Orphans carry the run that they come from in their environment, ANYVIP_RUN. Those of a check
/// whose run has ended are killed; all others (of hooks, of whom knows whom when this is process 1
/// of a container) are only reaped. So are those that have taken it off, and those of other users.
class Strays {
  public:
    /// From now on the kernel gives us the orphans among our descendants, in the next program after
    /// an upgrade in place as well. Not where it does not list children: nobody could reap them.
    Strays(boost::asio::io_context& io,
           StraysHost host,
           std::chrono::milliseconds pause = std::chrono::seconds(1));
    /// Nothing that can be told to be of a check outlives the program.
    ~Strays();
    Strays(const Strays&) = delete;
    Strays& operator=(const Strays&) = delete;

    /// At once, and again after a pause as long as there is anybody. By itself, a pause after each
    /// end of a child.
    void look();

  private:
    void look_soon();
    void judge(int pid);

    StraysHost host_;
    std::chrono::milliseconds pause_;
    boost::asio::steady_timer timer_;
    bool is_waiting_ = false;
    std::map<std::string, std::uint64_t> killed_; ///< by check
};

} // namespace anyvip::health
