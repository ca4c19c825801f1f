// SPDX-License-Identifier: Apache-2.0
// What a reload says that it does, beside what it does.
#include <doctest/doctest.h>

#include "test/unit/cmd/agent/stage.hpp"

namespace anyvip::test {

namespace {

using Lines = std::vector<std::string>;

void reload(Stage& stage, const Config& config) {
    stage.agent().reload(config, stage.now());
    stage.turn();
}

} // namespace

TEST_CASE("CONTRACT 5: what takes effect at the next start only is said by all") {
    Stage stage;
    stage.turn();
    Config next = make_config();
    next.node.router_id = bgp::RouterId{0x0a00000c};
    next.daemon.control = "/run/other.sock";
    next.daemon.state_dir = "/elsewhere";
    CHECK(stage.agent().describe_reload(next) ==
          Lines{"node router_id: takes effect at the next start",
                "daemon control, state_dir: takes effect at the next start"});
    reload(stage, next);
    CHECK(stage.agent().config() == make_config());
    REQUIRE(stage.count("config.reloaded") == 1);
    CHECK(stage.events.back().reason ==
          "the new configuration is in force; node router_id: takes effect at the next start; "
          "daemon control, state_dir: takes effect at the next start");
}

TEST_CASE("CONTRACT 5: the TCP listener moves, and what could not be applied is no lie") {
    Stage stage;
    stage.turn();
    Config next = make_config();
    next.daemon.http = "127.0.0.1:9180";
    CHECK(stage.agent().describe_reload(next) == Lines{"daemon http: moves to 127.0.0.1:9180"});
    reload(stage, next);
    CHECK(stage.agent().config() == next);
    next.daemon.http.clear();
    next.daemon.node_mark = false;
    CHECK(stage.agent().describe_reload(next) ==
          Lines{"daemon http: switched off", "daemon: changed"});
    stage.agent().reload(make_config(), stage.now(), "daemon http: cannot listen");
    stage.turn();
    CHECK(stage.events.back().reason ==
          "the new configuration is in force; daemon http: cannot listen");
}

TEST_CASE("CONTRACT 5: a router ID that the file leaves to the host is no change") {
    Stage stage;
    stage.turn();
    Config next = make_config();
    next.node.router_id.reset();
    CHECK(stage.agent().describe_reload(next).empty());
    reload(stage, next);
    CHECK(stage.agent().config() == make_config());
    CHECK(stage.events.back().reason == "the new configuration is in force");
}

TEST_CASE("CONTRACT 5: a new name of the node is in force at once, and said") {
    Stage stage;
    stage.turn();
    Config next = make_config();
    next.node.name = "lb-b";
    CHECK(stage.agent().describe_reload(next) == Lines{"node lb-a: renamed to lb-b"});
    reload(stage, next);
    CHECK(stage.agent().config().node.name == "lb-b");
}

TEST_CASE("CONTRACT 5: a renamed check is the same, and said to be") {
    Config config = make_config();
    config.checks = {make_check("web")};
    config.vips[0].checks = {"web"};
    Stage stage(config);
    stage.turn();
    stage.finish("web", pass());
    config.checks[0].name = "web2";
    config.vips[0].checks = {"web2"};
    CHECK(stage.agent().describe_reload(config) ==
          Lines{"check web: renamed to web2", "vip www: changed"});
    reload(stage, config);
    REQUIRE(stage.agent().checks().size() == 1);
    CHECK(stage.agent().checks()[0].check->state() == health::State::Up);
}

TEST_CASE("a check cannot be the successor of two") {
    Config config = make_config();
    config.checks = {make_check("web")};
    Stage stage(config);
    stage.turn();
    config.checks = {make_check("a"), make_check("b")};
    CHECK(stage.agent().describe_reload(config) ==
          Lines{"check web: renamed to a", "check b: added"});
}

TEST_CASE("who keeps its name is not renamed, though another takes its addresses") {
    Config config = make_config();
    config.vips.push_back(make_vip("api", "203.0.113.20/32"));
    config.peers.push_back(make_peer("tor2", 2));
    Stage stage(config);
    stage.turn();
    SUBCASE("its old address goes to a new one") {
        config.vips[0].addresses = {prefix("203.0.113.11/32")};
        config.vips[1] = make_vip("new", "203.0.113.10/32");
        config.peers[0].address = IpAddress::v4(0x0a000009U);
        config.peers[1] = make_peer("leaf", 1);
        CHECK(stage.agent().describe_reload(config) ==
              Lines{"peer tor1: its session is reset, because of: address",
                    "peer leaf: added",
                    "peer tor2: removed, its session ends",
                    "vip www: 203.0.113.10/32 is withdrawn, then taken off if it is ours",
                    "vip www: 203.0.113.11/32 is added",
                    "vip new: added, announced once its checks are up",
                    "vip api: removed: withdrawn, then those of its addresses that are ours are "
                    "taken off"});
        reload(stage, config);
        CHECK(stage.vip("new").since == stage.now().monotonic);
    }
    SUBCASE("its old address goes to one that was there") {
        config.vips.erase(config.vips.begin());
        config.vips[0].addresses = {prefix("203.0.113.10/32")};
        const Lines lines = stage.agent().describe_reload(config);
        REQUIRE_FALSE(lines.empty());
        CHECK(lines.back() == "vip www: removed: withdrawn, then those of its addresses that are "
                              "ours are taken off");
    }
}

TEST_CASE("a VIP that is not announced is not announced again") {
    Config config = make_config();
    config.checks = {make_check("web")};
    config.vips[0].checks = {"web"};
    Stage stage(config);
    stage.turn();
    Config next = config;
    next.vips[0].med = 50;
    CHECK(stage.agent().describe_reload(next) == Lines{"vip www: changed"});
    stage.finish("web", pass());
    CHECK(stage.agent().describe_reload(next) ==
          Lines{"vip www: announced again with other attributes"});
    next.vips[0].med.reset();
    next.vips[0].backup_prepend = 7; // not in use now
    CHECK(stage.agent().describe_reload(next) == Lines{"vip www: changed"});
}

TEST_CASE("a VIP that a drain of the node covers is not said to be announced") {
    Stage stage;
    stage.turn();
    REQUIRE(stage.drain().error.empty());
    Config next = make_config();
    next.vips.push_back(make_vip("api", "203.0.113.20/32"));
    CHECK(stage.agent().describe_reload(next) == Lines{"vip api: added, drained"});
}

TEST_CASE("addresses that others put there are not said to be taken off") {
    Config config = make_config();
    config.vips[0].address_policy = vip::AddressPolicy::External;
    Stage stage(config);
    stage.turn();
    config.vips.clear();
    CHECK(stage.agent().describe_reload(config) == Lines{"vip www: removed: withdrawn"});
}

TEST_CASE("CONTRACT 5: a drain of a peer stays with its name when another takes its address") {
    Stage stage;
    stage.turn();
    REQUIRE(stage.drain({.vips = {}, .peer = "tor1"}).error.empty());
    Config next = make_config();
    next.peers[0].address = IpAddress::v4(0x0a000009U);
    next.peers.push_back(make_peer("leaf", 1));
    reload(stage, next);
    CHECK(stage.agent().drains().peers.contains("tor1"));
    CHECK_FALSE(stage.agent().drains().peers.contains("leaf"));
}

} // namespace anyvip::test
