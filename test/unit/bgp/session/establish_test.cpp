// SPDX-License-Identifier: Apache-2.0
// From dialling to Established and back: the plain life of a session.
#include <doctest/doctest.h>

#include "test/unit/bgp/session/bench.hpp"

using namespace anyvip;
using namespace anyvip::test;
using bgp::SessionState;

TEST_CASE("F01: OPEN is the first message, nothing else before the router's OPEN") {
    Bench bench;
    bench.start();
    CHECK(bench.state() == SessionState::Connect);
    CHECK(bench.connects.size() == 1);
    bench.accept();
    CHECK(bench.state() == SessionState::OpenSent);
    const auto messages = bench.messages();
    REQUIRE(messages.size() == 1);
    CHECK(raw::to_hex(messages[0].body) ==
          raw::to_hex(raw::join({
              raw::hex("04"),                // version
              raw::u16(65010),               // my AS
              raw::hex("0009"),              // hold time
              raw::hex("0a00000b"),          // BGP identifier
              raw::u8(messages[0].body[9]),  // length of the parameters
              raw::hex("02"),                // capabilities
              raw::u8(messages[0].body[11]), // in one parameter
              raw::Octets(messages[0].body.begin() + 12, messages[0].body.end()),
          })));
    CHECK(messages[0].body[9] == messages[0].body.size() - 10);
    bench.advance(100s);
    CHECK(bench.heard().empty());
}

TEST_CASE("F02, F03: KEEPALIVE after OPEN; UPDATEs, then End-of-RIB once for each family") {
    Bench bench;
    bench.peer.want(prefix("203.0.113.10/32"), plain_intent());
    bench.peer.allow_end_of_rib(bench.now);
    bench.start();
    bench.accept();
    (void)bench.heard();
    bench.say(raw::open(Bench::usual_open()));
    CHECK(bench.heard() == Lines{"KEEPALIVE"});
    CHECK(bench.state() == SessionState::OpenConfirm);
    bench.say(raw::keepalive());
    CHECK(bench.state() == SessionState::Established);
    CHECK(bench.heard() == Lines{"UPDATE 0000"    // no withdrawn routes
                                 "0014"           // 20 octets of attributes
                                 "40010100"       // ORIGIN IGP
                                 "4002060201"     // AS_PATH, one AS_SEQUENCE of one
                                 "0000fdf2"       // 65010
                                 "4003040a00000b" // NEXT_HOP
                                 "20cb00710a",
                                 end_of_rib_v4,
                                 end_of_rib_v6});
    CHECK(bench.peer.is_advertised(prefix("203.0.113.10/32")));
    CHECK(bench.events == Lines{"up"});
    bench.flush();
    CHECK(bench.heard().empty());
}

TEST_CASE("a withdraw is in the output of the turn that wanted it") {
    Bench bench;
    bench.peer.allow_end_of_rib(bench.now);
    bench.peer.want(prefix("203.0.113.10/32"), plain_intent());
    bench.peer.want(prefix("2001:db8:1::10/128"), plain_intent());
    bench.establish();
    bench.peer.want(prefix("203.0.113.10/32"), nullptr);
    bench.peer.want(prefix("2001:db8:1::10/128"), nullptr);
    bench.flush();
    CHECK(bench.heard() == Lines{"UPDATE 000520cb00710a0000",
                                 "UPDATE 00000017" // no withdrawn routes, 23 octets of attributes
                                 "800f14000201"    // MP_UNREACH_NLRI of IPv6 unicast
                                 "8020010db8000100000000000000000010"});
    CHECK_FALSE(bench.peer.is_advertised(prefix("203.0.113.10/32")));
    CHECK(bench.peer.withdrawals_acknowledged());
}

TEST_CASE("a session that breaks is dialled again and gets all routes again") {
    Bench bench;
    bench.peer.allow_end_of_rib(bench.now);
    bench.peer.want(prefix("203.0.113.10/32"), plain_intent());
    bench.establish();
    bench.hang_up();
    CHECK(bench.state() == SessionState::Idle);
    CHECK_FALSE(bench.peer.is_advertised(prefix("203.0.113.10/32")));
    CHECK(bench.events == Lines{"down: end of file"});
    bench.advance(250ms);
    CHECK(bench.state() == SessionState::Connect);
    bench.accept();
    bench.say(raw::join({raw::open(Bench::usual_open()), raw::keepalive()}));
    const Lines heard = bench.heard();
    REQUIRE(heard.size() == 5);
    CHECK(heard[0] == "OPEN");
    CHECK(heard[2].ends_with("20cb00710a"));
    CHECK(heard[4] == end_of_rib_v6);
    CHECK(bench.peer.status().resets == 1);
}
