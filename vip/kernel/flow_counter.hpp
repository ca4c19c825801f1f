// SPDX-License-Identifier: Apache-2.0
// Live TCP flows of some local addresses, by sock_diag: how many there are, and how long the
// busiest has been silent.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "bgp/ip.hpp"
#include "vip/drain.hpp"
#include "vip/kernel/netlink.hpp"
#include "vip/kernel/readiness.hpp"

namespace anyvip::vip::kernel {

using FlowCounts = std::map<IpAddress, FlowCount>;

/// Counts again and again while there is something to watch; costs nothing otherwise. One pass
/// reads all TCP sockets of the network namespace, in slices between which the loop does other
/// work.
///
/// A flow is a connection from another host whose service has not closed it: connections that this
/// host has with itself (health checks), half-open ones and TIME_WAIT are none. An IPv4 flow of an
/// IPv6 socket (::ffff:a.b.c.d) belongs to the IPv4 address.
class FlowCounter {
  public:
    /// `on_counted`: after each pass, an entry for every address that is watched.
    FlowCounter(boost::asio::io_context& loop, std::function<void(const FlowCounts&)> on_counted);
    FlowCounter(const FlowCounter&) = delete;
    FlowCounter& operator=(const FlowCounter&) = delete;

    /// The whole set; empty: stop. The first pass begins at once, the next ones `pause` after the
    /// end of the one before. What does not change goes on undisturbed; a shorter
    /// pause counts at once.
    void watch(std::vector<IpAddress> addresses, std::chrono::milliseconds pause);

  private:
    void begin_pass();
    void request(std::uint8_t family);
    void on_readable();
    void end_pass(bool is_complete);
    void count(nlmsghdr& message);

    boost::asio::io_context& loop_;
    std::function<void(const FlowCounts&)> on_counted_;
    std::vector<IpAddress> addresses_; ///< sorted
    std::chrono::milliseconds pause_{0};
    FlowCounts counts_;
    std::uint8_t family_ = 0; ///< whose sockets are being read
    std::optional<Netlink> socket_;
    std::optional<Readable> readable_; // before the socket it watches is closed
    Timer timer_;
};

} // namespace anyvip::vip::kernel
