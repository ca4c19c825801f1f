// SPDX-License-Identifier: Apache-2.0
// Intent, policy and session merged into one attribute set.
#include "bgp/rib/route.hpp"

#include <algorithm>

namespace anyvip::bgp {

namespace {

constexpr std::uint32_t default_local_pref = 100;
// Longer prepends help nobody: routers cut paths at 255 or fewer hops.
constexpr std::uint32_t max_path_count = 255;

template <typename T> std::vector<T> merged(std::vector<T> one, const std::vector<T>& other) {
    one.insert(one.end(), other.begin(), other.end());
    return one;
}

template <typename T> void make_sorted_unique(std::vector<T>& values) {
    std::ranges::sort(values);
    const auto rest = std::ranges::unique(values);
    values.erase(rest.begin(), rest.end());
}

} // namespace

wire::PathAttributes export_attributes(const RouteIntent& intent,
                                       const ExportPolicy& policy,
                                       const ExportContext& context,
                                       const wire::NextHop& next_hop) {
    wire::PathAttributes attributes;
    attributes.next_hop = next_hop;
    attributes.med = intent.med ? intent.med : policy.med;
    if (context.is_internal) {
        // RFC 4271 §5.1.2, §5.1.5: towards an internal peer the path stays as it is and LOCAL_PREF
        // is mandatory. RFC 8326 §4.1: 0 while draining; a backup is the last resort likewise.
        attributes.path_count = 0;
        attributes.local_pref = intent.is_draining || intent.is_backup
                                    ? 0
                                    : policy.local_pref.value_or(default_local_pref);
    } else {
        const std::uint64_t count = std::uint64_t{1} + intent.prepend + policy.prepend;
        attributes.path_count =
            static_cast<std::uint32_t>(std::min<std::uint64_t>(count, max_path_count));
    }
    attributes.communities = merged(intent.communities, policy.communities);
    if (intent.is_draining) {
        attributes.communities.push_back(graceful_shutdown);
    }
    attributes.extended_communities =
        merged(intent.extended_communities, policy.extended_communities);
    if (intent.bandwidth_bytes_per_second && *intent.bandwidth_bytes_per_second > 0) {
        attributes.extended_communities.push_back(
            link_bandwidth(context.local_asn, *intent.bandwidth_bytes_per_second));
    }
    attributes.large_communities = merged(intent.large_communities, policy.large_communities);
    if (policy.node_mark) {
        attributes.large_communities.push_back(
            {context.local_asn.value, 1, policy.node_mark->value});
    }
    make_sorted_unique(attributes.communities);
    make_sorted_unique(attributes.extended_communities);
    make_sorted_unique(attributes.large_communities);
    return attributes;
}

} // namespace anyvip::bgp
