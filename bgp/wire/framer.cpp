// SPDX-License-Identifier: Apache-2.0
// Header checks in the order of RFC 4271 §6.1, as early as the octets are there.
#include "bgp/wire/framer.hpp"

#include <algorithm>

#include "bgp/wire/errors.hpp"

namespace anyvip::bgp::wire {

namespace {

constexpr std::size_t route_refresh_octets = header_octets + 4;

/// RFC 4271 §6.1: the least length of each type, and the exact one of KEEPALIVE.
bool is_length_of_type(std::size_t length_octets, MessageType type) {
    switch (type) {
    case MessageType::Open:
        return length_octets >= 29;
    case MessageType::Update:
        return length_octets >= 23;
    case MessageType::Notification:
        return length_octets >= 21;
    case MessageType::Keepalive:
        return length_octets == header_octets;
    case MessageType::RouteRefresh:
        return length_octets == route_refresh_octets;
    }
    return false;
}

} // namespace

//  0                   16      18     19
// +-------------------+-------+------+------ … ------+
// | marker, 16 x FF   |length | type | body          |
// +-------------------+-------+------+------ … ------+
std::expected<std::optional<Frame>, Error> next_frame(std::span<const std::uint8_t> stream,
                                                      bool enhanced_route_refresh) {
    const auto marker = stream.first(std::min<std::size_t>(stream.size(), 16));
    // A wrong marker is told at its first wrong octet: no later one can mend it.
    if (std::ranges::any_of(marker, [](std::uint8_t octet) { return octet != 0xFF; })) {
        return std::unexpected(errors::connection_not_synchronized());
    }
    constexpr std::size_t length_end = 18;
    if (stream.size() < length_end) {
        return std::nullopt;
    }
    const auto length = static_cast<std::uint16_t>(stream[16] << 8 | stream[17]);
    // Nor is a type waited for: a peer that believes in this length sends no more.
    if (length < header_octets || length > max_message_octets) {
        return std::unexpected(errors::bad_message_length(length));
    }
    if (stream.size() < header_octets) {
        return std::nullopt;
    }
    const std::uint8_t raw_type = stream[18];
    if (raw_type < 1 || raw_type > 5) {
        return std::unexpected(errors::bad_message_type(raw_type));
    }
    const auto type = static_cast<MessageType>(raw_type);
    const bool fits = is_length_of_type(length, type);
    const bool wants_whole_message = type == MessageType::RouteRefresh && enhanced_route_refresh;
    if (!fits && !wants_whole_message) {
        return std::unexpected(errors::bad_message_length(length));
    }
    if (stream.size() < length) {
        return std::nullopt;
    }
    const auto whole = stream.first(length);
    if (!fits) {
        return std::unexpected(errors::bad_route_refresh_length(whole));
    }
    return Frame{type, whole.subspan(header_octets), whole};
}

} // namespace anyvip::bgp::wire
