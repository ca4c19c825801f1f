// SPDX-License-Identifier: Apache-2.0
// Whether a router may have a VIP's route: what a drain asks and waits for, and what `explain` says
// of traffic, rests on it.
#include <doctest/doctest.h>

#include "test/unit/cmd/agent/stage.hpp"

namespace anyvip::test {

using vip::VipState;

namespace {

const Prefix www4 = prefix("203.0.113.10/32");
const Prefix www6 = prefix("2001:db8::10/128");

[[nodiscard]] bool explains_traffic(Stage& stage) {
    const auto conditions = stage.agent().vip("www")->conditions;
    return std::ranges::find(conditions, "traffic", &vip::Condition::name) != conditions.end();
}

void observe(Stage& stage, const Prefix& address, bool is_present) {
    if (is_present) {
        stage.kernel[address] = false;
    } else {
        stage.kernel.erase(address);
    }
    stage.agent().address_observed(address, "lo", is_present, false, stage.now());
    stage.turn();
}

/// Two addresses that others put there, and a router that carries IPv6 alone.
[[nodiscard]] Config ipv6_config() {
    Config config = make_config();
    config.vips[0].address_policy = vip::AddressPolicy::External;
    config.vips[0].addresses = {www4, www6};
    config.peers[0].session.families = {false, true};
    config.drain.keep_last = vip::KeepLast::Always;
    return config;
}

/// So many seconds with a packet in each.
void receive(Stage& stage, int seconds) {
    for (int i = 0; i < seconds; ++i) {
        ++(*stage.packets)[www4.address()];
        stage.pass_time(1s);
    }
}

} // namespace

TEST_CASE("a VIP of which no session can carry the address that is there was never announced") {
    Stage stage(ipv6_config());
    stage.packets.emplace();
    observe(stage, www4, true);
    REQUIRE(stage.agent().find_peer("tor1")->is_established());
    stage.pass_time(2min);
    CHECK(stage.state() == VipState::Withdrawn);
    CHECK_FALSE(explains_traffic(stage));
    SUBCASE("keep_last has nothing to ask, and the drain nothing to wait for") {
        CHECK(stage.drain().status == 200);
        CHECK(stage.state() == VipState::Drained);
    }
    SUBCASE("and a stop nothing to serve on for") {
        stage.agent().stop(stage.now());
        stage.turn();
        CHECK(stage.is_stopped);
    }
}

TEST_CASE("a VIP whose only address that a session carries goes has been withdrawn") {
    Stage stage(ipv6_config());
    stage.packets.emplace();
    observe(stage, www4, true);
    observe(stage, www6, true);
    REQUIRE(stage.route("2001:db8::10/128") != nullptr);
    CHECK(stage.drain({.dry_run = true}).status == 409);
    observe(stage, www6, false);
    CHECK(stage.route("2001:db8::10/128") == nullptr);
    CHECK(stage.drain().status == 200);
    CHECK(stage.state() == VipState::Draining); // packets may be on their way
}

TEST_CASE("drain --peer of the last router withdraws: packets that still come are counted") {
    Config config = make_config();
    config.drain.keep_last = vip::KeepLast::Always;
    Stage stage(config);
    stage.packets.emplace();
    stage.turn();
    REQUIRE(stage.drain({.peer = "tor1", .force = true}).status == 200);
    stage.pass_time(1s);
    REQUIRE(stage.route() == nullptr);
    receive(stage, 12);
    CHECK(stage.count("vip.stray") == 1);
    CHECK(explains_traffic(stage));
    SUBCASE("nothing is announced, so keep_last has nothing to ask") {
        CHECK(stage.drain().status == 200);
        CHECK_FALSE(stage.agent().drain_progress().empty());
    }
    SUBCASE("and what comes after undrain --peer is welcome") {
        REQUIRE(stage.undrain({.peer = "tor1"}).status == 200);
        REQUIRE(stage.route() != nullptr);
        receive(stage, 12);
        CHECK(stage.count("vip.stray") == 1);
        CHECK_FALSE(explains_traffic(stage));
    }
}

TEST_CASE("a session that ends is no withdraw, and one of two drained routers neither") {
    Config config = make_config();
    config.peers.push_back(make_peer("tor2", 2));
    Stage stage(config);
    stage.packets.emplace();
    stage.turn();
    SUBCASE("drained") {
        REQUIRE(stage.drain({.peer = "tor1"}).status == 200);
        stage.pass_time(1s);
        REQUIRE(stage.route() == nullptr);
    }
    SUBCASE("ended") {
        stage.unreachable = {"tor1", "tor2"};
        stage.cut("tor1");
        stage.cut("tor2");
    }
    SUBCASE("one drained, and the session to the other ended") {
        REQUIRE(stage.drain({.peer = "tor1"}).status == 200);
        stage.pass_time(1s);
        stage.unreachable = {"tor2"};
        stage.cut("tor2");
    }
    receive(stage, 12);
    CHECK(stage.count("vip.stray") == 0);
    CHECK_FALSE(explains_traffic(stage));
}

} // namespace anyvip::test
