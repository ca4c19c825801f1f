// SPDX-License-Identifier: Apache-2.0
// `default_route`: which next hops are wanted, and what becomes of them when routers go.
#include <doctest/doctest.h>

#include "test/unit/cmd/agent/stage.hpp"

namespace anyvip::test {

namespace {

constexpr vip::DefaultRouteKey ipv4{Family::Ipv4, 512};
constexpr vip::DefaultRouteKey ipv6{Family::Ipv6, 512};

const raw::Octets attributes = raw::hex("40 01 01 00  40 02 06 02 01 0000fde9");

/// 0.0.0.0/0 by 10.0.0.LAST; `more`: attributes.
raw::Octets offer(std::uint8_t last, const raw::Octets& more = {}) {
    return raw::update(
        {}, raw::join({attributes, raw::hex("40 03 04 0a0000"), {last}, more}), raw::hex("00"));
}

/// ::/0 or, with an IPv6 next hop, 0.0.0.0/0 in MP_REACH_NLRI (RFC 4760 §3).
raw::Octets mp_offer(std::size_t afi, const raw::Octets& next_hop) {
    const raw::Octets value = raw::join(
        {raw::u16(afi), raw::hex("01"), raw::u8(next_hop.size()), next_hop, raw::hex("00 00")});
    return raw::update(
        {}, raw::join({attributes, raw::hex("80 0e"), raw::u8(value.size()), value}), {});
}

const raw::Octets withdraw = raw::update(raw::hex("00"), {}, {});
const raw::Octets graceful_shutdown = raw::hex("c0 08 04 ffff0000");
const raw::Octets global = raw::hex("fd00000000000000 0000000000000001");
const raw::Octets far = raw::hex("20010db8ffff0000 0000000000000001");
const raw::Octets link_local = raw::hex("fe80000000000000 0000000000000001");

vip::NextHops via(const std::vector<std::string>& addresses) {
    vip::NextHops next_hops;
    for (const std::string& address : addresses) {
        next_hops.insert({*IpAddress::parse(address), "eth0"});
    }
    return next_hops;
}

Config two_routers() {
    Config config = make_config();
    config.peers.push_back(make_peer("tor2", 2));
    for (cmd::PeerEntry& peer : config.peers) {
        peer.default_route = true;
    }
    return config;
}

/// Both routers offer theirs.
struct Pair : Stage {
    explicit Pair(Config config = two_routers()) : Stage(std::move(config)) {
        turn();
        say("tor1", offer(1));
        say("tor2", offer(2));
        REQUIRE(default_routes.at(ipv4) == via({"10.0.0.1", "10.0.0.2"}));
    }
};

std::vector<std::string> problems(const Stage& stage) {
    std::vector<std::string> texts;
    for (const cmd::Event& event : stage.events) {
        if (event.event == "default_route.problem") {
            texts.push_back(event.reason);
        }
    }
    return texts;
}

} // namespace

TEST_CASE("default_route: without the key nothing is remembered and nothing installed") {
    Stage stage;
    stage.turn();
    stage.say("tor1", offer(1));
    CHECK(stage.default_routes.empty());
    CHECK(stage.agent().find_peer("tor1")->paths().all().empty());
    CHECK(stage.agent().default_route_offers().empty());
}

TEST_CASE("default_route: one next hop of each router that offers it, away with its session") {
    Pair stage;
    CHECK(stage.count("default_route.changed") == 2);
    SUBCASE("end of the connection") {
        stage.cut("tor1");
    }
    SUBCASE("withdraw") {
        stage.say("tor1", withdraw);
    }
    SUBCASE("RFC 7313 §4: not sent again between BoRR and EoRR") {
        stage.say("tor1", raw::route_refresh(1, 1, 1));
        CHECK(stage.default_routes.at(ipv4) == via({"10.0.0.1", "10.0.0.2"}));
        stage.say("tor1", raw::route_refresh(1, 2, 1));
    }
    SUBCASE("RFC 7606 §2: treat-as-withdraw") {
        stage.say("tor1", offer(1, raw::hex("c0 08 03 ffff00"))); // communities of 3 octets
    }
    SUBCASE("BFD down") {
        stage.agent().bfd_state("tor1", cmd::BfdState::Up, "", stage.now());
        stage.agent().bfd_state("tor1", cmd::BfdState::Down, "", stage.now());
        stage.turn();
    }
    SUBCASE("drain --peer, after GRACEFUL_SHUTDOWN") {
        vip::DrainRequest request;
        request.peer = "tor1";
        REQUIRE(stage.drain(request).error.empty());
        CHECK(stage.default_routes.at(ipv4).size() == 2);
        stage.pass_time(2s);
    }
    SUBCASE("RFC 8326 §4.2: GRACEFUL_SHUTDOWN, while another is left") {
        stage.say("tor1", offer(1, graceful_shutdown));
    }
    SUBCASE("the key is taken away by a reload") {
        Config config = two_routers();
        config.peers[0].default_route = false;
        stage.agent().reload(config, stage.now());
        stage.turn();
    }
    SUBCASE("a path with our own AS") {
        stage.say("tor1",
                  raw::update({},
                              raw::hex("40 01 01 00  40 02 0a 02 02 0000fde9 0000fdf2"
                                       "40 03 04 0a000001"),
                              raw::hex("00")));
        CHECK(stage.agent().default_route_offers()[0].problem == "its AS path contains our own AS");
    }
    CHECK(stage.default_routes.at(ipv4) == via({"10.0.0.2"}));
}

TEST_CASE("default_route: the hold timer takes the next hop away") {
    Pair stage;
    // Only tor2 goes on talking.
    const Instant end = stage.now().monotonic + 9s;
    while (stage.now().monotonic < end) {
        stage.be_silent = "tor1";
        stage.pass_time(1s);
    }
    CHECK(stage.default_routes.at(ipv4) == via({"10.0.0.2"}));
}

TEST_CASE(
    "default_route: the last one stays, whatever becomes of its router, until another comes") {
    Pair stage;
    stage.unreachable = {"tor1", "tor2"};
    stage.cut("tor1");
    stage.cut("tor2");
    CHECK(stage.default_routes.at(ipv4) == via({"10.0.0.2"}));
    REQUIRE(stage.agent().default_routes().size() == 1);
    CHECK(stage.agent().default_routes()[0].is_last);
    CHECK(stage.agent().default_routes()[0].next_hops[0].peer == "tor2");
    stage.unreachable.clear();
    stage.pass_time(3s);
    REQUIRE(stage.agent().find_peer("tor1")->is_established());
    CHECK(stage.default_routes.at(ipv4) == via({"10.0.0.2"}));
    stage.say("tor1", offer(1));
    CHECK(stage.default_routes.at(ipv4) == via({"10.0.0.1"}));
    CHECK_FALSE(stage.agent().default_routes()[0].is_last);
}

TEST_CASE("default_route: GRACEFUL_SHUTDOWN of the only router changes nothing") {
    Pair stage;
    stage.cut("tor2");
    stage.say("tor1", offer(1, graceful_shutdown));
    CHECK(stage.default_routes.at(ipv4) == via({"10.0.0.1"}));
}

TEST_CASE(
    "default_route: a reload that takes the key from all removes the route, even a last one") {
    Pair stage;
    SUBCASE("with sessions") {}
    SUBCASE("without") {
        stage.unreachable = {"tor1", "tor2"};
        stage.cut("tor1");
        stage.cut("tor2");
    }
    Config config = two_routers();
    config.peers[0].default_route = false;
    config.peers[1].default_route = false;
    stage.agent().reload(config, stage.now());
    stage.turn();
    CHECK(stage.default_routes.empty());
    CHECK(stage.agent().default_routes().empty());
}

TEST_CASE("default_route: the last one stays also when a reload exchanges its router for another") {
    Pair stage;
    stage.unreachable = {"tor2", "tor3"};
    stage.cut("tor2");
    REQUIRE(stage.default_routes.at(ipv4) == via({"10.0.0.1"}));
    Config config = two_routers();
    config.peers[0] = make_peer("tor3", 3);
    config.peers[0].default_route = true;
    stage.agent().reload(config, stage.now());
    stage.turn();
    CHECK(stage.default_routes.at(ipv4) == via({"10.0.0.1"}));
    stage.unreachable = {"tor2"};
    stage.pass_time(3s);
    stage.say("tor3", offer(3));
    CHECK(stage.default_routes.at(ipv4) == via({"10.0.0.3"}));
}

TEST_CASE("default_route: what is a loop goes by the AS number that the router knows us by") {
    Pair stage;
    Config config = two_routers();
    config.node.asn = bgp::Asn{65001}; // the routers' own, and in the paths of both
    stage.agent().reload(config, stage.now());
    stage.turn();
    CHECK(stage.default_routes.at(ipv4) == via({"10.0.0.1", "10.0.0.2"}));
    CHECK_FALSE(stage.agent().default_routes()[0].is_last);
    CHECK(stage.agent().default_route_offers()[0].problem.empty());
    // A router that has not been reset yet takes its route along when it goes.
    stage.unreachable = {"tor2"};
    stage.cut("tor2");
    CHECK(stage.default_routes.at(ipv4) == via({"10.0.0.1"}));
}

TEST_CASE("default_route: a reload that sets it asks the routers for theirs again (RFC 2918)") {
    Config config = two_routers();
    config.peers[0].default_route = false;
    config.peers[1].default_route = false;
    Stage stage(config);
    stage.turn();
    stage.say("tor1", offer(1)); // dropped
    stage.agent().reload(two_routers(), stage.now());
    stage.turn();
    CHECK(stage.agent().find_peer("tor1")->status().messages.sent[5] == 2); // both families
    stage.say("tor1", offer(1));
    CHECK(stage.default_routes.at(ipv4) == via({"10.0.0.1"}));
}

TEST_CASE("default_route: routers of different metrics have routes of their own") {
    Config config = two_routers();
    config.peers[1].default_route_metric = 600;
    Stage stage(config);
    stage.turn();
    stage.say("tor1", offer(1));
    stage.say("tor2", offer(2));
    const vip::DefaultRouteKey second{Family::Ipv4, 600};
    CHECK(stage.default_routes.at(ipv4) == via({"10.0.0.1"}));
    CHECK(stage.default_routes.at(second) == via({"10.0.0.2"}));
    SUBCASE("each goes with its router") {
        stage.cut("tor1");
        CHECK_FALSE(stage.default_routes.contains(ipv4));
    }
    SUBCASE("another metric: the new route is there before the old one goes") {
        stage.log.clear();
        config.peers[0].default_route_metric = 600;
        stage.agent().reload(config, stage.now());
        stage.turn();
        CHECK(stage.default_routes.at(second) == via({"10.0.0.1", "10.0.0.2"}));
        CHECK(stage.log ==
              std::vector<std::string>{"default route 0.0.0.0/0 metric 600 via 10.0.0.1 dev eth0, "
                                       "10.0.0.2 dev eth0",
                                       "default route 0.0.0.0/0 metric 512 none"});
    }
}

TEST_CASE("default_route: which next hops can be used") {
    Stage stage(two_routers());
    stage.turn();
    const auto problem = [&](Family family) {
        for (const cmd::DefaultRouteOffer& found : stage.agent().default_route_offers()) {
            if (found.peer == "tor1" && found.family == family) {
                return found.problem;
            }
        }
        return std::string("no offer");
    };
    CHECK(problem(Family::Ipv4) == "it has sent none so far");
    stage.say("tor1", raw::update({}, {}, {})); // End-of-RIB
    CHECK(problem(Family::Ipv4) == "it sends none");
    SUBCASE("a global one on a connected subnet, though a link-local one comes along") {
        stage.say("tor1", mp_offer(2, raw::join({global, link_local})));
        CHECK(stage.default_routes.at(ipv6) == via({"fd00::1"}));
    }
    SUBCASE("the link-local one when the global one is on no connected subnet") {
        stage.say("tor1", mp_offer(2, raw::join({far, link_local})));
        CHECK(stage.default_routes.at(ipv6) == via({"fe80::1"}));
    }
    SUBCASE("no other") {
        stage.say("tor1", mp_offer(2, far));
        CHECK(stage.default_routes.empty());
        CHECK(problem(Family::Ipv6) ==
              "its next hop 2001:db8:ffff::1 is on no connected subnet of eth0");
    }
    SUBCASE("not our own address") {
        stage.say("tor1", offer(11));
        CHECK(stage.default_routes.empty());
    }
}

TEST_CASE("default_route: an IPv4 route over an IPv6 next hop (RFC 8950)") {
    Config config = two_routers();
    config.peers[0].session.extended_next_hop = true;
    Stage stage(config);
    stage.routers.at("tor1").more_capabilities = raw::hex("05 06 0001 0001 0002");
    stage.turn();
    stage.say("tor1", mp_offer(1, link_local));
    CHECK(stage.default_routes.at(ipv4) == via({"fe80::1"}));
}

TEST_CASE("default_route: what a run before left is adopted, and goes when nobody wants it") {
    SUBCASE("replaced by what routers offer") {
        Stage stage(two_routers());
        stage.default_routes[ipv4] = via({"10.0.0.9"});
        stage.agent().default_route_observed(ipv4, via({"10.0.0.9"}), "", stage.now());
        stage.turn();
        CHECK(stage.default_routes.at(ipv4) == via({"10.0.0.9"}));
        CHECK(stage.count("default_route.adopted") == 1);
        stage.say("tor1", offer(1));
        CHECK(stage.default_routes.at(ipv4) == via({"10.0.0.1"}));
    }
    SUBCASE("of another metric") {
        const vip::DefaultRouteKey other{Family::Ipv4, 100};
        Stage stage(two_routers());
        stage.default_routes[other] = via({"10.0.0.9"});
        stage.agent().default_route_observed(other, via({"10.0.0.9"}), "", stage.now());
        stage.turn();
        CHECK(stage.default_routes.contains(other));
        stage.say("tor1", offer(1));
        CHECK_FALSE(stage.default_routes.contains(other));
        CHECK(stage.default_routes.at(ipv4) == via({"10.0.0.1"}));
    }
    SUBCASE("no peer has default_route") {
        Stage stage;
        stage.default_routes[ipv4] = via({"10.0.0.9"});
        stage.agent().default_route_observed(ipv4, via({"10.0.0.9"}), "", stage.now());
        stage.turn();
        CHECK(stage.default_routes.empty());
    }
}

TEST_CASE("default_route: put back when another program removes it") {
    Pair stage;
    const auto rob = [&] {
        stage.default_routes.clear();
        stage.agent().default_route_observed(ipv4, {}, "", stage.now());
        stage.turn();
    };
    for (int i = 0; i < 3; ++i) {
        rob();
        CHECK(stage.default_routes.at(ipv4).size() == 2);
    }
    rob();
    CHECK(stage.default_routes.empty());
    CHECK(stage.count("default_route.removed") == 4);
    stage.pass_time(9s);
    CHECK(stage.default_routes.empty());
    stage.pass_time(1s);
    CHECK(stage.default_routes.at(ipv4).size() == 2);
}

TEST_CASE(
    "default_route: a refusal and a foreign route that hides ours are told once, and explained") {
    Stage stage(two_routers());
    stage.route_refused = "the kernel refuses it: Operation not permitted";
    stage.turn();
    stage.say("tor1", offer(1));
    stage.pass_time(5s);
    CHECK(problems(stage) == std::vector<std::string>{stage.route_refused});
    stage.route_refused.clear();
    stage.pass_time(1s);
    REQUIRE(stage.default_routes.at(ipv4) == via({"10.0.0.1"}));
    const std::string foreign = "0.0.0.0/0 via 10.0.9.1 dev eth9 proto static metric 0";
    for (int i = 0; i < 2; ++i) {
        stage.agent().default_route_observed(ipv4, via({"10.0.0.1"}), foreign, stage.now());
        stage.turn();
    }
    CHECK(problems(stage).size() == 2);
    const auto view = stage.agent().vip("www");
    REQUIRE(view.has_value());
    const auto found = std::ranges::find_if(view->conditions, [](const vip::Condition& condition) {
        return condition.name == "default route 0.0.0.0/0 metric 512";
    });
    REQUIRE(found != view->conditions.end());
    CHECK_FALSE(found->is_met);
    CHECK(found->value == "via 10.0.0.1 dev eth0; hidden by " + foreign);
    CHECK(view->state == vip::VipState::Announced);
}

TEST_CASE("default_route: a stop removes it last, after linger and with the sessions gone") {
    Pair stage;
    stage.log.clear();
    stage.agent().stop(stage.now());
    stage.turn();
    CHECK(stage.default_routes.at(ipv4).size() == 2);
    stage.pass_time(6s);
    CHECK(stage.is_stopped);
    CHECK(stage.default_routes.empty());
    const auto at = [&](const std::string& line) {
        return std::ranges::find(stage.log, line) - stage.log.begin();
    };
    CHECK(at("withdraw 203.0.113.10/32 from tor1") < at("default route 0.0.0.0/0 metric 512 none"));
    CHECK(at("default route 0.0.0.0/0 metric 512 none") < at("stopped"));
}

TEST_CASE("default_route: a renamed router keeps its next hop") {
    Pair stage;
    stage.log.clear();
    Config config = two_routers();
    config.peers[0].session.name = "leaf1";
    stage.agent().reload(config, stage.now());
    stage.turn();
    CHECK(stage.log.empty());
    CHECK(stage.default_routes.at(ipv4).size() == 2);
}

} // namespace anyvip::test
