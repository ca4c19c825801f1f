// SPDX-License-Identifier: Apache-2.0
// What the loopback interface says of a connection on it.
#include "bgp/net/endpoints.hpp"

#include <algorithm>

#include <doctest/doctest.h>

#include "test/unit/bgp/net/loopback.hpp"

using namespace anyvip;
using namespace anyvip::bgp;
using namespace anyvip::bgp::net;
using namespace anyvip::bgp::net::test;

TEST_CASE("both ends, the interface and its subnets are found") {
    const Pair pair = connect_pair();
    const auto ends = read_endpoints(pair.ours.handle(), {});
    REQUIRE(ends);
    CHECK(ends->local == loopback);
    CHECK(ends->remote == loopback);
    CHECK(ends->interface == "lo");
    CHECK(std::ranges::count(ends->local_subnets, *Prefix::parse("127.0.0.0/8")) == 1);
}

TEST_CASE("a loopback address and a VIP are no candidates for a next hop") {
    const Pair pair = connect_pair();
    const auto ends = read_endpoints(pair.ours.handle(), {loopback});
    REQUIRE(ends);
    CHECK(ends->interface_ipv4 != loopback);
    CHECK(std::ranges::count(ends->local_subnets, *Prefix::parse("127.0.0.0/8")) == 0);
}

TEST_CASE("a socket that is not connected has no endpoints") {
    const RawSocket socket;
    CHECK_FALSE(read_endpoints(socket.handle(), {}));
}
