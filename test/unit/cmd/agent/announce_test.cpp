// SPDX-License-Identifier: Apache-2.0
// From a start to an announcement and back, by checks, addresses and sessions.
#include <doctest/doctest.h>

#include "test/unit/cmd/agent/stage.hpp"

namespace anyvip::test {

using vip::VipState;

TEST_CASE("CONTRACT 3: a VIP without checks is announced at once, its address first") {
    Stage stage;
    stage.turn();
    CHECK(stage.log ==
          std::vector<std::string>{"add 203.0.113.10/32", "announce 203.0.113.10/32 to tor1"});
    CHECK(stage.state() == VipState::Announced);
    CHECK(stage.vip().announced_to == std::vector<std::string>{"tor1"});
    CHECK(stage.vip().reason == "no checks: always up");
    CHECK(stage.count("vip.announced") == 1);
    CHECK(stage.count("vip.withdrawn") == 0);
    CHECK(stage.routers.at("tor1").ends_of_rib == 2);
}

TEST_CASE("CONTRACT 3: every route bears the node's mark unless node_mark is off") {
    Stage marked;
    marked.turn();
    REQUIRE(marked.route() != nullptr);
    CHECK(marked.route()->marks == std::set<std::uint32_t>{0x0a00000b});
    Config config = make_config();
    config.daemon.node_mark = false;
    Stage plain(config);
    plain.turn();
    REQUIRE(plain.route() != nullptr);
    CHECK(plain.route()->marks.empty());
}

TEST_CASE("CONTRACT 3: nothing is announced before rise successes") {
    Config config = make_config();
    config.checks = {make_check("web")};
    config.checks[0].schedule.rise = 2;
    config.vips[0].checks = {"web"};
    Stage stage(config);
    stage.turn();
    CHECK(stage.kernel.contains(prefix("203.0.113.10/32"))); // hold: from start to stop
    CHECK(stage.state() == VipState::Starting);
    stage.finish("web", pass());
    CHECK(stage.route() == nullptr);
    CHECK(stage.state() == VipState::Starting);
    stage.pass_time(2s);
    stage.finish("web", pass());
    CHECK(stage.route() != nullptr);
    CHECK(stage.state() == VipState::Announced);
}

TEST_CASE("the withdraw is in the octets that follow the settle of the check result") {
    Config config = make_config();
    config.checks = {make_check("web")};
    config.vips[0].checks = {"web"};
    Stage stage(config);
    stage.turn();
    stage.finish("web", pass());
    REQUIRE(stage.route() != nullptr);
    stage.pass_time(2s);
    Agent& agent = stage.agent();
    agent.probe_finished(stage.probes.at("web"), fail(), stage.now());
    agent.settle(stage.now());
    CHECK_FALSE(agent.find_peer("tor1")->output(bgp::Slot::Outgoing).empty());
    stage.turn();
    CHECK(stage.route() == nullptr);
    CHECK(stage.state() == VipState::Withdrawn);
    CHECK(stage.vip().reason.find("web") != std::string::npos);
    CHECK(stage.vip().reason.find("connect refused") != std::string::npos);
    CHECK(stage.count("check.down") == 1);
    CHECK(stage.count("vip.withdrawn") == 1);
    CHECK(stage.kernel.contains(prefix("203.0.113.10/32")));
}

TEST_CASE("CONTRACT 3: without a session a healthy VIP is withdrawn, and the reason says so") {
    Stage stage;
    stage.unreachable.insert("tor1");
    stage.turn();
    CHECK(stage.state() == VipState::Withdrawn);
    CHECK(stage.vip().reason == "healthy, but no session is established: tor1 (connection "
                                "failed: connection refused)");
    stage.unreachable.clear();
    stage.pass_time(1s);
    CHECK(stage.state() == VipState::Announced);
    stage.cut("tor1");
    stage.pass_time(3s);
    CHECK(stage.route() != nullptr);
    CHECK(stage.state() == VipState::Announced);
    CHECK(stage.count("peer.up") == 2);
    CHECK(stage.count("peer.down") == 1);
}

TEST_CASE("CONTRACT 2: policy follow has the address only while announced") {
    Config config = make_config();
    config.checks = {make_check("web")};
    config.vips[0].checks = {"web"};
    config.vips[0].address_policy = vip::AddressPolicy::Follow;
    Stage stage(config);
    stage.turn();
    CHECK(stage.kernel.empty());
    stage.finish("web", pass());
    CHECK(stage.route() != nullptr);
    stage.pass_time(2s);
    stage.finish("web", fail());
    CHECK(stage.route() == nullptr);
    CHECK(stage.kernel.size() == 1); // traffic may still be on its way
    stage.pass_time(6s);
    CHECK(stage.kernel.empty());
}

TEST_CASE("CONTRACT 2: policy external waits for somebody else and never touches the address") {
    Config config = make_config();
    config.vips[0].address_policy = vip::AddressPolicy::External;
    Stage stage(config);
    stage.turn();
    CHECK(stage.state() == VipState::Withdrawn);
    const Prefix www = prefix("203.0.113.10/32");
    stage.kernel[www] = false;
    stage.agent().address_observed(www, "lo", true, false, stage.now());
    stage.turn();
    CHECK(stage.state() == VipState::Announced);
    stage.agent().address_observed(www, "lo", false, false, stage.now());
    stage.agent().settle(stage.now());
    stage.turn();
    CHECK(stage.route() == nullptr);
    CHECK(stage.log == std::vector<std::string>{"announce 203.0.113.10/32 to tor1",
                                                "withdraw 203.0.113.10/32 from tor1"});
}

TEST_CASE("CONTRACT 3: an address somebody removes is put back in the same turn") {
    Stage stage;
    stage.turn();
    const Prefix www = prefix("203.0.113.10/32");
    for (int removal = 0; removal < 3; ++removal) {
        stage.agent().address_observed(www, "lo", false, false, stage.now());
        stage.turn();
        CHECK(stage.kernel.contains(www));
        CHECK(stage.state() == VipState::Announced);
        stage.pass_time(1s);
    }
    CHECK(stage.count("address.removed") == 3);
    CHECK(stage.routers.at("tor1").updates == 1);

    SUBCASE("more than three times in 10 s: withdrawn, and tried again after a pause") {
        stage.agent().address_observed(www, "lo", false, false, stage.now());
        stage.turn();
        CHECK(stage.route() == nullptr);
        CHECK(stage.state() == VipState::Withdrawn);
        stage.pass_time(11s);
        CHECK(stage.state() == VipState::Announced);
    }
    SUBCASE("withdrawn when putting it back fails") {
        stage.pass_time(11s);
        stage.kernel_refuses = "no such device";
        stage.agent().address_observed(www, "lo", false, false, stage.now());
        stage.turn();
        CHECK(stage.route() == nullptr);
        CHECK(stage.vip().reason.find("no such device") != std::string::npos);
        stage.kernel_refuses.clear();
        stage.pass_time(1s);
        CHECK(stage.state() == VipState::Announced);
    }
}

TEST_CASE("CONTRACT 3: backup when down with on_down, when a shared check fails") {
    Config config = make_config();
    config.checks = {make_check("web"), make_check("db")};
    config.checks[1].scope = health::Scope::Shared;
    config.vips[0].checks = {"web", "db"};
    config.vips[0].on_down = vip::OnDown::Backup;
    Stage stage(config);
    stage.pass_time(10ms);
    stage.finish("web", fail());
    CHECK(stage.route() == nullptr); // never up: nothing has ever worked here
    stage.pass_time(2s);
    stage.finish("web", pass());
    REQUIRE(stage.route() != nullptr); // the shared check has no verdict, which is no obstacle
    CHECK(stage.route()->path_length == 1);
    stage.finish("db", fail());
    CHECK(stage.state() == VipState::Backup);
    CHECK(stage.route()->path_length == 6);
    stage.pass_time(2s);
    stage.finish("db", pass());
    CHECK(stage.state() == VipState::Announced);
    stage.pass_time(2s);
    stage.finish("web", fail());
    CHECK(stage.state() == VipState::Backup);
    CHECK(stage.route()->path_length == 6);
    CHECK(stage.count("vip.backup") == 2);
}

TEST_CASE("a check with {vip} runs once for each address and is their conjunction") {
    Config config = make_config();
    config.checks = {make_check("web")};
    config.checks[0].target = health::TcpTarget{.target = "{vip}:80", .send = {}, .expect = {}};
    config.vips[0].checks = {"web"};
    config.vips[0].addresses.push_back(prefix("2001:db8::10/128"));
    Stage stage(config);
    stage.turn();
    REQUIRE(stage.probes.contains("web@203.0.113.10"));
    stage.pass_time(10ms);
    stage.finish("web@203.0.113.10", pass());
    CHECK(stage.route() == nullptr);
    stage.finish("web@2001:db8::10", pass());
    CHECK(stage.route() != nullptr);
    CHECK(stage.route("2001:db8::10/128") != nullptr);
    stage.pass_time(2s);
    stage.finish("web@2001:db8::10", fail());
    CHECK(stage.route() == nullptr);
    CHECK(stage.route("2001:db8::10/128") == nullptr);
}

namespace {

/// Whether the addresses of this turn are added before its first probe.
namespace {

bool adds_before_probing(Agent& agent) {
    bool is_probing = false;
    std::size_t added = 0;
    for (const cmd::Output& output : agent.take_outputs()) {
        is_probing = is_probing || std::holds_alternative<cmd::StartProbe>(output);
        if (std::holds_alternative<cmd::AddAddress>(output)) {
            ++added;
            CHECK(!is_probing);
        }
    }
    return is_probing && added == 1;
}

} // namespace

} // namespace

TEST_CASE("a {vip} is on its interface before it is probed for the first time") {
    Config config = make_config();
    config.checks = {make_check("web")};
    config.checks[0].target = health::TcpTarget{.target = "{vip}:80", .send = {}, .expect = {}};
    config.vips[0].checks = {"web"};
    const cmd::Now now{Instant(1000h), vip::WallTime(1000h)};
    Agent agent(config, {}, 7, now);
    agent.settle(now);
    CHECK(adds_before_probing(agent));
    config.vips[0].addresses.insert(config.vips[0].addresses.begin(), prefix("203.0.113.9/32"));
    agent.reload(config, now);
    agent.settle(now);
    CHECK(adds_before_probing(agent));
}

TEST_CASE("CONTRACT 2: link bandwidth follows the weight in steps and ramps up") {
    Config config = make_config();
    config.checks = {make_check("web")};
    config.vips[0].checks = {"web"};
    config.vips[0].bandwidth_bits_per_second = 8000.0;
    config.vips[0].slow_start = 4s;
    Stage stage(config);
    stage.turn();
    stage.finish("web", pass());
    REQUIRE(stage.route() != nullptr);
    CHECK(stage.route()->bandwidth == 100.0F);
    stage.pass_time(2s);
    CHECK(stage.route()->bandwidth == 500.0F);
    stage.pass_time(2s);
    CHECK(stage.route()->bandwidth == 1000.0F);
    health::Result lighter = pass();
    lighter.weight = 95;
    stage.finish("web", lighter);
    CHECK(stage.route()->bandwidth == 1000.0F);
    stage.pass_time(2s);
    lighter.weight = 50;
    stage.finish("web", lighter);
    CHECK(stage.route()->bandwidth == 500.0F);
}

TEST_CASE("CONTRACT 2: weight 0 is down and shown, link bandwidth keeps the weight before it") {
    Config config = make_config();
    config.checks = {make_check("web")};
    config.checks[0].schedule.fall = 2;
    config.vips[0].checks = {"web"};
    config.vips[0].bandwidth_bits_per_second = 8000.0;
    config.vips[0].on_down = vip::OnDown::Backup;
    Stage stage(config);
    stage.turn();
    health::Result weighted = pass();
    weighted.weight = 50;
    stage.finish("web", weighted);
    CHECK(stage.vip().weight == 50);
    weighted.weight = 0;
    for (const std::uint32_t shown : {50U, 0U}) {
        stage.pass_time(2s);
        stage.finish("web", weighted);
        CHECK(stage.vip().weight == shown);
        REQUIRE(stage.route() != nullptr);
        CHECK(stage.route()->bandwidth == 500.0F);
    }
    CHECK(stage.state() == VipState::Backup);
}

TEST_CASE("CONTRACT 2: slow_start begins with the plain route: after hold_down, after a drain") {
    Config config = make_config();
    config.checks = {make_check("web")};
    config.vips[0].checks = {"web"};
    config.vips[0].bandwidth_bits_per_second = 8000.0;
    config.vips[0].slow_start = 4s;
    config.vips[0].hold_down = 10s;
    Stage stage(config);
    stage.turn();
    stage.finish("web", pass());
    stage.pass_time(5s);
    CHECK(stage.route()->bandwidth == 1000.0F);
    stage.finish("web", fail());
    stage.pass_time(2s);
    stage.finish("web", pass());
    CHECK(stage.route() == nullptr);
    stage.pass_time(8s);
    REQUIRE(stage.route() != nullptr);
    CHECK(stage.route()->bandwidth == 100.0F);
    stage.finish("web", pass());
    stage.pass_time(5s);
    CHECK(stage.route()->bandwidth == 1000.0F);
    stage.finish("web", pass());
    static_cast<void>(stage.drain());
    stage.pass_time(500ms); // gshut: no new beginning
    CHECK(stage.route()->bandwidth == 1000.0F);
    stage.pass_time(5s);
    CHECK(stage.route() == nullptr);
    static_cast<void>(stage.undrain());
    REQUIRE(stage.route() != nullptr);
    CHECK(stage.route()->bandwidth == 100.0F);
}

TEST_CASE(
    "CONTRACT 3: a session that comes up while an address is being put back is not told of it") {
    Stage stage;
    stage.turn();
    REQUIRE(stage.route() != nullptr);
    stage.unreachable = {"tor1"};
    stage.cut("tor1");
    stage.kernel_answers = false;
    stage.kernel.clear();
    stage.agent().address_observed(prefix("203.0.113.10/32"), "lo", false, false, stage.now());
    stage.turn();
    stage.unreachable.clear();
    stage.pass_time(600ms);
    REQUIRE(stage.agent().find_peer("tor1")->is_established());
    CHECK(stage.route() == nullptr);
    stage.kernel[prefix("203.0.113.10/32")] = true;
    stage.agent().address_observed(prefix("203.0.113.10/32"), "lo", true, true, stage.now());
    stage.turn();
    CHECK(stage.route() != nullptr);
}

} // namespace anyvip::test
