// SPDX-License-Identifier: Apache-2.0
// A classic BPF program that lets through the packets for a set of addresses, whatever its size.
#pragma once

#include <cstddef>
#include <vector>

#include <linux/filter.h>

#include "bgp/ip.hpp"

namespace anyvip::vip::kernel {

/// At most 4096 instructions (BPF_MAXINSNS) for any set.
inline constexpr std::size_t max_filter_ranges = 512;

/// For a packet socket of type SOCK_DGRAM and one family: packets that were addressed to this host,
/// did not come over a loopback interface, and go to one of the addresses. O(log n) a packet.
///
/// It may let through others too: each address is taken as a 32-bit key (for IPv6 its four words
/// xor-ed), and beyond 512 ranges of keys those that are nearest to each other are joined. So the
/// reader looks at the destination again.
[[nodiscard]] std::vector<sock_filter> packet_filter(Family family,
                                                     const std::vector<IpAddress>& addresses);

} // namespace anyvip::vip::kernel
