// SPDX-License-Identifier: Apache-2.0
// What makes a router usable or not beside its session: BFD, a refused transport.
#include <doctest/doctest.h>

#include "test/unit/cmd/agent/stage.hpp"

namespace anyvip::test {

using cmd::BfdState;

namespace {

void bfd(Stage& stage, BfdState state) {
    stage.agent().bfd_state("tor1", state, "control detection time expired", stage.now());
    stage.turn();
}

Config bfd_config(bool is_strict) {
    Config config = make_config();
    config.peers[0].bfd = cmd::BfdConfig{};
    config.peers[0].bfd->strict = is_strict;
    return config;
}

} // namespace

TEST_CASE("RFC 9384: BFD down after up resets the session with Cease/10, once") {
    Stage stage(bfd_config(false));
    stage.turn();
    REQUIRE(stage.route() != nullptr);
    bfd(stage, BfdState::Down); // it was never up in this session
    CHECK(stage.routers.at("tor1").notifications.empty());
    bfd(stage, BfdState::Up);
    bfd(stage, BfdState::Down);
    REQUIRE(stage.routers.at("tor1").notifications.size() == 1);
    CHECK(stage.routers.at("tor1").notifications[0][1] == 10);
    CHECK(stage.count("bfd.up") == 1);
    CHECK(stage.count("bfd.down") == 1);
    CHECK(stage.count("vip.withdrawn") == 1);
}

TEST_CASE("RFC 5882 §4.2: AdminDown does not reset the session") {
    Stage stage(bfd_config(false));
    stage.turn();
    bfd(stage, BfdState::Up);
    bfd(stage, BfdState::AdminDown);
    bfd(stage, BfdState::Down);
    CHECK(stage.routers.at("tor1").notifications.empty());
    CHECK(stage.route() != nullptr);
}

TEST_CASE("RFC 5882 §4.2: down because the router is administratively down does not reset it") {
    Stage stage(bfd_config(false));
    stage.turn();
    bfd(stage, BfdState::Up);
    stage.agent().bfd_admin_down("tor1", true, stage.now());
    bfd(stage, BfdState::Down);
    CHECK(stage.routers.at("tor1").notifications.empty());
    CHECK(stage.count("bfd.down") == 1);
    stage.agent().bfd_admin_down("tor1", false, stage.now());
    bfd(stage, BfdState::Up);
    bfd(stage, BfdState::Down);
    CHECK(stage.routers.at("tor1").notifications.size() == 1);
}

TEST_CASE("RFC 5882 §4.1: with bfd strict an administratively down router is not waited for") {
    Stage stage(bfd_config(true));
    stage.turn();
    bfd(stage, BfdState::Down);
    REQUIRE(stage.route() == nullptr);
    stage.agent().bfd_admin_down("tor1", true, stage.now());
    stage.turn();
    CHECK(stage.route() != nullptr);
}

TEST_CASE("CONTRACT 2: with bfd strict the session waits for BFD") {
    Stage stage(bfd_config(true));
    stage.turn();
    CHECK(stage.route() == nullptr);
    bfd(stage, BfdState::Up);
    CHECK(stage.route() != nullptr);
}

TEST_CASE("CONTRACT 5: a reload that ends bfd strict starts the session") {
    Stage stage(bfd_config(true));
    stage.turn();
    bfd(stage, BfdState::Down);
    REQUIRE(stage.route() == nullptr);
    stage.agent().reload(bfd_config(false), stage.now());
    stage.turn();
    CHECK(stage.route() != nullptr);
}

TEST_CASE("CONTRACT 2: with bfd strict a session that ended before BFD did waits for BFD again") {
    Stage stage(bfd_config(true));
    stage.turn();
    bfd(stage, BfdState::Up);
    REQUIRE(stage.route() != nullptr);
    SUBCASE("the router's BGP ends first") {
        stage.unreachable.insert("tor1");
        stage.cut("tor1");
        stage.pass_time(900ms);
        bfd(stage, BfdState::Down);
        stage.unreachable.clear();
    }
    SUBCASE("BFD was switched to strict in a session without it") {
        stage.agent().reload(bfd_config(false), stage.now());
        stage.turn();
        bfd(stage, BfdState::Off);
        bfd(stage, BfdState::Down);
        stage.agent().reload(bfd_config(true), stage.now());
        stage.turn();
        CHECK(stage.route() != nullptr); // a session that works is not ended by a reload
        stage.cut("tor1");
    }
    SUBCASE("strict comes while it connects") {
        stage.agent().reload(bfd_config(false), stage.now());
        stage.unreachable.insert("tor1");
        stage.cut("tor1");
        bfd(stage, BfdState::Down);
        stage.agent().reload(bfd_config(true), stage.now());
        stage.turn();
        stage.unreachable.clear();
    }
    stage.pass_time(1min);
    CHECK(stage.route() == nullptr);
    bfd(stage, BfdState::Init);
    CHECK(stage.route() == nullptr);
    bfd(stage, BfdState::Up);
    CHECK(stage.route() != nullptr);
}

TEST_CASE("RFC 5882 §4.2: a BFD session that begins anew has not fallen") {
    Stage stage(bfd_config(false));
    stage.turn();
    bfd(stage, BfdState::Up);
    bfd(stage, BfdState::Off); // off and on, or to another endpoint
    bfd(stage, BfdState::Down);
    CHECK(stage.routers.at("tor1").notifications.empty());
    bfd(stage, BfdState::Init);
    bfd(stage, BfdState::Up);
    bfd(stage, BfdState::Down);
    CHECK(stage.routers.at("tor1").notifications.size() == 1);
}

TEST_CASE("a peer that is renamed and without BFD in one reload has no BFD state left") {
    Stage stage(bfd_config(false));
    stage.turn();
    bfd(stage, BfdState::Up);
    Config next = make_config();
    next.peers[0].session.name = "leaf1";
    stage.agent().reload(next, stage.now());
    stage.turn();
    CHECK(stage.agent().peer("leaf1")->bfd == BfdState::Off);
    CHECK(stage.count("bfd.down") == 1);
    CHECK(stage.routers.at("leaf1").notifications.empty());
}

TEST_CASE("a peer whose transport is refused never connects until it can") {
    Stage stage;
    stage.agent().peer_refused("tor1", "this kernel has no TCP-AO", stage.now());
    stage.turn();
    stage.pass_time(10s);
    CHECK(stage.route() == nullptr);
    CHECK(stage.agent().peer("tor1")->refused == "this kernel has no TCP-AO");
    const auto conditions = stage.agent().vip("www")->conditions;
    REQUIRE_FALSE(conditions.empty());
    CHECK(conditions[0].name == "session tor1");
    CHECK(conditions[0].remedy == "this kernel has no TCP-AO");
    stage.agent().peer_refused("tor1", "", stage.now());
    stage.pass_time(1s);
    CHECK(stage.route() != nullptr);
}

TEST_CASE("a transport that is refused later ends no session, only new attempts") {
    Stage stage;
    stage.turn();
    REQUIRE(stage.route() != nullptr);
    stage.agent().peer_refused("tor1", "several routers on eth0", stage.now());
    stage.pass_time(10s);
    CHECK(stage.route() != nullptr);
    stage.cut("tor1");
    stage.pass_time(10s);
    CHECK(stage.route() == nullptr);
    stage.agent().peer_refused("tor1", "", stage.now());
    stage.pass_time(1s);
    CHECK(stage.route() != nullptr);
}

} // namespace anyvip::test
