// SPDX-License-Identifier: Apache-2.0
// Intent and policy merged into attributes (PROTOCOL section 4.1, 4.6).
#include <doctest/doctest.h>

#include "bgp/rib/route.hpp"

using namespace anyvip;
using namespace anyvip::bgp;

namespace {

const wire::NextHop next_hop{.address = IpAddress::v4(0x0a00000b), .link_local = std::nullopt};
const ExportContext external{.local_asn = Asn{65010}, .is_internal = false};
const ExportContext internal{.local_asn = Asn{65010}, .is_internal = true};

} // namespace

TEST_CASE(
    "RFC 4271 §5.1.5: no LOCAL_PREF towards external peers, 100 by default towards internal") {
    ExportPolicy policy;
    CHECK_FALSE(export_attributes({}, policy, external, next_hop).local_pref);
    CHECK(export_attributes({}, policy, internal, next_hop).local_pref == 100);
    policy.local_pref = 250;
    CHECK_FALSE(export_attributes({}, policy, external, next_hop).local_pref);
    CHECK(export_attributes({}, policy, internal, next_hop).local_pref == 250);
}

TEST_CASE("RFC 4271 §5.1.2: prepending adds up on eBGP and means nothing on iBGP") {
    ExportPolicy policy;
    policy.prepend = 2;
    RouteIntent intent;
    intent.prepend = 3;
    CHECK(export_attributes(intent, policy, external, next_hop).path_count == 6);
    CHECK(export_attributes(intent, policy, internal, next_hop).path_count == 0);
    intent.prepend = 0xffffffff;
    CHECK(export_attributes(intent, policy, external, next_hop).path_count == 255);
}

TEST_CASE("RFC 8326 §4.1: a drain adds GRACEFUL_SHUTDOWN, on iBGP LOCAL_PREF 0 too") {
    RouteIntent intent;
    intent.is_draining = true;
    CHECK(export_attributes(intent, {}, external, next_hop).communities ==
          std::vector{graceful_shutdown});
    CHECK(export_attributes(intent, {}, internal, next_hop).local_pref == 0);
}

TEST_CASE("a backup has LOCAL_PREF 0 on iBGP and no community") {
    RouteIntent intent;
    intent.is_backup = true;
    const auto attributes = export_attributes(intent, {}, internal, next_hop);
    CHECK(attributes.local_pref == 0);
    CHECK(attributes.communities.empty());
}

TEST_CASE("the MED of the VIP wins over that of the peer") {
    ExportPolicy policy;
    policy.med = 5;
    RouteIntent intent;
    CHECK(export_attributes(intent, policy, external, next_hop).med == 5);
    intent.med = 0;
    CHECK(export_attributes(intent, policy, external, next_hop).med == 0);
}

TEST_CASE("communities of VIP and peer are sorted and unique") {
    RouteIntent intent;
    intent.communities = {no_export, Community{7}};
    intent.large_communities = {{3, 2, 1}, {1, 2, 3}};
    ExportPolicy policy;
    policy.communities = {Community{7}, Community{1}};
    policy.large_communities = {{1, 2, 3}};
    const auto attributes = export_attributes(intent, policy, external, next_hop);
    CHECK(attributes.communities == std::vector{Community{1}, Community{7}, no_export});
    CHECK(attributes.large_communities ==
          std::vector{LargeCommunity{1, 2, 3}, LargeCommunity{3, 2, 1}});
}

TEST_CASE("link bandwidth is one extended community, and never 0") {
    RouteIntent intent;
    intent.bandwidth_bytes_per_second = 1.25e9F;
    CHECK(export_attributes(intent, {}, external, next_hop).extended_communities ==
          std::vector{link_bandwidth(Asn{65010}, 1.25e9F)});
    intent.bandwidth_bytes_per_second = 0.0F;
    CHECK(export_attributes(intent, {}, external, next_hop).extended_communities.empty());
}
