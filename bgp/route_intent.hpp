// SPDX-License-Identifier: Apache-2.0
// What a VIP asks of every peer: a value that vip/ makes and bgp/rib turns into path attributes.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "bgp/types.hpp"

namespace anyvip::bgp {

/// What is wanted for one prefix, before a peer's own policy. Shared by all prefixes of a VIP.
struct RouteIntent {
    std::uint32_t prepend = 0; ///< extra copies of our ASN, eBGP only; in backup the backup prepend
    std::optional<std::uint32_t> med;
    std::vector<Community> communities;
    std::vector<ExtendedCommunity> extended_communities;
    std::vector<LargeCommunity> large_communities;
    std::optional<float> bandwidth_bytes_per_second; ///< link bandwidth community
    bool is_draining = false; ///< GRACEFUL_SHUTDOWN (RFC 8326), on iBGP LOCAL_PREF 0
    bool is_backup = false;   ///< on iBGP LOCAL_PREF 0

    template <class Archive> void transfer(Archive& archive) {
        archive.field(1, prepend);
        archive.field(2, med);
        archive.field(3, communities);
        archive.field(4, extended_communities);
        archive.field(5, large_communities);
        archive.field(6, bandwidth_bytes_per_second);
        archive.field(7, is_draining);
        archive.field(8, is_backup);
    }

    friend bool operator==(const RouteIntent&, const RouteIntent&) = default;
};

using RouteIntentPtr = std::shared_ptr<const RouteIntent>;

} // namespace anyvip::bgp
