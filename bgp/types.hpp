// SPDX-License-Identifier: Apache-2.0
// Value types of BGP that are validated where they enter and then never again.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "bgp/ip.hpp"

namespace anyvip {

/// A moment of the monotonic clock. The core is told the time, it never asks for it.
using Instant = std::chrono::steady_clock::time_point;
using Duration = std::chrono::nanoseconds;

} // namespace anyvip

namespace anyvip::bgp {

/// Autonomous system number, four octets (RFC 6793).
struct Asn {
    std::uint32_t value = 0;

    template <class Archive> void transfer(Archive& archive) { archive.field(1, value); }

    friend constexpr auto operator<=>(const Asn&, const Asn&) = default;
};

/// AS_TRANS (RFC 6793 §9): stands in two-octet fields for a number that does not fit.
inline constexpr Asn as_trans{23456};

/// BGP Identifier (RFC 6286): any non-zero 32-bit number, printed as an IPv4 address.
struct RouterId {
    std::uint32_t value = 0;

    template <class Archive> void transfer(Archive& archive) { archive.field(1, value); }

    friend constexpr auto operator<=>(const RouterId&, const RouterId&) = default;
};

/// Standard community (RFC 1997).
struct Community {
    std::uint32_t value = 0;

    template <class Archive> void transfer(Archive& archive) { archive.field(1, value); }

    friend constexpr auto operator<=>(const Community&, const Community&) = default;
};

inline constexpr Community no_export{0xFFFFFF01};
inline constexpr Community no_advertise{0xFFFFFF02};
inline constexpr Community graceful_shutdown{0xFFFF0000}; // RFC 8326

/// Extended community (RFC 4360), the eight octets as one big-endian number.
struct ExtendedCommunity {
    std::uint64_t value = 0;

    template <class Archive> void transfer(Archive& archive) { archive.field(1, value); }

    friend constexpr auto operator<=>(const ExtendedCommunity&, const ExtendedCommunity&) = default;
};

/// Large community (RFC 8092).
struct LargeCommunity {
    std::uint32_t global = 0;
    std::uint32_t local1 = 0;
    std::uint32_t local2 = 0;

    template <class Archive> void transfer(Archive& archive) {
        archive.field(1, global);
        archive.field(2, local1);
        archive.field(3, local2);
    }

    friend constexpr auto operator<=>(const LargeCommunity&, const LargeCommunity&) = default;
};

[[nodiscard]] std::string to_string(Asn asn);
[[nodiscard]] std::string to_string(RouterId id);
/// Well-known names ("no-export") or "A:B".
[[nodiscard]] std::string to_string(Community community);
/// "A:B:C"
[[nodiscard]] std::string to_string(LargeCommunity community);
/// "rt:A:B", "so:A:B", "bandwidth:AS:BYTES_PER_SECOND", else hexadecimal.
[[nodiscard]] std::string to_string(ExtendedCommunity community);

/// "A:B" with 16-bit halves, or a well-known name. The error says what is wrong.
[[nodiscard]] std::expected<Community, std::string> parse_community(std::string_view text);
/// "A:B:C", 32 bits each.
[[nodiscard]] std::expected<LargeCommunity, std::string>
parse_large_community(std::string_view text);
/// "rt:A:B" and "so:A:B": two-octet AS, four-octet AS or IPv4-address specific by the size of A
/// (RFC 4360, RFC 5668).
[[nodiscard]] std::expected<ExtendedCommunity, std::string>
parse_extended_community(std::string_view text);

/// Link bandwidth extended community (RFC 10005), transitive form 0x00 0x04: AS number or AS_TRANS,
/// IEEE-754 single, bytes a second.
[[nodiscard]] ExtendedCommunity link_bandwidth(Asn local, float bytes_per_second);

} // namespace anyvip::bgp
