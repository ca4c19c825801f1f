// SPDX-License-Identifier: Apache-2.0
// The UDP sockets of BFD (RFC 5881 §4 and §5, RFC 5883 §5): one for each family and kind to
// receive, one for each session to send.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <system_error>

#include "bgp/bfd/engine.hpp"
#include "bgp/bfd_net/messages.hpp"
#include "bgp/ip.hpp"
#include "bgp/net/file_descriptor.hpp"

namespace anyvip::bgp::bfd_net {

inline constexpr std::uint16_t single_hop_port = 3784;
inline constexpr std::uint16_t multihop_port = 4784;
inline constexpr std::uint16_t first_source_port = 49152;

/// Receives from everybody, with TTL, interface and the kernel's time of each datagram.
[[nodiscard]] std::expected<net::FileDescriptor, std::error_code> open_receiver(Family family,
                                                                                bool is_multihop);

struct Sender {
    net::FileDescriptor socket;
    std::uint16_t port = 0;      ///< of our end
    std::uint32_t interface = 0; ///< index; 0: multihop, or the peer is on no connected subnet
};

/// A socket with a source port of its own, from `port` on the next one that is free: TTL 255, CS6.
[[nodiscard]] std::expected<Sender, std::error_code> open_sender(const Endpoint& endpoint,
                                                                 std::uint16_t port);

/// One datagram. Never blocks.
[[nodiscard]] std::error_code send(int socket, std::span<const std::uint8_t> payload);

struct Datagram {
    std::array<std::uint8_t, bfd::max_packet_octets> octets;
    std::size_t size = 0;
    bfd::Arrival arrival;
};

/// Maps the kernel's wall-clock stamps to the monotonic clock; good for a moment.
struct ClockPair {
    Instant monotonic;
    std::int64_t wall_ns = 0;
};

[[nodiscard]] ClockPair read_clock_pair();

/// The next datagram that has arrived; nullopt when there is none.
[[nodiscard]] std::optional<Datagram>
receive(int socket, bool is_multihop, const ClockPair& clocks);

} // namespace anyvip::bgp::bfd_net
