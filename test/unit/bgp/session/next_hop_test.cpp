// SPDX-License-Identifier: Apache-2.0
// Which next hop is sent (PROTOCOL section 4.4).
#include <doctest/doctest.h>

#include "bgp/session/next_hop.hpp"
#include "test/unit/bgp/session/bench.hpp"

using namespace anyvip;
using namespace anyvip::test;

namespace {

std::string text(const std::expected<bgp::wire::NextHop, std::string>& choice) {
    if (!choice) {
        return choice.error();
    }
    const auto& link_local = choice->link_local;
    return to_string(choice->address) + (link_local ? " " + to_string(*link_local) : "");
}

std::string choose(Family family,
                   const bgp::PeerConfig& config,
                   const bgp::Endpoints& endpoints,
                   const bgp::Negotiated& negotiated = {}) {
    return text(bgp::choose_next_hop(
        family, config, endpoints, negotiated, [](const IpAddress&) { return false; }));
}

bgp::Endpoints over_ipv6() {
    auto endpoints = usual_endpoints();
    endpoints.local = ip("2001:db8::11");
    endpoints.remote = ip("2001:db8::1");
    return endpoints;
}

bgp::Endpoints over_link_local() {
    auto endpoints = usual_endpoints();
    endpoints.local = ip("fe80::11");
    endpoints.remote = ip("fe80::1");
    endpoints.local_subnets.push_back(prefix("fe80::/64")); // as the kernel lists it
    endpoints.interface_ipv4.reset();
    endpoints.interface_ipv6.reset();
    return endpoints;
}

} // namespace

TEST_CASE("IPv4 session: our address for IPv4, the interface's global address for IPv6") {
    const auto config = usual_config();
    auto endpoints = usual_endpoints();
    CHECK(choose(Family::Ipv4, config, endpoints) == "10.0.0.11");
    CHECK(choose(Family::Ipv6, config, endpoints) == "2001:db8::11");
    endpoints.interface_ipv6.reset();
    CHECK(choose(Family::Ipv6, config, endpoints).starts_with("no usable next hop"));
}

TEST_CASE("RFC 2545 §3: the link-local address goes along on a shared subnet") {
    auto config = usual_config();
    auto endpoints = over_ipv6();
    CHECK(choose(Family::Ipv6, config, endpoints) == "2001:db8::11 fe80::11");
    CHECK(choose(Family::Ipv4, config, endpoints) == "10.0.0.11");
    config.ipv6_link_local_next_hop = bgp::LinkLocalNextHop::Never;
    CHECK(choose(Family::Ipv6, config, endpoints) == "2001:db8::11");
    config.multihop = 2;
    config.ipv6_link_local_next_hop = bgp::LinkLocalNextHop::Auto;
    CHECK(choose(Family::Ipv6, config, endpoints) == "2001:db8::11");
    config.ipv6_link_local_next_hop = bgp::LinkLocalNextHop::Always;
    CHECK(choose(Family::Ipv6, config, endpoints) == "2001:db8::11 fe80::11");
}

TEST_CASE("link-local session: never `::` in front of the link-local address") {
    auto config = usual_config();
    auto endpoints = over_link_local();
    bgp::Negotiated negotiated;
    negotiated.extended_next_hop = true;
    CHECK(choose(Family::Ipv6, config, endpoints) == "fe80::11 fe80::11");
    CHECK(choose(Family::Ipv4, config, endpoints, negotiated) == "fe80::11 fe80::11");
    endpoints.interface_ipv6 = ip("2001:db8::11");
    CHECK(choose(Family::Ipv6, config, endpoints) == "2001:db8::11 fe80::11");
    CHECK(choose(Family::Ipv4, config, endpoints, negotiated) == "2001:db8::11 fe80::11");
    endpoints.interface_ipv6.reset();
    config.ipv6_link_local_next_hop = bgp::LinkLocalNextHop::Never;
    CHECK(choose(Family::Ipv6, config, endpoints) == "fe80::11");
}

TEST_CASE("configured next hops win, on the router's subnet") {
    auto config = usual_config();
    config.next_hop_ipv4 = ip("10.0.0.77");
    config.next_hop_ipv6 = ip("2001:db8::77");
    CHECK(choose(Family::Ipv4, config, usual_endpoints()) == "10.0.0.77");
    CHECK(choose(Family::Ipv6, config, usual_endpoints()) == "2001:db8::77");
    config.next_hop_ipv4 = ip("192.0.2.77");
    CHECK(choose(Family::Ipv4, config, usual_endpoints()).find("not on the subnet") !=
          std::string::npos);
    config.multihop = 2;
    CHECK(choose(Family::Ipv4, config, usual_endpoints()) == "192.0.2.77");
}

TEST_CASE("loopback is a next hop only for a router on this host") {
    auto endpoints = usual_endpoints();
    endpoints.local = ip("127.0.0.2");
    CHECK(choose(Family::Ipv4, usual_config(), endpoints).find("loopback") != std::string::npos);
    endpoints.remote = ip("127.0.0.1");
    CHECK(choose(Family::Ipv4, usual_config(), endpoints) == "127.0.0.2");
}
