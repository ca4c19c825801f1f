// SPDX-License-Identifier: Apache-2.0
// OPEN and its capabilities (RFC 4271 §4.2, RFC 5492, RFC 9072): structure only, meaning is judged
// in session/negotiate.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <vector>

#include "bgp/types.hpp"
#include "bgp/wire/error.hpp"

namespace anyvip::bgp::wire {

/// AFI and SAFI as on the wire; unknown pairs are kept, they are no error.
struct AfiSafi {
    std::uint16_t afi = 0;
    std::uint8_t safi = 0;

    template <class Archive> void transfer(Archive& archive) {
        archive.field(1, afi);
        archive.field(2, safi);
    }

    friend constexpr auto operator<=>(const AfiSafi&, const AfiSafi&) = default;
};

inline constexpr AfiSafi ipv4_unicast{1, 1};
inline constexpr AfiSafi ipv6_unicast{2, 1};

[[nodiscard]] constexpr AfiSafi afi_safi(Family family) {
    return family == Family::Ipv4 ? ipv4_unicast : ipv6_unicast;
}

/// Extended Next Hop Encoding tuple (RFC 8950 §4).
struct ExtendedNextHop {
    std::uint16_t nlri_afi = 0;
    std::uint16_t nlri_safi = 0;
    std::uint16_t next_hop_afi = 0;

    template <class Archive> void transfer(Archive& archive) {
        archive.field(1, nlri_afi);
        archive.field(2, nlri_safi);
        archive.field(3, next_hop_afi);
    }

    friend constexpr auto operator<=>(const ExtendedNextHop&, const ExtendedNextHop&) = default;
};

/// ADD-PATH tuple (RFC 7911 §4): 1 receive, 2 send, 3 both.
struct AddPath {
    AfiSafi family;
    std::uint8_t send_receive = 0;

    template <class Archive> void transfer(Archive& archive) {
        archive.field(1, family);
        archive.field(2, send_receive);
    }

    friend constexpr auto operator<=>(const AddPath&, const AddPath&) = default;
};

/// Graceful Restart (RFC 4724 §3).
struct GracefulRestart {
    struct Tuple {
        AfiSafi family;
        std::uint8_t flags = 0;

        template <class Archive> void transfer(Archive& archive) {
            archive.field(1, family);
            archive.field(2, flags);
        }

        friend constexpr auto operator<=>(const Tuple&, const Tuple&) = default;
    };

    std::uint8_t flags = 0; ///< high nibble of the first octet: 0x8 restart state, 0x4 N (RFC 8538)
    std::uint16_t restart_time_s = 0;
    std::vector<Tuple> tuples;

    template <class Archive> void transfer(Archive& archive) {
        archive.field(1, flags);
        archive.field(2, restart_time_s);
        archive.field(3, tuples);
    }

    friend bool operator==(const GracefulRestart&, const GracefulRestart&) = default;
};

struct Capabilities {
    std::vector<AfiSafi> multiprotocol;              ///< code 1, accumulated
    bool route_refresh = false;                      ///< code 2
    std::vector<ExtendedNextHop> extended_next_hop;  ///< code 5, accumulated
    std::optional<std::uint8_t> role;                ///< code 9 (RFC 9234), the first one
    bool has_conflicting_roles = false;              ///< code 9 twice with different values
    std::optional<GracefulRestart> graceful_restart; ///< code 64, the last one wins
    std::optional<Asn> four_octet_asn;               ///< code 65
    std::vector<AddPath> add_path;                   ///< code 69, the last one wins
    bool enhanced_route_refresh = false;             ///< code 70
    std::vector<std::uint8_t>
        other_codes; ///< seen but not understood or of wrong length, for display; at most 64

    template <class Archive> void transfer(Archive& archive) {
        archive.field(1, multiprotocol);
        archive.field(2, route_refresh);
        archive.field(3, extended_next_hop);
        archive.field(4, role);
        archive.field(5, has_conflicting_roles);
        archive.field(6, graceful_restart);
        archive.field(7, four_octet_asn);
        archive.field(8, add_path);
        archive.field(9, enhanced_route_refresh);
        archive.field(10, other_codes);
    }

    friend bool operator==(const Capabilities&, const Capabilities&) = default;
};

/// OPEN as on the wire. `my_as` is the two-octet field, 23456 when the real number is in
/// capability 65.
struct Open {
    std::uint8_t version = 4;
    std::uint16_t my_as = 0;
    std::uint16_t hold_time_s = 0;
    RouterId router_id;
    /// nullopt: no optional parameters at all (sent in the capability fallback, RFC 5492 §3).
    std::optional<Capabilities> capabilities;

    template <class Archive> void transfer(Archive& archive) {
        archive.field(1, version);
        archive.field(2, my_as);
        archive.field(3, hold_time_s);
        archive.field(4, router_id);
        archive.field(5, capabilities);
    }

    friend bool operator==(const Open&, const Open&) = default;
};

/// Body of an OPEN (behind the 19-octet header). Errors: Unsupported Version Number 2/1 with data
/// 00 04, Unsupported Optional Parameter 2/4, malformed parameters or capabilities 2/0, capability
/// 65 twice with different values 2/2.
[[nodiscard]] std::expected<Open, Error> decode_open(std::span<const std::uint8_t> body);

/// The whole message with header; all capabilities in ONE parameter of type 2.
[[nodiscard]] std::vector<std::uint8_t> encode_open(const Open& open);

/// The capability TLVs alone, for the data of Unsupported Capability 2/7.
[[nodiscard]] std::vector<std::uint8_t> encode_capabilities(const Capabilities& capabilities);

} // namespace anyvip::bgp::wire
