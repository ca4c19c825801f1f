// SPDX-License-Identifier: Apache-2.0
// NOTIFICATION (RFC 4271 §4.5), shutdown messages (RFC 9003), Hard Reset (RFC 8538), KEEPALIVE and
// ROUTE-REFRESH.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bgp/types.hpp"
#include "bgp/wire/error.hpp"
#include "bgp/wire/open.hpp"

namespace anyvip::bgp::wire {

/// Cease subcodes (RFC 4486, RFC 8538, RFC 9384).
enum class Cease : std::uint8_t {
    MaximumPrefixes = 1,
    AdministrativeShutdown = 2,
    PeerDeconfigured = 3,
    AdministrativeReset = 4,
    ConnectionRejected = 5,
    OtherConfigurationChange = 6,
    ConnectionCollisionResolution = 7,
    OutOfResources = 8,
    HardReset = 9,
    BfdDown = 10,
};

struct Notification {
    std::uint8_t code = 0;
    std::uint8_t subcode = 0;
    std::vector<std::uint8_t> data; ///< at most 4075 octets
    friend bool operator==(const Notification&, const Notification&) = default;
};

/// Body of a NOTIFICATION; nullopt when shorter than two octets (never answered, RFC 4271 §6.4).
[[nodiscard]] std::optional<Notification> decode_notification(std::span<const std::uint8_t> body);
[[nodiscard]] std::vector<std::uint8_t> encode_notification(const Notification& notification);

/// Cease with a shutdown communication (RFC 9003): only subcodes 2 and 4 carry it; cut at 128
/// octets on a character border.
[[nodiscard]] Notification cease(Cease subcode, std::string_view message = {});

/// "Cease/Administrative Shutdown", "Hold Timer Expired", "OPEN Message Error/Bad Peer AS", "code
/// 99/99".
[[nodiscard]] std::string name(std::uint8_t code, std::uint8_t subcode);

/// The human part of a received NOTIFICATION, safe to print (control characters and bad UTF-8
/// replaced): shutdown message, the decoded inner notification of a Hard Reset, else data in
/// hexadecimal (at most 64 octets); may be empty.
[[nodiscard]] std::string describe_data(const Notification& notification);

/// The 19 octets of a KEEPALIVE.
[[nodiscard]] std::span<const std::uint8_t> keepalive();

/// ROUTE-REFRESH subtypes (RFC 2918, RFC 7313).
enum class RefreshSubtype : std::uint8_t {
    Request = 0,
    BeginOfRouteRefresh = 1,
    EndOfRouteRefresh = 2
};

struct RouteRefresh {
    AfiSafi family;
    std::uint8_t subtype = 0; ///< raw: unknown values are ignored by the session
    friend bool operator==(const RouteRefresh&, const RouteRefresh&) = default;
};

/// Body of exactly 4 octets (the framer has checked the length).
[[nodiscard]] RouteRefresh decode_route_refresh(std::span<const std::uint8_t> body);
[[nodiscard]] std::vector<std::uint8_t> encode_route_refresh(const RouteRefresh& refresh);

} // namespace anyvip::bgp::wire
