// SPDX-License-Identifier: Apache-2.0
// Drains from the request to the end of traffic, cancelled at every step, across restarts.
#include <doctest/doctest.h>

#include "test/unit/cmd/agent/stage.hpp"

namespace anyvip::test {

using cmd::DrainOutcome;
using cmd::NodeState;
using vip::DrainStep;
using vip::VipState;

namespace {

const IpAddress www_address = IpAddress::v4(0xcb00710a);

void count_flows(Stage& stage, std::uint64_t flows, std::chrono::milliseconds idle) {
    stage.agent().flows_counted({{www_address, {flows, idle}}}, stage.now());
    stage.turn();
}

cmd::DrainProgress progress(Stage& stage) {
    const auto all = stage.agent().drain_progress();
    REQUIRE(all.size() == 1);
    return all.front();
}

} // namespace

TEST_CASE(
    "CONTRACT 3: a drain is on disk first, then GRACEFUL_SHUTDOWN, withdraw, end of traffic") {
    Stage stage;
    stage.packets.emplace();
    stage.turn();
    stage.log.clear();
    const vip::DrainReply reply = stage.drain({.reason = "kernel", .author = "root"});
    CHECK(reply.status == 200);
    CHECK(reply.changed == std::vector<std::string>{"www"});
    CHECK(stage.log == std::vector<std::string>{"persist"});
    REQUIRE(stage.route() != nullptr);
    CHECK(stage.route()->is_graceful_shutdown);
    CHECK(stage.state() == VipState::Draining);
    CHECK(stage.agent().node_state() == NodeState::Draining);
    CHECK(progress(stage).step == DrainStep::GracefulShutdown);

    stage.pass_time(1s);
    CHECK(stage.route() == nullptr);
    CHECK(stage.agent().find_peer("tor1")->is_established());
    CHECK(stage.state() == VipState::Draining);
    CHECK(progress(stage).step == DrainStep::Withdrawn);
    CHECK(stage.measured.flows == std::vector<IpAddress>{www_address});
    CHECK(stage.measured.packets == std::vector<IpAddress>{www_address});

    count_flows(stage, 3, 1s);
    stage.pass_time(2s);
    CHECK(progress(stage).flows == 3U);
    CHECK(stage.state() == VipState::Draining);
    count_flows(stage, 1, 5s); // silent for `idle`
    CHECK(stage.state() == VipState::Drained);
    CHECK(progress(stage).outcome == DrainOutcome::Ended);
    CHECK(stage.vip().reason == "drained with the node: kernel (by root)");
    CHECK(stage.agent().node_state() == NodeState::Drained);
    CHECK(stage.count("vip.draining") == 1);
    CHECK(stage.count("vip.drained") == 1);
}

TEST_CASE("CONTRACT 3: packets that still arrive keep a drain from ending, the deadline ends it") {
    Stage stage;
    stage.packets.emplace();
    stage.turn();
    (void)stage.drain({.deadline = 10s});
    stage.pass_time(1s);
    count_flows(stage, 0, 0ms);
    for (std::uint64_t packet = 1; packet < 20; ++packet) {
        (*stage.packets)[www_address] = packet;
        stage.pass_time(300ms);
    }
    CHECK(stage.state() == VipState::Draining);
    SUBCASE("until they end") {
        stage.pass_time(700ms);
        CHECK(stage.state() == VipState::Drained);
        CHECK(progress(stage).outcome == DrainOutcome::Ended);
    }
    SUBCASE("until the deadline") {
        count_flows(stage, 2, 0ms);
        stage.pass_time(5s);
        CHECK(stage.state() == VipState::Drained);
        CHECK(progress(stage).outcome == DrainOutcome::DeadlinePassed);
        CHECK(progress(stage).flows == 2U);
    }
}

TEST_CASE("CONTRACT 3: traffic that ends after the deadline has ended") {
    Stage stage;
    stage.packets.emplace();
    stage.turn();
    (void)stage.drain({.deadline = 10s});
    stage.pass_time(1s);
    count_flows(stage, 1, 0ms);
    std::uint64_t packet = 0;
    const auto send_for = [&](std::chrono::milliseconds time) {
        for (auto sent = 0ms; sent < time; sent += 300ms) {
            (*stage.packets)[www_address] = ++packet;
            stage.pass_time(300ms);
        }
    };
    send_for(2min);
    CHECK(progress(stage).outcome == DrainOutcome::DeadlinePassed);
    CHECK(stage.vip().reason == "drained with the node; its deadline passed with traffic left");
    CHECK(stage.measured.flows.empty());
    CHECK(stage.measured.packets.empty()); // not while there is a flow to wait for

    SUBCASE("and not before packets have") {
        // What has come while nobody counted is unknown: silence begins now.
        count_flows(stage, 0, 0ms);
        CHECK(stage.measured.packets == std::vector<IpAddress>{www_address});
        send_for(1min);
        CHECK(progress(stage).outcome == DrainOutcome::DeadlinePassed);
    }
    SUBCASE("without another command") {
        count_flows(stage, 0, 0ms);
    }
    SUBCASE("the last flow has been silent for `idle`") {
        count_flows(stage, 1, 5s);
    }
    stage.pass_time(2s);
    CHECK(progress(stage).outcome == DrainOutcome::Ended);
    CHECK(stage.vip().reason == "drained with the node");
    CHECK(stage.state() == VipState::Drained);
    CHECK(stage.measured.packets.empty());
    CHECK(stage.count("vip.drained") == 1);
}

TEST_CASE("CONTRACT 4: a drain that joins after the deadline looks again, until its own") {
    Stage stage;
    stage.packets.emplace();
    stage.turn();
    (void)stage.drain({.deadline = 10s});
    stage.pass_time(1s);
    count_flows(stage, 2, 0ms);
    stage.pass_time(30min);
    REQUIRE(progress(stage).outcome == DrainOutcome::DeadlinePassed);
    CHECK_FALSE(progress(stage).deadline);

    vip::DrainRequest request{.deadline = 20s};
    bool has_flows = false;
    SUBCASE("of the node, no flow is left") {}
    SUBCASE("of the node, the flows last") {
        has_flows = true;
    }
    SUBCASE("of the VIP, which the node's drain holds") {
        request.vips = {"www"};
        has_flows = true;
    }
    (void)stage.drain(request);
    CHECK(progress(stage).outcome == DrainOutcome::Running);
    CHECK(progress(stage).step == DrainStep::Withdrawn);
    CHECK(progress(stage).deadline == stage.now().monotonic + 20s);
    CHECK(stage.measured.flows == std::vector<IpAddress>{www_address});
    CHECK(stage.state() == VipState::Drained);
    if (has_flows) {
        stage.pass_time(19s);
        CHECK(progress(stage).outcome == DrainOutcome::Running);
        stage.pass_time(1s);
        CHECK(progress(stage).outcome == DrainOutcome::DeadlinePassed);
        CHECK(progress(stage).step == DrainStep::Finished);
    } else {
        count_flows(stage, 0, 0ms);
        stage.pass_time(2s);
        CHECK(progress(stage).outcome == DrainOutcome::Ended);
    }
    CHECK(stage.measured.flows.empty());
    CHECK(stage.count("vip.draining") == 1);
    CHECK(stage.count("vip.drained") == 1);
}

TEST_CASE("CONTRACT 3: nothing acts before the drain is on disk") {
    Stage stage;
    stage.turn();
    stage.disk_answers = false;
    (void)stage.drain();
    REQUIRE(stage.disk.size() == 1);
    CHECK(stage.disk.back().node);
    CHECK_FALSE(stage.route()->is_graceful_shutdown);
    CHECK(stage.state() == VipState::Announced);
    stage.agent().persisted("no space left on device", stage.now());
    stage.turn();
    CHECK(stage.route()->is_graceful_shutdown);
    CHECK(stage.count("drain.unsaved") == 1);
}

TEST_CASE("CONTRACT 3: undrain cancels at any step") {
    Stage stage;
    stage.turn();
    (void)stage.drain();
    SUBCASE("while announced with GRACEFUL_SHUTDOWN") {
        stage.pass_time(500ms);
    }
    SUBCASE("while traffic ends") {
        stage.pass_time(2s);
    }
    SUBCASE("after the end") {
        stage.pass_time(1s);
        count_flows(stage, 0, 0ms);
        stage.pass_time(10s);
        REQUIRE(stage.state() == VipState::Drained);
    }
    const vip::DrainReply reply = stage.undrain();
    CHECK(reply.status == 200);
    REQUIRE(stage.route() != nullptr);
    CHECK_FALSE(stage.route()->is_graceful_shutdown);
    CHECK(stage.state() == VipState::Announced);
    CHECK(stage.count("vip.undrained") == 1);
    CHECK(stage.disk.back() == vip::DrainState{});
    stage.pass_time(2s);
    CHECK(stage.state() == VipState::Announced);
}

TEST_CASE("CONTRACT 3: a drain survives a restart, by name or by addresses") {
    Stage first;
    first.turn();
    (void)first.drain({.vips = {"www"}, .reason = "disk"});
    Config config = make_config();
    SUBCASE("same name") {}
    SUBCASE("renamed") {
        config.vips[0].name = "web";
    }
    SUBCASE("other addresses") {
        config.vips[0].addresses = {prefix("203.0.113.11/32")};
    }
    Stage second(config, first.disk.back());
    second.turn();
    second.pass_time(10s);
    CHECK(second.routers.at("tor1").routes.empty());
    CHECK(second.state(config.vips[0].name) == VipState::Drained);
    CHECK(second.vip(config.vips[0].name).reason == "drained: disk");
    (void)second.undrain({.vips = {config.vips[0].name}});
    CHECK(second.state(config.vips[0].name) == VipState::Announced);
}

TEST_CASE("CONTRACT 3: a VIP's drain follows name and addresses through reloads") {
    Config config = make_config();
    config.vips[0].addresses.push_back(prefix("203.0.113.12/32"));
    Stage stage(config);
    stage.turn();
    (void)stage.drain({.vips = {"www"}, .deadline = 20min, .reason = "disk"});
    SUBCASE("an address is added, then it is renamed") {
        config.vips[0].addresses.push_back(prefix("203.0.113.11/32"));
        stage.agent().reload(config, stage.now());
        stage.turn();
    }
    SUBCASE("it is renamed, and its addresses are in another order") {
        std::ranges::reverse(config.vips[0].addresses);
    }
    SUBCASE("it is renamed before the disk has answered") {
        stage.disk_answers = false;
        (void)stage.drain({.vips = {"www"}, .deadline = 10min});
    }
    config.vips[0].name = "web";
    stage.agent().reload(config, stage.now());
    stage.turn();
    while (stage.answered < stage.disk.size()) {
        stage.answer_disk();
    }
    REQUIRE(stage.disk.back().vips.size() == 1);
    CHECK(stage.disk.back().vips.contains("web"));
    CHECK(stage.disk.back().vips.at("web").addresses.size() == config.vips[0].addresses.size());
    stage.pass_time(2s);
    CHECK(stage.routers.at("tor1").routes.empty());
    CHECK(stage.count("vip.undrained") == 0);
    CHECK(stage.vip("web").reason.starts_with("drained: disk"));
    CHECK(stage.undrain({.vips = {"web"}}).status == 200);
    while (stage.answered < stage.disk.size()) {
        stage.answer_disk();
    }
    CHECK(stage.state("web") == VipState::Announced);
}

TEST_CASE("CONTRACT 3: no address of a drained VIP comes back under another VIP's name") {
    Config config = make_config();
    Stage stage(config);
    stage.turn();
    (void)stage.drain({.vips = {"www"}});
    stage.pass_time(2s);
    config.vips[0].addresses = {prefix("203.0.113.11/32")};
    config.vips.push_back(make_vip("web", "203.0.113.10/32"));
    stage.agent().reload(config, stage.now());
    stage.turn();
    CHECK(stage.routers.at("tor1").routes.empty());
    // Each has its own drain from now on.
    CHECK(stage.undrain({.vips = {"web"}}).status == 200);
    CHECK(stage.state("web") == VipState::Announced);
    CHECK(stage.route("203.0.113.11/32") == nullptr);
}

TEST_CASE("CONTRACT 3: an unreadable state file drains everything until undrain") {
    vip::DrainState unreadable;
    unreadable.unreadable = "not JSON";
    Stage stage(make_config(), unreadable);
    stage.turn();
    CHECK(stage.state() == VipState::Drained);
    CHECK(stage.vip().reason.find("not JSON") != std::string::npos);
    CHECK(stage.undrain({.vips = {"www"}}).status == 409);
    CHECK(stage.undrain().status == 200);
    CHECK(stage.state() == VipState::Announced);
}

TEST_CASE("CONTRACT 3: a health failure or a stop during gshut withdraws at once") {
    Config config = make_config();
    config.checks = {make_check("web")};
    config.vips[0].checks = {"web"};
    Stage stage(config);
    stage.turn();
    stage.finish("web", pass());
    stage.pass_time(2s);
    (void)stage.drain();
    REQUIRE(stage.route()->is_graceful_shutdown);
    SUBCASE("failure") {
        stage.finish("web", fail());
    }
    SUBCASE("stop") {
        stage.agent().stop(stage.now());
        stage.turn();
        CHECK(stage.disk.back().node);
    }
    CHECK(stage.route() == nullptr);
    CHECK(stage.state() == VipState::Draining);
}

TEST_CASE("CONTRACT 3: holders: unknown names, joining, who remains, the file") {
    Config config = make_config();
    config.daemon.drain_file = "/etc/drain";
    config.vips.push_back(make_vip("api", "203.0.113.20/32"));
    Stage stage(config);
    stage.turn();
    CHECK(stage.drain({.vips = {"none"}}).status == 404);
    CHECK(stage.drain({.peer = "none"}).status == 404);
    CHECK(stage.undrain({.vips = {"none"}}).status == 404);
    CHECK(stage.drain({.dry_run = true}).changed.size() == 2);
    CHECK(stage.disk.empty());
    CHECK(stage.drain({.vips = {"api"}}).changed == std::vector<std::string>{"api"});
    CHECK(stage.drain().changed == std::vector<std::string>{"www"});
    CHECK(stage.drain().changed.empty());
    const vip::DrainReply held = stage.undrain({.vips = {"api"}});
    CHECK(held.status == 409);
    CHECK(held.error.find("node") != std::string::npos);
    stage.agent().drain_file(true, stage.now());
    stage.turn();
    const vip::DrainReply by_file = stage.undrain();
    CHECK(by_file.status == 409);
    CHECK(by_file.error == "the file /etc/drain exists and drains the node");
    CHECK(stage.state() == VipState::Draining);
    // Any undrain.
    CHECK(stage.undrain({.vips = {"www"}}).status == 409);
    (void)stage.drain({.peer = "tor1"});
    CHECK(stage.undrain({.peer = "tor1"}).error == by_file.error);
    CHECK(stage.disk.back().peers.empty());
    stage.agent().drain_file(false, stage.now());
    stage.turn();
    CHECK(stage.state() == VipState::Announced);
}

TEST_CASE("CONTRACT 3: what is said of other holders is true") {
    Config config = make_config();
    config.daemon.drain_file = "/etc/drain";
    config.drain.keep_last = vip::KeepLast::Always;
    Stage stage(config);
    stage.turn();
    SUBCASE("the node, when each VIP is drained by itself") {
        (void)stage.drain({.vips = {"www"}, .force = true});
        CHECK(stage.drain().notes ==
              std::vector<std::string>{"each VIP is drained already; the node is drained too from "
                                       "now on: it ends with `anyvip undrain`"});
        CHECK(stage.drain().notes ==
              std::vector<std::string>{
                  "the node is drained already; joined: it ends with `anyvip undrain`"});
    }
    SUBCASE("the file, when keep_last has refused it") {
        stage.agent().drain_file(true, stage.now());
        stage.turn();
        REQUIRE(stage.state() == VipState::Announced);
        const vip::DrainReply reply = stage.undrain();
        CHECK(reply.status == 409);
        CHECK(reply.error == "the file /etc/drain exists and would drain the node, but www: it is "
                             "unknown whether another node announces 203.0.113.10/32");
    }
}

TEST_CASE("CONTRACT 4: drain --peer takes one router out of use, its session stays up") {
    Config config = make_config();
    config.peers.push_back(make_peer("tor2", 2));
    Stage stage(config);
    stage.turn();
    CHECK(stage.drain({.peer = "tor1"}).changed == std::vector<std::string>{"tor1"});
    CHECK(stage.route()->is_graceful_shutdown);
    CHECK_FALSE(stage.route("203.0.113.10/32", "tor2")->is_graceful_shutdown);
    CHECK(stage.agent().peer("tor1")->is_drained);
    CHECK_FALSE(stage.agent().peer("tor2")->is_drained);
    stage.pass_time(1s);
    CHECK(stage.route() == nullptr);
    CHECK(stage.route("203.0.113.10/32", "tor2") != nullptr);
    CHECK(stage.agent().find_peer("tor1")->is_established());
    CHECK(stage.state() == VipState::Announced);
    CHECK(stage.vip().announced_to == std::vector<std::string>{"tor2"});
    CHECK(stage.disk.back().peers.contains("tor1"));
    CHECK(stage.undrain({.peer = "tor1"}).status == 200);
    CHECK(stage.route() != nullptr);
}

TEST_CASE("CONTRACT 4: drain --peer says which VIPs no other router has") {
    Config config = make_config();
    config.peers.push_back(make_peer("tor2", 2));
    config.vips.push_back(make_vip("api", "203.0.113.20/32"));
    config.vips[1].peers = {"tor1"};
    Stage stage(config);
    stage.turn();
    CHECK(stage.drain({.peer = "tor2", .dry_run = true}).notes.size() == 1);
    const auto note = [&](const std::string& peer) {
        const vip::DrainReply reply = stage.drain({.peer = peer});
        return reply.notes.empty() ? "" : reply.notes.front();
    };
    CHECK(note("tor1") ==
          "no other router has the routes of api: out of service here while tor1 is drained");
    CHECK(note("tor2") ==
          "no other router has the routes of www: out of service here while tor2 is drained");
}

TEST_CASE("CONTRACT 5: a drained router that is renamed stays drained, whatever the disk is at") {
    Stage stage;
    stage.turn();
    (void)stage.drain({.peer = "tor1"});
    stage.pass_time(2s);
    REQUIRE(stage.route() == nullptr);
    stage.disk_answers = false;
    (void)stage.drain({.vips = {"www"}});
    Config next = make_config();
    next.peers[0].session.name = "leaf1";
    stage.agent().reload(next, stage.now());
    stage.turn();
    while (stage.answered < stage.disk.size()) {
        stage.answer_disk();
        CHECK(stage.agent().peer("leaf1")->use == cmd::PeerUse::Withdrawn);
    }
    CHECK(stage.disk.back().peers.contains("leaf1"));
}

TEST_CASE("gshut = 0s withdraws in the turn of the command") {
    Config config = make_config();
    config.drain.gshut = 0ms;
    Stage stage(config);
    stage.turn();
    (void)stage.drain();
    CHECK(stage.route() == nullptr);
    CHECK(stage.routers.at("tor1").updates == 2);
    // … and waits for its traffic to end all the same.
    CHECK(progress(stage).step == DrainStep::Withdrawn);
    count_flows(stage, 1, 0ms);
    stage.pass_time(20s);
    CHECK(stage.state() == VipState::Draining);
    count_flows(stage, 0, 0ms);
    CHECK(stage.state() == VipState::Drained);
}

TEST_CASE("CONTRACT 3: a holder that joins during gshut does not hold the drain up") {
    Config config = make_config();
    config.daemon.drain_file = "/etc/drain";
    Stage stage(config);
    stage.turn();
    (void)stage.drain({.vips = {"www"}});
    stage.pass_time(500ms);
    SUBCASE("the node") {
        (void)stage.drain();
    }
    SUBCASE("the file") {
        stage.agent().drain_file(true, stage.now());
        stage.turn();
    }
    SUBCASE("the node, for a moment") {
        (void)stage.drain();
        (void)stage.undrain();
        CHECK_FALSE(stage.route()->is_graceful_shutdown);
        (void)stage.drain({.vips = {"www"}});
    }
    CHECK(stage.route()->is_graceful_shutdown);
    stage.pass_time(1s);
    CHECK(stage.route() == nullptr);
    CHECK(progress(stage).step == DrainStep::Withdrawn);
}

TEST_CASE("CONTRACT 3: a drain whose last session goes during gshut comes to its end") {
    Stage stage;
    stage.turn();
    (void)stage.drain();
    stage.unreachable.insert("tor1");
    stage.cut("tor1");
    stage.pass_time(1s);
    CHECK(stage.state() == VipState::Drained);
    CHECK(progress(stage).outcome == DrainOutcome::Ended);
}

TEST_CASE("a drain file that is told of again leaves nothing due") {
    Config config = make_config();
    config.daemon.drain_file = "/etc/drain";
    Stage stage(config);
    stage.turn();
    for (int i = 0; i < 2; ++i) {
        stage.agent().drain_file(true, stage.now());
        stage.turn();
    }
    CHECK(stage.agent().next_deadline() > stage.now().monotonic);
}

TEST_CASE(
    "CONTRACT 3: a drain file that cannot be looked at: what was seen last counts, and is said") {
    Config config = make_config();
    config.daemon.drain_file = "/etc/drain";
    Stage stage(config);
    stage.turn();
    stage.agent().drain_file(true, stage.now());
    stage.turn();
    stage.pass_time(10s);
    for (const char* problem : {"Stale file handle", "Input/output error"}) {
        stage.agent().drain_file_problem(problem, stage.now());
        stage.turn();
        CHECK(stage.route() == nullptr);
        const auto conditions = stage.agent().vip("www")->conditions;
        const auto found = std::ranges::find(conditions, "drain file", &vip::Condition::name);
        REQUIRE(found != conditions.end());
        CHECK(found->value == "cannot be looked at: " + std::string(problem) +
                                  "; it counts as present, as seen last");
        CHECK_FALSE(found->is_met);
    }
    CHECK(stage.count("drain.file_unknown") == 1);
    CHECK(stage.vip().reason.starts_with(
        "drained while /etc/drain exists, which it did when it could last be looked at"));
    stage.agent().drain_file_problem("", stage.now());
    stage.turn();
    CHECK(stage.vip().reason.starts_with("drained while /etc/drain exists"));
    CHECK(stage.vip().reason.find("last") == std::string::npos);
    stage.agent().drain_file(false, stage.now());
    stage.turn();
    CHECK(stage.state() == VipState::Announced);
    const auto conditions = stage.agent().vip("www")->conditions;
    CHECK(std::ranges::find(conditions, "drain file", &vip::Condition::name) == conditions.end());
}

} // namespace anyvip::test
