// SPDX-License-Identifier: Apache-2.0
// Reload: only the difference, and never a VIP that stays configured withdrawn.
#include <doctest/doctest.h>

#include "test/unit/cmd/agent/stage.hpp"

namespace anyvip::test {

using vip::VipState;

namespace {

Config checked_config() {
    Config config = make_config();
    config.checks = {make_check("web")};
    config.vips[0].checks = {"web"};
    return config;
}

void reload(Stage& stage, const Config& config) {
    stage.agent().reload(config, stage.now());
    stage.turn();
}

const std::vector<std::string> one_after_the_other{"withdraw 203.0.113.10/32 from tor1",
                                                   "close tor1",
                                                   "announce 203.0.113.10/32 to tor1",
                                                   "withdraw 203.0.113.10/32 from tor2",
                                                   "close tor2",
                                                   "announce 203.0.113.10/32 to tor2"};

} // namespace

TEST_CASE("CONTRACT 5: an equal configuration changes nothing") {
    Stage stage(checked_config());
    stage.turn();
    stage.finish("web", pass());
    const auto updates = stage.routers.at("tor1").updates;
    CHECK(stage.agent().describe_reload(checked_config()).empty());
    reload(stage, checked_config());
    CHECK(stage.routers.at("tor1").updates == updates);
    CHECK(stage.count("config.reloaded") == 1);
}

TEST_CASE("CONTRACT 5: a new or changed check takes over the VIP's verdict") {
    Stage stage(checked_config());
    stage.turn();
    stage.finish("web", pass());
    Config next = checked_config();
    next.checks[0].schedule.timeout = 500ms;
    next.checks.push_back(make_check("deep"));
    next.checks[1].schedule.fall = 2;
    next.vips[0].checks = {"web", "deep"};
    CHECK(stage.agent().describe_reload(next) ==
          std::vector<std::string>{
              "check web: changed, keeps its verdict", "check deep: added", "vip www: changed"});
    reload(stage, next);
    CHECK(stage.state() == VipState::Announced);
    CHECK(stage.routers.at("tor1").updates == 1);
    stage.pass_time(10ms);
    stage.finish("deep", fail());
    stage.pass_time(2s);
    CHECK(stage.routers.at("tor1").updates <= 2);
}

TEST_CASE("CONTRACT 5: a VIP that is renamed in the same reload hands its verdict on as well") {
    Stage stage(checked_config());
    stage.turn();
    stage.finish("web", pass());
    Config next = checked_config();
    next.checks = {make_check("deep")};
    next.checks[0].schedule.interval = 2s;
    next.vips[0].name = "shop";
    next.vips[0].checks = {"deep"};
    reload(stage, next);
    CHECK(stage.state("shop") == VipState::Announced);
    CHECK(stage.routers.at("tor1").updates == 1);
}

TEST_CASE("CONTRACT 3 and 5: a new check has for each VIP the verdict of that VIP") {
    Config config = make_config();
    config.checks = {make_check("web")};
    config.vips.push_back(make_vip("down", "203.0.113.20/32", {"web"}));
    Stage stage(config);
    stage.turn();
    stage.finish("web", fail());
    REQUIRE(stage.state("www") == VipState::Announced);
    REQUIRE(stage.state("down") == VipState::Withdrawn);
    // All three from now on depend on "deep" alone, which nothing has ever passed.
    config.checks = {make_check("deep")};
    config.checks[0].schedule.fall = 2;
    config.checks[0].schedule.rise = 2;
    config.vips[0].checks = {"deep"};
    config.vips[1].checks = {"deep"};
    config.vips.push_back(make_vip("new", "203.0.113.30/32", {"deep"}));
    reload(stage, config);
    CHECK(stage.state("www") == VipState::Announced);
    CHECK(stage.state("down") == VipState::Withdrawn);
    CHECK(stage.state("new") == VipState::Starting);
    const cmd::VipView www = stage.agent().vip("www").value();
    for (const auto& condition : www.conditions) {
        CHECK(condition.is_met);
    }
    SUBCASE("it passes once: that is not its rise") {
        stage.finish("deep", pass());
        CHECK(stage.state("www") == VipState::Announced);
        CHECK(stage.state("down") == VipState::Withdrawn);
        CHECK(stage.state("new") == VipState::Starting);
        reload(stage, config); // changes nothing
        CHECK(stage.state("www") == VipState::Announced);
        CHECK(stage.state("new") == VipState::Starting);
        stage.pass_time(2s);
        stage.finish("deep", pass());
        CHECK(stage.state("www") == VipState::Announced);
        CHECK(stage.state("down") == VipState::Announced);
        CHECK(stage.state("new") == VipState::Announced);
        CHECK(stage.vip("new").reason == "all checks up");
    }
    SUBCASE("it fails") {
        stage.finish("deep", fail());
        stage.pass_time(2s);
        stage.finish("deep", fail());
        CHECK(stage.state("www") == VipState::Withdrawn);
        CHECK(stage.state("down") == VipState::Withdrawn);
        CHECK(stage.state("new") == VipState::Withdrawn);
    }
}

TEST_CASE("CONTRACT 3: a new VIP waits until a check that has changed passes as it is now") {
    Stage stage(checked_config());
    stage.turn();
    stage.finish("web", pass());
    Config next = checked_config();
    next.checks[0].target = health::TcpTarget{.target = "127.0.0.1:81", .send = {}, .expect = {}};
    next.vips.push_back(make_vip("new", "203.0.113.30/32", {"web"}));
    reload(stage, next);
    stage.pass_time(1s);
    CHECK(stage.state("www") == VipState::Announced);
    CHECK(stage.state("new") == VipState::Starting);
    stage.finish("web", pass());
    CHECK(stage.state("new") == VipState::Announced);
}

TEST_CASE("CONTRACT 5: a VIP that gets another address keeps its verdict for a {vip} check") {
    Config config = make_config();
    config.checks = {make_check("web")};
    config.checks[0].target = health::TcpTarget{.target = "{vip}:80", .send = {}, .expect = {}};
    config.vips[0].checks = {"web"};
    config.vips.push_back(make_vip("down", "203.0.113.20/32", {"web"}));
    Stage stage(config);
    stage.turn();
    stage.pass_time(10ms);
    stage.finish("web@203.0.113.10", pass());
    stage.finish("web@203.0.113.20", fail());
    config.vips[0].addresses.push_back(prefix("203.0.113.11/32"));
    config.vips[1].addresses.push_back(prefix("203.0.113.21/32"));
    reload(stage, config);
    CHECK(stage.state("www") == VipState::Announced);
    CHECK(stage.state("down") == VipState::Withdrawn);
}

TEST_CASE("CONTRACT 2: policy external finds an address that was there before the reload") {
    Stage stage;
    stage.turn();
    const Prefix external = prefix("203.0.113.30/32");
    stage.kernel[external] = false;
    stage.agent().address_observed(external, "lo", true, false, stage.now());
    stage.turn();
    Config next = make_config();
    next.vips.push_back(make_vip("api", "203.0.113.30/32"));
    next.vips[1].address_policy = vip::AddressPolicy::External;
    reload(stage, next);
    CHECK(stage.state("api") == VipState::Announced);
    reload(stage, make_config());
    CHECK(stage.kernel.contains(external));
    reload(stage, next);
    CHECK(stage.state("api") == VipState::Announced);
}

TEST_CASE("CONTRACT 5: changed attributes are announced again, without a withdraw") {
    Stage stage;
    stage.turn();
    stage.log.clear();
    Config next = make_config();
    next.vips[0].prepend = 2;
    reload(stage, next);
    CHECK(stage.route()->path_length == 3);
    CHECK(stage.log.empty());
}

TEST_CASE("CONTRACT 5: VIPs come, go and are renamed") {
    Stage stage;
    stage.turn();
    stage.log.clear();
    Config next = make_config();
    SUBCASE("added") {
        next.vips.push_back(make_vip("api", "203.0.113.20/32"));
        reload(stage, next);
        CHECK(stage.log ==
              std::vector<std::string>{"add 203.0.113.20/32", "announce 203.0.113.20/32 to tor1"});
    }
    SUBCASE("removed: withdrawn, then taken off") {
        next.vips.clear();
        reload(stage, next);
        CHECK(stage.log == std::vector<std::string>{"withdraw 203.0.113.10/32 from tor1"});
        stage.pass_time(6s);
        CHECK(stage.kernel.empty());
        CHECK(stage.count("vip.withdrawn") == 1);
    }
    SUBCASE("renamed") {
        next.vips[0].name = "web";
        reload(stage, next);
        CHECK(stage.log.empty());
        CHECK(stage.state("web") == VipState::Announced);
    }
    SUBCASE("removed and back before its address was taken off") {
        next.vips.clear();
        reload(stage, next);
        reload(stage, make_config());
        stage.pass_time(10s);
        CHECK(stage.state() == VipState::Announced);
    }
}

TEST_CASE("CONTRACT 5: sessions are reset one at a time, drained first") {
    Config config = make_config();
    config.peers.push_back(make_peer("tor2", 2));
    Stage stage(config);
    stage.turn();
    stage.log.clear();
    Config next = config;
    next.peers[0].session.hold_time = 30s;
    next.peers[1].password = "secret";
    const auto lines = stage.agent().describe_reload(next);
    REQUIRE(lines.size() == 2);
    CHECK(lines[0] == "peer tor1: its session is reset, because of: hold_time");
    CHECK(lines[1] == "peer tor2: its session is reset, because of: password");
    reload(stage, next);
    CHECK(stage.route()->is_graceful_shutdown);
    CHECK_FALSE(stage.route("203.0.113.10/32", "tor2")->is_graceful_shutdown);
    stage.pass_time(30s);
    CHECK(stage.route() != nullptr);
    CHECK_FALSE(stage.route()->is_graceful_shutdown);
    CHECK(stage.route("203.0.113.10/32", "tor2") != nullptr);
    CHECK(stage.log == one_after_the_other);
    CHECK(stage.count("vip.withdrawn") == 0);
    for (const char* name : {"tor1", "tor2"}) {
        REQUIRE(stage.routers.at(name).notifications.size() == 1);
        CHECK(stage.routers.at(name).notifications[0][1] == 6);
    }
}

TEST_CASE("CONTRACT 5: another AS number is told to one router after the other") {
    Config config = make_config();
    config.peers.push_back(make_peer("tor2", 2));
    Stage stage(config);
    stage.turn();
    stage.log.clear();
    Config next = config;
    next.node.asn = bgp::Asn{65011};
    CHECK(stage.agent().describe_reload(next) ==
          std::vector<std::string>{"peer tor1: its session is reset, because of: node.asn",
                                   "peer tor2: its session is reset, because of: node.asn"});
    reload(stage, next);
    CHECK(stage.agent().config() == next);
    CHECK(stage.route()->is_graceful_shutdown);
    // A session that waits goes on as it was, its routes with it.
    CHECK(stage.agent().find_peer("tor2")->speaker().asn == bgp::Asn{65010});
    CHECK(stage.routers.at("tor2").updates == 1);
    stage.pass_time(30s);
    CHECK(stage.log == one_after_the_other);
    CHECK(stage.count("vip.withdrawn") == 0);
    CHECK(stage.agent().find_peer("tor2")->speaker().asn == bgp::Asn{65011});
    for (const char* name : {"tor1", "tor2"}) {
        const Router& router = stage.routers.at(name);
        REQUIRE(router.opens.size() == 2);
        CHECK(raw::Octets(router.opens[0].begin(), router.opens[0].begin() + 3) ==
              raw::hex("04 fdf2"));
        CHECK(raw::Octets(router.opens[1].begin(), router.opens[1].begin() + 3) ==
              raw::hex("04 fdf3"));
        CHECK(stage.route("203.0.113.10/32", name)->mark_asns == std::set<std::uint32_t>{65011});
    }
}

TEST_CASE("CONTRACT 5: a session that has begun anew meanwhile needs no reset any more") {
    Config config = make_config();
    config.peers.push_back(make_peer("tor2", 2));
    Stage stage(config);
    stage.turn();
    Config next = config;
    next.node.asn = bgp::Asn{65011};
    reload(stage, next);
    // tor2 is to be the second, and is restarted while it waits.
    stage.cut("tor2");
    stage.pass_time(30s);
    CHECK(stage.routers.at("tor2").opens.size() == 2);
    CHECK(stage.routers.at("tor2").notifications.empty());
    CHECK(stage.agent().find_peer("tor2")->speaker().asn == bgp::Asn{65011});
    CHECK(stage.routers.at("tor1").notifications.size() == 1);
    CHECK(stage.state() == VipState::Announced);
}

TEST_CASE("CONTRACT 5: an AS number that comes back while others wait resets none of these") {
    Config config = make_config();
    config.peers.push_back(make_peer("tor2", 2));
    config.peers.push_back(make_peer("tor3", 3));
    Stage stage(config);
    stage.turn();
    Config next = config;
    next.node.asn = bgp::Asn{65011};
    reload(stage, next);
    stage.upgrade();
    CHECK(stage.agent().find_peer("tor2")->speaker().asn == bgp::Asn{65010});
    SUBCASE("before the first reset") {
        CHECK(stage.agent().describe_reload(config).empty());
        reload(stage, config);
        stage.pass_time(60s);
        CHECK(stage.routers.at("tor1").opens.size() == 1);
        CHECK_FALSE(stage.route()->is_graceful_shutdown);
    }
    SUBCASE("after it") {
        while (stage.agent().find_peer("tor1")->speaker().asn != bgp::Asn{65011}) {
            stage.pass_time(100ms);
        }
        CHECK(stage.agent().describe_reload(config).front() ==
              "peer tor1: its session is reset, because of: node.asn");
        reload(stage, config);
        stage.pass_time(60s);
        CHECK(stage.agent().find_peer("tor1")->speaker().asn == bgp::Asn{65010});
    }
    for (const char* name : {"tor2", "tor3"}) {
        CHECK(stage.routers.at(name).opens.size() == 1);
        CHECK(stage.routers.at(name).notifications.empty());
    }
    CHECK(stage.vip().announced_to == std::vector<std::string>{"tor1", "tor2", "tor3"});
}

TEST_CASE("CONTRACT 5: peers come, go and are renamed") {
    Stage stage;
    stage.turn();
    stage.log.clear();
    Config next = make_config();
    SUBCASE("renamed") {
        next.peers[0].session.name = "leaf1";
        reload(stage, next);
        CHECK(stage.log.empty());
        CHECK(stage.vip().announced_to == std::vector<std::string>{"leaf1"});
    }
    SUBCASE("added") {
        next.peers.push_back(make_peer("tor2", 2));
        reload(stage, next);
        stage.pass_time(1s);
        CHECK(stage.vip().announced_to == std::vector<std::string>{"tor1", "tor2"});
    }
    SUBCASE("removed") {
        next.peers.clear();
        reload(stage, next);
        CHECK(stage.agent().find_peer("tor1") != nullptr);
        REQUIRE(stage.routers.at("tor1").notifications.size() == 1);
        CHECK(stage.routers.at("tor1").notifications[0] == raw::hex("06 03"));
        stage.agent().peer_gone("tor1");
        CHECK(stage.agent().find_peer("tor1") == nullptr);
        CHECK(stage.state() == VipState::Withdrawn);
    }
}

TEST_CASE(
    "CONTRACT 3: a VIP withdrawn a moment ago and removed keeps its address for its traffic") {
    Config config = checked_config();
    config.vips.push_back(make_vip("other", "203.0.113.20/32"));
    Stage stage(config);
    stage.turn();
    stage.finish("web", pass());
    stage.pass_time(1100ms);
    stage.finish("web", fail());
    REQUIRE(stage.route() == nullptr);
    stage.pass_time(1s);
    config.vips.erase(config.vips.begin());
    reload(stage, config);
    CHECK(stage.kernel.contains(prefix("203.0.113.10/32")));
    stage.pass_time(5s);
    CHECK_FALSE(stage.kernel.contains(prefix("203.0.113.10/32")));
}

} // namespace anyvip::test
