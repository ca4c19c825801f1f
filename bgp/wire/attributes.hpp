// SPDX-License-Identifier: Apache-2.0
// The path attributes that we originate, as a value: what one UPDATE says about its prefixes.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "bgp/types.hpp"

namespace anyvip::bgp::wire {

/// Next hop of a route. IPv4 alone, or IPv6 with an optional link-local second address (RFC 2545
/// §3).
struct NextHop {
    IpAddress address;
    std::optional<IpAddress> link_local;

    template <class Archive> void transfer(Archive& archive) {
        archive.field(1, address);
        archive.field(2, link_local);
    }

    friend auto operator<=>(const NextHop&, const NextHop&) = default;
};

/// Attributes of an announcement. ORIGIN is always IGP; AS_PATH is `path_count` times our ASN (0 on
/// iBGP).
struct PathAttributes {
    NextHop next_hop;
    std::uint32_t path_count = 1;
    std::optional<std::uint32_t> med;
    std::optional<std::uint32_t> local_pref;             ///< iBGP only
    std::vector<Community> communities;                  ///< sorted, unique
    std::vector<ExtendedCommunity> extended_communities; ///< sorted, unique
    std::vector<LargeCommunity> large_communities;       ///< sorted, unique

    template <class Archive> void transfer(Archive& archive) {
        archive.field(1, next_hop);
        archive.field(2, path_count);
        archive.field(3, med);
        archive.field(4, local_pref);
        archive.field(5, communities);
        archive.field(6, extended_communities);
        archive.field(7, large_communities);
    }

    friend auto operator<=>(const PathAttributes&, const PathAttributes&) = default;
};

} // namespace anyvip::bgp::wire
