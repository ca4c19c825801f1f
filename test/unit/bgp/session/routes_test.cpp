// SPDX-License-Identifier: Apache-2.0
// Routes of an Established session (PROTOCOL A06 to A15, U09, U18; sections 4.3 to 4.7, 5.4).
#include <doctest/doctest.h>

#include <algorithm>

#include "test/unit/bgp/session/bench.hpp"

using namespace anyvip;
using namespace anyvip::test;
using bgp::SessionState;
using bgp::Slot;

namespace {

const Prefix vip4 = prefix("203.0.113.10/32");
const Prefix vip6 = prefix("2001:db8:1::10/128");

Prefix numbered(std::uint32_t number) {
    return Prefix::host(IpAddress::v4(0xcb000000 + number));
}

Bench with_end_of_rib(bgp::PeerConfig config = usual_config()) {
    Bench bench(std::move(config));
    bench.peer.allow_end_of_rib(bench.now);
    return bench;
}

raw::OpenFields without_enhanced_refresh() {
    auto fields = Bench::usual_open();
    fields.capabilities = raw::join(
        {raw::hex("01 04 00010001 01 04 00020001 02 00"), raw::capability(65, raw::u32(65001))});
    return fields;
}

const raw::Octets path_attributes = raw::hex("40010100 40020602010000fde9 4003040a000001");

} // namespace

TEST_CASE("A06: the withdraw of one turn precedes its announcement") {
    Bench bench = with_end_of_rib();
    bench.peer.want(numbered(2), plain_intent());
    bench.establish();
    bench.peer.want(numbered(1), plain_intent());
    bench.peer.want(numbered(2), nullptr);
    bench.flush();
    const Lines heard = bench.heard();
    REQUIRE(heard.size() == 2);
    CHECK(heard[0] == "UPDATE 000520cb0000020000");
    CHECK(heard[1].ends_with("20cb000001"));
}

TEST_CASE("A07, A14: what is the same as before is not sent, be it by intent or by configuration") {
    Bench bench = with_end_of_rib();
    bench.peer.want(vip4, plain_intent());
    bench.establish();
    bench.peer.want(vip4, nullptr);
    bench.peer.want(vip4, plain_intent());
    bench.flush();
    bench.peer.reconfigure(usual_config(), bench.now);
    bench.flush();
    bench.peer.allow_end_of_rib(bench.now);
    bench.settle();
    CHECK(bench.heard().empty());
}

TEST_CASE("a changed policy is announced at once without a reset") {
    Bench bench = with_end_of_rib();
    bench.peer.want(vip4, plain_intent());
    bench.establish();
    auto config = usual_config();
    config.policy.communities = {bgp::no_export};
    bench.peer.reconfigure(config, bench.now);
    bench.flush();
    const Lines heard = bench.heard();
    REQUIRE(heard.size() == 1);
    CHECK(heard[0].find("c00804ffffff01") != std::string::npos);
    CHECK(bgp::Peer::needs_reset(usual_config(), config).empty());
    config.hold_time = 30s;
    CHECK(bgp::Peer::needs_reset(usual_config(), config) == Lines{"hold_time"});
}

TEST_CASE("A08: a drain announces GRACEFUL_SHUTDOWN, and withdraws later") {
    Bench bench = with_end_of_rib();
    bench.peer.want(vip4, plain_intent());
    bench.establish();
    bgp::RouteIntent draining;
    draining.is_draining = true;
    bench.peer.want(vip4, std::make_shared<const bgp::RouteIntent>(draining));
    bench.flush();
    Lines heard = bench.heard();
    REQUIRE(heard.size() == 1);
    CHECK(heard[0].starts_with("UPDATE 0000"));
    CHECK(heard[0].find("c00804ffff0000") != std::string::npos);
    CHECK(bench.peer.is_advertised(vip4));
}

TEST_CASE("A09: extended next hop carries IPv4 over an IPv6 session, and only when both offer it") {
    auto config = usual_config();
    config.extended_next_hop = true;
    const auto endpoints = [] {
        auto value = usual_endpoints();
        value.local = ip("2001:db8::11");
        value.remote = ip("2001:db8::1");
        value.interface_ipv4.reset();
        value.interface_link_local.reset();
        return value;
    }();
    Bench bench(config);
    bench.endpoints = endpoints;
    bench.peer.want(vip4, plain_intent());
    auto fields = Bench::usual_open();
    fields.capabilities = raw::join({fields.capabilities, raw::hex("05 06 0001 0001 0002")});
    bench.start();
    bench.accept();
    bench.say(raw::join({raw::open(fields), raw::keepalive()}));
    CHECK(bench.heard().at(2) == "UPDATE 0000002a" // 42 octets of attributes
                                 "800e1a000101"    // MP_REACH_NLRI, IPv4 unicast
                                 "1020010db8000000000000000000000011"
                                 "00" // reserved
                                 "20cb00710a"
                                 "40010100"
                                 "40020602010000fdf2");
    bench.peer.want(vip4, nullptr);
    bench.flush();
    CHECK(bench.heard() == Lines{"UPDATE 0000000b800f0800010120cb00710a"});

    Bench other(config);
    other.endpoints = endpoints;
    other.peer.want(vip4, plain_intent());
    other.establish();
    CHECK_FALSE(other.peer.can_announce(Family::Ipv4));
    CHECK(other.peer.status().family_problem[0].starts_with("no usable next hop"));
    CHECK_FALSE(other.peer.is_advertised(vip4));
}

TEST_CASE("A11: ROUTE-REFRESH sends the family again, bracketed when enhanced, never End-of-RIB") {
    Bench bench = with_end_of_rib();
    bench.peer.want(vip4, plain_intent());
    bench.peer.want(vip6, plain_intent());
    bench.establish();
    bench.say(raw::route_refresh(1, 0, 1));
    Lines heard = bench.heard();
    REQUIRE(heard.size() == 3);
    CHECK(heard[0] == "REFRESH 00010101"); // BoRR
    CHECK(heard[1].ends_with("20cb00710a"));
    CHECK(heard[2] == "REFRESH 00010201"); // EoRR

    Bench plain = with_end_of_rib();
    plain.peer.want(vip4, plain_intent());
    plain.establish(without_enhanced_refresh());
    plain.say(raw::join({raw::route_refresh(1, 0, 1), raw::route_refresh(1, 0, 1)}));
    heard = plain.heard();
    REQUIRE(heard.size() == 1);
    CHECK(heard[0].ends_with("20cb00710a"));
}

TEST_CASE("RFC 7313 §4: no BoRR before our End-of-RIB") {
    Bench bench;
    bench.peer.want(vip4, plain_intent());
    bench.establish();
    bench.say(raw::route_refresh(1, 0, 1));
    CHECK(bench.heard().size() == 1);
    bench.peer.allow_end_of_rib(bench.now);
    bench.settle();
    CHECK(bench.heard() == Lines{end_of_rib_v4, end_of_rib_v6});
}

TEST_CASE("A12: refreshes of other families and unknown subtypes are ignored, bad lengths reset") {
    Bench bench = with_end_of_rib();
    bench.peer.want(vip4, plain_intent());
    bench.establish();
    bench.say(raw::route_refresh(1, 0, 128));
    bench.say(raw::route_refresh(1, 9, 1));
    bench.say(raw::route_refresh(1, 1, 1));
    bench.say(raw::route_refresh(1, 2, 1));
    CHECK(bench.heard().empty());
    const auto bad = raw::message(5, raw::hex("000100"));
    bench.say(bad);
    CHECK(bench.heard() == Lines{"NOTIFICATION 7/1 " + raw::to_hex(bad)});
}

TEST_CASE("an operator's soft reset sends both families again") {
    Bench bench = with_end_of_rib();
    bench.peer.want(vip4, plain_intent());
    bench.peer.want(vip6, plain_intent());
    bench.establish();
    bench.peer.resend_all(bench.now);
    bench.settle();
    CHECK(bench.heard().size() == 6);
}

TEST_CASE("A13: End-of-RIB comes once allowed, also when there is nothing to announce") {
    Bench bench;
    bench.establish();
    bench.flush();
    CHECK(bench.heard().empty());
    bench.peer.allow_end_of_rib(bench.now);
    bench.settle();
    CHECK(bench.heard() == Lines{end_of_rib_v4, end_of_rib_v6});
    bench.peer.want(vip4, plain_intent());
    bench.flush();
    CHECK(bench.heard().size() == 1);
}

TEST_CASE("A15: routes whose next hop would be the router or a VIP are not announced") {
    auto config = usual_config();
    config.next_hop_ipv4 = ip("10.0.0.1");
    Bench bench(config);
    bench.peer.want(vip4, plain_intent());
    bench.establish();
    CHECK_FALSE(bench.peer.can_announce(Family::Ipv4));
    CHECK(bench.peer.status().family_problem[0].find("router's own") != std::string::npos);

    config.next_hop_ipv4 = ip("10.0.0.200");
    bench.peer.watch({prefix("10.0.0.200/32")});
    bench.peer.reconfigure(config, bench.now);
    CHECK(bench.peer.status().family_problem[0].find("is a VIP") != std::string::npos);
    bench.peer.watch({});
    bench.flush();
    CHECK(bench.peer.is_advertised(vip4));
}

TEST_CASE("while the router does not read, changes collapse and withdrawals overtake") {
    Bench bench = with_end_of_rib();
    bench.establish();
    bench.is_blocked = {true, true};
    for (std::uint32_t i = 0; i < 30000; ++i) {
        bench.peer.want(numbered(i), plain_intent());
    }
    bench.flush();
    CHECK(bench.peer.output(Slot::Outgoing).size() <= 64 * 1024 + 4096);
    for (std::uint32_t i = 0; i < 30000; ++i) {
        bench.peer.want(numbered(i), nullptr);
    }
    bench.flush();
    CHECK(bench.peer.has_unwritten_withdrawals());
    bench.is_blocked = {};
    bench.settle();
    CHECK_FALSE(bench.peer.has_unwritten_withdrawals());
    std::size_t withdrawing = 0;
    for (const auto& message : bench.messages()) {
        withdrawing += (message.body[0] != 0 || message.body[1] != 0) ? 1U : 0U;
    }
    CHECK(withdrawing == 17); // 13,770 prefixes, not 30,000
    CHECK(bench.peer.status().advertised[0] == 0);
    CHECK(bench.peer.withdrawals_acknowledged());
}

TEST_CASE("a route counts as advertised when the kernel has all of it, not when it is buffered") {
    Bench bench = with_end_of_rib();
    bench.establish();
    bench.is_blocked = {true, true};
    bench.peer.want(vip4, plain_intent());
    bench.flush();
    CHECK_FALSE(bench.peer.is_advertised(vip4));
    const std::size_t size = bench.peer.output(Slot::Outgoing).size();
    bench.peer.sent(Slot::Outgoing, size - 1, bench.now);
    CHECK_FALSE(bench.peer.is_advertised(vip4));
    bench.peer.sent(Slot::Outgoing, 1, bench.now);
    CHECK(bench.peer.is_advertised(vip4));
}

TEST_CASE("max_received ends the session with Cease/1; a prefix announced twice counts once") {
    auto config = usual_config();
    config.max_received = 2;
    Bench bench(config);
    bench.establish();
    for (int i = 0; i < 3; ++i) {
        bench.say(raw::update({}, path_attributes, raw::hex("18c00001 18c00002")));
    }
    CHECK(bench.peer.status().received_prefixes == 2);
    bench.say(raw::update(raw::hex("18c00001"), path_attributes, raw::hex("18c00003")));
    CHECK(bench.state() == SessionState::Established);
    bench.say(raw::update({}, path_attributes, raw::hex("18c00004")));
    CHECK(bench.heard() == Lines{"NOTIFICATION 6/1"});
}

TEST_CASE("max_received that comes with a reload holds for what the router has sent before") {
    const auto limited = [](std::uint32_t limit) {
        auto config = usual_config();
        config.max_received = limit;
        return config;
    };
    const auto three = raw::update({}, path_attributes, raw::hex("18c00001 18c00002 18c00003"));
    Bench bench = with_end_of_rib();

    SUBCASE("the router is asked for its routes, and what it sends again is counted") {
        bench.establish();
        bench.say(raw::join({three, three})); // six, as long as none is known by itself
        (void)bench.heard();
        bench.peer.reconfigure(limited(3), bench.now);
        bench.flush();
        CHECK(bench.heard() == Lines{"REFRESH 00010001", "REFRESH 00020001"});
        bench.say(three);
        CHECK(bench.peer.status().received_prefixes == 3);
        CHECK(bench.state() == SessionState::Established);
        bench.say(raw::update({}, path_attributes, raw::hex("18c00004")));
        CHECK(bench.heard() == Lines{"NOTIFICATION 6/1"});
    }
    SUBCASE("a router that cannot be asked is judged by what was counted") {
        auto fields = Bench::usual_open();
        fields.capabilities = raw::hex("01 04 00010001 41 04 0000fde9");
        bench.establish(fields);
        bench.say(three);
        (void)bench.heard();
        bench.peer.reconfigure(limited(2), bench.now);
        bench.settle();
        CHECK(bench.heard() == Lines{"NOTIFICATION 6/1"});
    }
    SUBCASE("a smaller limit holds at once, a greater one and none leave the count alone") {
        bench.peer.reconfigure(limited(4), bench.now);
        bench.establish();
        bench.say(three);
        (void)bench.heard();
        bench.peer.reconfigure(limited(5), bench.now);
        bench.peer.reconfigure(limited(0), bench.now);
        bench.flush();
        CHECK(bench.peer.status().received_prefixes == 3);
        CHECK(bench.heard().empty());
        bench.peer.reconfigure(limited(4), bench.now);
        bench.flush();
        bench.say(three);
        CHECK(bench.heard().size() == 2); // ROUTE-REFRESH
        bench.peer.reconfigure(limited(2), bench.now);
        bench.settle();
        CHECK(bench.heard() == Lines{"NOTIFICATION 6/1"});
    }
}

TEST_CASE("routes that the router sends again at our request are not counted twice") {
    Bench bench = with_end_of_rib();
    const auto two = raw::update({}, path_attributes, raw::hex("18c00001 18c00002"));
    const auto six = raw::update({},
                                 raw::hex("800e1a0002011020010db8000000000000000000000001"
                                          "00 20 20010db8"
                                          "40010100 40020602010000fde9"),
                                 {});
    SUBCASE("with enhanced route refresh BoRR begins the count of its family") {
        bench.establish();
        bench.say(raw::join({two, six}));
        bench.peer.watch({vip4});
        bench.flush();
        bench.say(two); // was on its way
        CHECK(bench.peer.status().received_prefixes == 5);
        bench.say(raw::join({raw::route_refresh(1, 1, 1), two, raw::route_refresh(1, 2, 1)}));
        CHECK(bench.peer.status().received_prefixes == 3);
        bench.say(raw::join({raw::route_refresh(2, 1, 1), six, raw::route_refresh(2, 2, 1)}));
        CHECK(bench.peer.status().received_prefixes == 3);
    }
    SUBCASE("without it our request does") {
        auto fields = Bench::usual_open();
        fields.capabilities = raw::hex("01 04 00010001 01 04 00020001 02 00 41 04 0000fde9");
        bench.establish(fields);
        bench.say(raw::join({two, six}));
        for (int i = 0; i < 3; ++i) {
            bench.peer.watch({i == 1 ? prefix("203.0.113.11/32") : vip4});
            bench.flush();
            bench.say(two);
            CHECK(bench.peer.status().received_prefixes == 3);
        }
    }
}

TEST_CASE("RFC 7313 §4: EoRR takes the paths away that did not come again, and says so") {
    const auto route = raw::update({}, path_attributes, raw::hex("20cb00710a"));
    const auto begin = raw::route_refresh(1, 1, 1);
    const auto end = raw::route_refresh(1, 2, 1);
    auto config = usual_config();
    config.max_received = 9;
    Bench bench = with_end_of_rib(config);
    bench.peer.watch({vip4});
    bench.establish();
    bench.say(raw::join({route, raw::update({}, path_attributes, raw::hex("18c00001"))}));
    bench.events.clear();
    bench.say(raw::join({begin, route, end}));
    CHECK(bench.peer.paths().all().contains(vip4));
    CHECK(bench.peer.status().received_prefixes == 1);
    CHECK(bench.events.empty());
    bench.say(begin);
    CHECK(bench.peer.paths().all().contains(vip4));
    bench.say(end);
    CHECK(bench.peer.paths().all().empty());
    CHECK(bench.peer.status().received_prefixes == 0);
    CHECK(bench.events == Lines{"paths"});
    CHECK(bench.heard().empty());
}

TEST_CASE("RFC 2918 §3: without enhanced refresh the third octet is ignored") {
    Bench bench = with_end_of_rib();
    bench.peer.want(vip4, plain_intent());
    bench.peer.watch({vip6});
    bench.establish(without_enhanced_refresh());
    for (const std::string_view reserved : {"00", "01", "02", "ff"}) {
        bench.say(raw::message(5, raw::hex("0001 " + std::string(reserved) + " 01")));
        CHECK(bench.heard().size() == 1);
    }
}

TEST_CASE("U18: received routes are counted and dropped") {
    Bench bench;
    bench.establish();
    bench.say(raw::update({}, path_attributes, raw::hex("18c00001 18c00002 18c00003")));
    bench.say(raw::update(raw::hex("18c00001"), {}, {}));
    CHECK(bench.peer.status().received_prefixes == 2);
    CHECK(bench.peer.paths().all().empty());
    CHECK(bench.heard().empty());
}

TEST_CASE("U09: a family that cannot be read is ignored, our own routes stay announced") {
    Bench bench = with_end_of_rib();
    bench.peer.want(vip6, plain_intent());
    bench.peer.watch({vip6});
    bench.establish();
    (void)bench.heard();
    const auto path = raw::join({raw::hex("800e260002011020010db8000000000000000000000001"),
                                 raw::hex("00 80 20010db8000100000000000000000010"),
                                 raw::hex("40010100 40020602010000fde9")});
    bench.say(raw::update({}, path, {}));
    CHECK(bench.peer.paths().all().size() == 1);
    bench.say(raw::update({}, raw::hex("800e0700020105aabbcc"), {}));
    CHECK(bench.state() == SessionState::Established);
    CHECK(bench.peer.paths().all().empty());
    bench.say(raw::update({}, path, {}));
    CHECK(bench.peer.paths().all().empty());
    CHECK(bench.peer.is_advertised(vip6));
    CHECK(bench.heard().empty());
}

TEST_CASE("U09: what is ignored after that is counted, and hides neither the cause nor the state") {
    Bench bench = with_end_of_rib();
    bench.establish();
    const auto good = raw::update({},
                                  raw::hex("800e1a0002011020010db8000000000000000000000001"
                                           "00 20 20010db8"
                                           "40010100 40020602010000fde9"),
                                  {});
    const auto broken = raw::update({}, raw::hex("800e0700020105aabbcc"), {});
    bench.say(good);
    CHECK(bench.peer.status().received_prefixes == 1);
    CHECK(bench.peer.status().family_problem[1].empty());
    bench.say(broken);
    for (int i = 0; i < 3; ++i) {
        bench.say(good);
    }
    const auto status = bench.peer.status();
    CHECK(status.last_malformed == broken);
    CHECK(status.last_malformed_detail.find("MP_REACH_NLRI") != std::string::npos);
    CHECK(status.rule_counters.at("multiprotocol") == 1);
    CHECK(status.rule_counters.at("family-not-negotiated") == 3);
    CHECK(status.received_prefixes == 0);
    CHECK(status.family_problem[0].empty());
    CHECK(status.family_problem[1].starts_with("received routes ignored"));
    REQUIRE(bench.events.size() == 2);
    CHECK(bench.events[0].starts_with("notice: malformed message: "));
    CHECK(bench.events[1] == "notice: routes of AFI 2 SAFI 1 ignored");
    bench.hang_up();
    CHECK(bench.peer.status().family_problem[1].empty());
}

TEST_CASE("a prefix that is watched later makes us ask the router for its routes again") {
    Bench bench = with_end_of_rib();
    bench.establish();
    bench.peer.watch({vip4});
    bench.flush();
    CHECK(bench.heard() == Lines{"REFRESH 00010001"});
    bench.say(raw::update({}, path_attributes, raw::hex("20cb00710a")));
    REQUIRE(bench.peer.paths().all().size() == 1);
    CHECK(bench.events == Lines{"paths"});
    bench.say(raw::update({}, {}, {}));
    CHECK(bench.peer.has_received_end_of_rib(Family::Ipv4));
    CHECK_FALSE(bench.peer.has_received_end_of_rib(Family::Ipv6));
    bench.hang_up();
    CHECK(bench.peer.paths().all().empty());
    CHECK_FALSE(bench.peer.has_received_end_of_rib(Family::Ipv4));
}
