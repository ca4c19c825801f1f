// SPDX-License-Identifier: Apache-2.0
// What anyvip_withdraw_latency_seconds counts: routes taken back, from their cause.
#include <doctest/doctest.h>

#include "test/unit/cmd/agent/stage.hpp"

namespace anyvip::test {
namespace {

using Durations = std::vector<Duration>;

Config two_vips() {
    Config config = make_config();
    config.drain.gshut = 0ms;
    config.checks = {make_check("web")};
    config.vips[0].checks = {"web"};
    config.vips.push_back(make_vip("api", "203.0.113.20/32"));
    return config;
}

} // namespace

TEST_CASE("CONTRACT 4: a withdraw is measured from its cause, once a turn") {
    Stage stage(two_vips());
    stage.turn();
    stage.finish("web", pass());
    REQUIRE(stage.route() != nullptr);
    CHECK(stage.withdraws.empty());

    SUBCASE("a check's result") {
        stage.pass_time(2s);
        stage.finish("web", fail());
    }
    SUBCASE("a drain of all VIPs counts once") {
        (void)stage.drain();
        stage.pass_time(10s); // it ends, and that is no withdraw
    }
    SUBCASE("a drain of one router") {
        (void)stage.drain({.peer = "tor1"});
    }
    SUBCASE("a VIP is configured no more") {
        Config config = two_vips();
        config.vips.pop_back();
        stage.agent().reload(config, stage.now());
        stage.turn();
    }
    SUBCASE("an address is taken away, and cannot be put back") {
        stage.kernel_refuses = "Operation not permitted";
        stage.agent().address_observed(prefix("203.0.113.20/32"), "lo", false, false, stage.now());
        stage.turn();
    }
    CHECK(stage.withdraws == Durations{0ns});
}

TEST_CASE("CONTRACT 4: a withdraw that waits for the disk is measured from the command") {
    Stage stage(two_vips());
    stage.turn();
    stage.disk_answers = false;
    const Instant asked = stage.now().monotonic;
    (void)stage.drain();
    stage.pass_time(40ms);
    CHECK(stage.withdraws.empty());
    stage.agent().persisted("", stage.now());
    stage.turn(asked);
    CHECK(stage.withdraws == Durations{40ms});
}

TEST_CASE("CONTRACT 4: routes that go with their session are no withdraw") {
    Stage stage(two_vips());
    stage.turn();
    REQUIRE(stage.route("203.0.113.20/32") != nullptr);
    stage.unreachable = {"tor1"};
    stage.cut("tor1");
    stage.pass_time(1min);
    (void)stage.drain();
    CHECK(stage.withdraws.empty());
}

} // namespace anyvip::test
