// SPDX-License-Identifier: Apache-2.0
// The one line that says why a VIP is where it is (test/ops has it from the real daemon).
#include <doctest/doctest.h>

#include "test/unit/cmd/agent/stage.hpp"

namespace anyvip::test {

namespace {

Config checked_config() {
    Config config = make_config();
    config.checks = {make_check("web")};
    config.checks[0].schedule.rise = 2;
    config.checks[0].schedule.fall = 2;
    config.vips[0].checks = {"web"};
    return config;
}

void run(Stage& stage, const health::Result& result) {
    if (!stage.probes.contains("web")) {
        stage.pass_time(3s);
    }
    stage.finish("web", result);
}

} // namespace

TEST_CASE("a VIP whose only router is drained says so") {
    Stage stage;
    stage.turn();
    REQUIRE(stage.state() == vip::VipState::Announced);
    REQUIRE(stage.drain({.vips = {}, .peer = "tor1"}).error.empty());
    stage.pass_time(2s);
    CHECK(stage.state() == vip::VipState::Withdrawn);
    CHECK(stage.vip().reason ==
          "healthy, but no router is in use: tor1 (drained; anyvip undrain --peer tor1)");
}

TEST_CASE("a VIP without a session says what each router does") {
    Stage stage;
    stage.turn();
    stage.agent().peer_refused("tor1", "the key file is empty", stage.now());
    stage.cut("tor1");
    stage.turn();
    CHECK(stage.vip().reason ==
          "healthy, but no session is established: tor1 (the key file is empty)");
}

TEST_CASE("an absent address is named when the one that is there has no session to carry it") {
    Config config = make_config();
    config.vips[0].address_policy = vip::AddressPolicy::External;
    config.vips[0].addresses = {
        prefix("2001:db8::11/128"), prefix("203.0.113.10/32"), prefix("2001:db8::10/128")};
    config.peers[0].session.families = {true, false};
    Stage stage(config);
    stage.kernel[prefix("2001:db8::10/128")] = false;
    stage.agent().address_observed(prefix("2001:db8::10/128"), "lo", true, false, stage.now());
    stage.turn();
    REQUIRE(stage.agent().find_peer("tor1")->is_established());
    CHECK(stage.vip().reason.starts_with("healthy, but address 203.0.113.10/32 is not on lo"));
}

TEST_CASE("a verdict that is not there yet says how far it is") {
    Stage stage(checked_config());
    stage.turn();
    CHECK(stage.vip().reason == "check web has no verdict yet; now: its first run has not ended");
    run(stage, pass());
    CHECK(stage.vip().reason == "check web has no verdict yet; now: passed 1 of 2");
}

TEST_CASE("a check that is down for another reason than the one it fell for says both") {
    Stage stage(checked_config());
    stage.turn();
    run(stage, fail());
    CHECK(stage.vip().reason == "tcp check web: connect refused");
    health::Result timeout;
    timeout.outcome = health::Outcome::Timeout;
    timeout.detail = "connect timeout after 1.0 s";
    run(stage, timeout);
    CHECK(stage.vip().reason == "tcp check web: connect refused; now: connect timeout after 1.0 s");
}

TEST_CASE("only `vip` has the conditions, and each prefix tells whether it is announced") {
    Stage stage;
    stage.turn();
    CHECK(stage.vip().conditions.empty());
    CHECK(stage.vip().addresses.at(0).is_announced);
    REQUIRE(stage.agent().vip("www"));
    CHECK_FALSE(stage.agent().vip("www")->conditions.empty());
    CHECK_FALSE(stage.agent().vip("nosuch"));
    CHECK(stage.agent().count_vips(vip::VipState::Announced) == 1);
}

} // namespace anyvip::test
