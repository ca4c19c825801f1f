// SPDX-License-Identifier: Apache-2.0
// Packets that still arrive from outside for some addresses, whatever their protocol.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <system_error>
#include <vector>

#include "bgp/ip.hpp"
#include "vip/kernel/readiness.hpp"

namespace anyvip::vip::kernel {

using PacketCounts = std::map<IpAddress, std::uint64_t>;

/// Listens on packet sockets while there is something to watch; costs nothing otherwise. What this
/// host sends to itself, and what it sends to others, is not counted. Under a flood the counts are
/// less than the truth, never zero for it: a turn reads a limited number of packets, and the kernel
/// drops what does not fit its buffer.
class TrafficCounter {
  public:
    /// `on_counted`: every 50 ms while watching, what has come since the last call, also when it is
    /// nothing: so silence can be told from "nobody looks". Addresses without packets are left out.
    TrafficCounter(boost::asio::io_context& loop,
                   std::function<void(const PacketCounts&)> on_counted);
    ~TrafficCounter();
    TrafficCounter(const TrafficCounter&) = delete;
    TrafficCounter& operator=(const TrafficCounter&) = delete;

    /// The whole set; empty: stop. An address that stays is not missed meanwhile. With an error
    /// (usually a missing CAP_NET_RAW) nothing is watched.
    [[nodiscard]] std::error_code watch(std::vector<IpAddress> addresses);

  private:
    [[nodiscard]] std::error_code listen(Family family);
    void read_all();
    void read(Family family);
    void close();

    std::function<void(const PacketCounts&)> on_counted_;
    std::vector<IpAddress> addresses_;   ///< sorted
    std::array<int, 2> sockets_{-1, -1}; ///< by Family
    PacketCounts counts_;
    Timer timer_;
};

} // namespace anyvip::vip::kernel
