// SPDX-License-Identifier: Apache-2.0
// The graceful stop: withdraw, serve on, Cease, addresses off.
#include <doctest/doctest.h>

#include "test/unit/cmd/agent/stage.hpp"

namespace anyvip::test {

using vip::VipState;

namespace {

const std::vector<std::string> orderly{
    "withdraw 203.0.113.10/32 from tor1", "close tor1", "remove 203.0.113.10/32", "stopped"};

void begin_stop(Stage& stage) {
    stage.turn();
    stage.log.clear();
    stage.agent().stop(stage.now());
    stage.turn();
}

} // namespace

TEST_CASE("CONTRACT 1: a stop withdraws, serves on until traffic has ended, then Cease 6/2") {
    Stage stage;
    stage.packets.emplace();
    begin_stop(stage);
    CHECK(stage.log == std::vector<std::string>{"withdraw 203.0.113.10/32 from tor1"});
    CHECK(stage.agent().find_peer("tor1")->is_established());
    CHECK(stage.state() == VipState::Withdrawn);
    CHECK(stage.vip().reason == "the daemon is stopping");
    CHECK(stage.agent().node_state() == cmd::NodeState::Stopping);
    stage.pass_time(900ms); // linger_min
    CHECK_FALSE(stage.is_stopped);
    stage.pass_time(200ms);
    CHECK(stage.log == orderly);
    REQUIRE(stage.routers.at("tor1").notifications.size() == 1);
    const raw::Octets& cease = stage.routers.at("tor1").notifications[0];
    REQUIRE(cease.size() > 3);
    CHECK(cease[0] == 6);
    CHECK(cease[1] == 2);
    CHECK(std::string(cease.begin() + 3, cease.end()) == "anyvip on lb-a stops");
}

TEST_CASE("CONTRACT 1: packets prolong the stop by silence each, at most to linger") {
    Stage stage;
    stage.packets.emplace();
    begin_stop(stage);
    const IpAddress www = IpAddress::v4(0xcb00710a);
    for (std::uint64_t packet = 1; packet <= 10; ++packet) {
        (*stage.packets)[www] = packet;
        stage.pass_time(400ms);
        CHECK_FALSE(stage.is_stopped);
    }
    SUBCASE("silence") {
        stage.pass_time(700ms);
        CHECK(stage.is_stopped);
    }
    SUBCASE("linger") {
        for (std::uint64_t packet = 11; packet <= 13; ++packet) {
            (*stage.packets)[www] = packet;
            stage.pass_time(400ms);
        }
        CHECK(stage.is_stopped);
    }
}

TEST_CASE("CONTRACT 1: when nobody counts packets the stop takes linger in full") {
    Stage stage;
    begin_stop(stage);
    stage.pass_time(4900ms);
    CHECK_FALSE(stage.is_stopped);
    stage.pass_time(100ms);
    CHECK(stage.log == orderly);
}

TEST_CASE("CONTRACT 1: without a session, or with nothing announced, a stop waits for nothing") {
    Stage stage;
    SUBCASE("no session") {
        stage.unreachable.insert("tor1");
    }
    SUBCASE("never announced") {
        stage.kernel_refuses = "no such device";
    }
    begin_stop(stage);
    CHECK(stage.is_stopped);
    CHECK(stage.kernel.empty());
}

TEST_CASE("CONTRACT 1: a second signal stops at once") {
    Stage stage;
    begin_stop(stage);
    CHECK_FALSE(stage.is_stopped);
    stage.agent().stop(stage.now());
    stage.turn();
    CHECK(stage.log == orderly);
}

TEST_CASE("CONTRACT 3: an address that was there before is never removed") {
    Stage stage;
    const Prefix www = prefix("203.0.113.10/32");
    stage.kernel[www] = false;
    stage.agent().address_observed(www, "lo", true, false, stage.now());
    begin_stop(stage);
    stage.pass_time(5s);
    CHECK(stage.is_stopped);
    CHECK(stage.kernel.contains(www));
}

TEST_CASE("CONTRACT 3: an own address left by a run before with another configuration goes") {
    Stage stage;
    const Prefix old = prefix("203.0.113.99/32");
    stage.kernel[old] = true;
    stage.agent().address_observed(old, "lo", true, true, stage.now());
    stage.turn();
    CHECK_FALSE(stage.kernel.contains(old));
}

} // namespace anyvip::test
