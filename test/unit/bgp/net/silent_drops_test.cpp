// SPDX-License-Identifier: Apache-2.0
// Hints for attempts that nobody answers.
#include "bgp/net/silent_drops.hpp"

#include <doctest/doctest.h>

using namespace anyvip::bgp::net;

TEST_CASE("the counters are found by name in the TcpExt lines") {
    const SilentDrops drops = parse_silent_drops("TcpExt: A TCPMD5NotFound TCPMD5Unexpected B "
                                                 "TCPMD5Failure TCPMinTTLDrop TCPAOBad\n"
                                                 "TcpExt: 9 1 2 9 3 4 5\n"
                                                 "IpExt: TCPMD5NotFound\n"
                                                 "IpExt: 77\n");
    CHECK(drops == SilentDrops{1, 2, 3, 4, 5});
}

TEST_CASE("a text that is cut, empty or without the counters is all zero") {
    CHECK(parse_silent_drops("") == SilentDrops{});
    CHECK(parse_silent_drops("TcpExt: TCPMD5NotFound TCPMD5Failure") == SilentDrops{});
    CHECK(parse_silent_drops("TcpExt: TCPMD5NotFound TCPMD5Failure\nTcpExt: 4") ==
          SilentDrops{4, 0, 0, 0, 0});
}

TEST_CASE("without keys, GTSM and drops there is no hint") {
    CHECK(silent_drop_hint({}, {}, {}).empty());
}

TEST_CASE("the counter that moved names the mistake") {
    NetConfig plain;
    NetConfig signing;
    signing.password = "secret";
    NetConfig near;
    near.ttl_security = 1;
    const auto hint = [](const SilentDrops& after, const NetConfig& config) {
        return silent_drop_hint({1, 1, 1, 1, 1}, after, config);
    };
    CHECK(hint({1, 1, 3, 1, 1}, signing) ==
          "wrong TCP MD5 signatures received (TCPMD5Failure: 2 on this host meanwhile); compare "
          "the passwords");
    CHECK(hint({2, 1, 1, 1, 1}, signing).starts_with("unsigned segments received"));
    CHECK(hint({1, 2, 1, 1, 1}, plain).starts_with("signed segments received"));
    CHECK(hint({1, 1, 1, 2, 1}, near).starts_with("segments with too low a TTL received"));
    CHECK(hint({2, 1, 1, 2, 1}, plain).empty());
}

TEST_CASE("when no counter moved, what is configured and silent is named") {
    NetConfig config;
    config.ttl_security = 1;
    CHECK(silent_drop_hint({}, {}, config).starts_with("ttl_security drops in silence"));
    config.password_file = "key";
    CHECK(silent_drop_hint({}, {}, config).starts_with("a wrong or missing key is silent"));
}
