// SPDX-License-Identifier: Apache-2.0
// What the tests of BFD share: a virtual clock, packets of a peer, annotated hexadecimal.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>
#include <vector>

#include "bgp/bfd/packet.hpp"
#include "bgp/bfd/session.hpp"

namespace anyvip::test {

using namespace std::chrono_literals;
namespace bfd = bgp::bfd;

/// The beginning of virtual time.
inline constexpr Instant zero_hour{std::chrono::hours(1)};

/// Octets of "20 40 …"; what follows a # on a line is a comment.
inline std::vector<std::uint8_t> octets(std::string_view text) {
    std::vector<std::uint8_t> out;
    bool is_comment = false;
    int high = -1;
    for (const char c : text) {
        is_comment = c == '#' || (is_comment && c != '\n');
        const std::string_view digits = "0123456789abcdef";
        const auto digit = digits.find(c);
        if (is_comment || digit == std::string_view::npos) {
            continue;
        }
        if (high < 0) {
            high = static_cast<int>(digit);
        } else {
            out.push_back(static_cast<std::uint8_t>(high * 16 + static_cast<int>(digit)));
            high = -1;
        }
    }
    return out;
}

/// A packet of a peer with discriminator 7 that knows ours.
inline bfd::Packet
from_peer(bfd::State state, std::uint32_t ours, bfd::Interval interval = bfd::Interval{300000}) {
    bfd::Packet packet;
    packet.state = state;
    packet.multiplier = 3;
    packet.my_discriminator = 7;
    packet.your_discriminator = ours;
    packet.desired_min_tx = interval;
    packet.required_min_rx = interval;
    return packet;
}

} // namespace anyvip::test
