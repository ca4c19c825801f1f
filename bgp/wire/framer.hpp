// SPDX-License-Identifier: Apache-2.0
// Cuts the byte stream of one connection into messages and checks their headers (RFC 4271 §4.1,
// §6.1).
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>

#include "bgp/wire/error.hpp"

namespace anyvip::bgp::wire {

inline constexpr std::size_t header_octets = 19;
inline constexpr std::size_t max_message_octets = 4096;

enum class MessageType : std::uint8_t {
    Open = 1,
    Update = 2,
    Notification = 3,
    Keepalive = 4,
    RouteRefresh = 5
};

/// One whole message; both spans point into the buffer that was given to `next`.
struct Frame {
    MessageType type = MessageType::Keepalive;
    std::span<const std::uint8_t> body;  ///< behind the header
    std::span<const std::uint8_t> whole; ///< with the header
};

/// Looks at the start of `stream` and returns the message there; nullopt when it is not complete
/// yet. Header errors are reported as soon as the header is there, checks in the order of RFC 4271
/// §6.1: marker, length, type, length of the type. `enhanced_route_refresh` (the peer sent
/// capability 70) decides between 7/1 and 1/2 for a ROUTE-REFRESH of wrong length (RFC 7313 §5).
/// The caller drops `whole.size()` octets afterwards.
[[nodiscard]] std::expected<std::optional<Frame>, Error>
next_frame(std::span<const std::uint8_t> stream, bool enhanced_route_refresh);

} // namespace anyvip::bgp::wire
