// SPDX-License-Identifier: Apache-2.0
// What a peer's own policy and session make of the route that a VIP asks for.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "bgp/route_intent.hpp"
#include "bgp/types.hpp"
#include "bgp/wire/attributes.hpp"

namespace anyvip::bgp {

/// The part of a peer's configuration that shapes attributes.
struct ExportPolicy {
    std::uint32_t prepend = 0;
    std::optional<std::uint32_t> med; ///< used when the intent has none
    std::optional<std::uint32_t> local_pref;
    std::vector<Community> communities;
    std::vector<ExtendedCommunity> extended_communities;
    std::vector<LargeCommunity> large_communities;
    std::optional<RouterId> node_mark; ///< adds the large community local_asn:1:node_mark

    template <class Archive> void transfer(Archive& archive) {
        archive.field(1, prepend);
        archive.field(2, med);
        archive.field(3, local_pref);
        archive.field(4, communities);
        archive.field(5, extended_communities);
        archive.field(6, large_communities);
        archive.field(7, node_mark);
    }

    friend bool operator==(const ExportPolicy&, const ExportPolicy&) = default;
};

/// Facts of the session that attributes depend on.
struct ExportContext {
    Asn local_asn;
    bool is_internal = false;

    template <class Archive> void transfer(Archive& archive) {
        archive.field(1, local_asn);
        archive.field(2, is_internal);
    }

    friend bool operator==(const ExportContext&, const ExportContext&) = default;
};

/// The attributes to send: intent and policy merged, communities sorted and unique. The next hop is
/// the caller's.
[[nodiscard]] wire::PathAttributes export_attributes(const RouteIntent& intent,
                                                     const ExportPolicy& policy,
                                                     const ExportContext& context,
                                                     const wire::NextHop& next_hop);

} // namespace anyvip::bgp
