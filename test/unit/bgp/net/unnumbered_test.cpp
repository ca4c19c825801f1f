// SPDX-License-Identifier: Apache-2.0
// What an unnumbered peer says when its interface is not there. The exchange with a router is
// tested in the lab, on real links.
#include "bgp/net/unnumbered.hpp"

#include <doctest/doctest.h>

#include "test/unit/bgp/net/loopback.hpp"

using namespace anyvip::bgp::net;
using namespace anyvip::bgp::net::test;

TEST_CASE("a missing interface is a problem with its name, told from the loop") {
    boost::asio::io_context io;
    int changes = 0;
    const RouterDiscovery discovery(io, "nonexistent0", true, [&] { ++changes; });
    CHECK(discovery.problem().empty());
    CHECK(run_until(io, [&] { return changes == 1; }));
    CHECK(discovery.problem() == "no interface \"nonexistent0\"");
    CHECK_FALSE(discovery.router());
}
