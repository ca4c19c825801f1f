// SPDX-License-Identifier: Apache-2.0
// Reading other nodes from observed paths, and the guard that rests on it.
#include <doctest/doctest.h>

#include <array>

#include "cmd/agent/keep_last.hpp"
#include "test/unit/cmd/agent/stage.hpp"

namespace anyvip::test {

using cmd::judge_paths;
using cmd::Others;
using cmd::PathFacts;

namespace {

const std::array self{bgp::Speaker{bgp::Asn{65010}, bgp::RouterId{0x0a00000b}}};

[[nodiscard]] bgp::ObservedPath path_of(std::uint32_t router_id, bool is_leaving = false) {
    bgp::ObservedPath path;
    path.next_hop = IpAddress::v4(router_id);
    path.as_path = {bgp::Asn{65001}, bgp::Asn{65010}};
    path.large_communities = {{65010, 1, router_id}};
    path.is_graceful_shutdown = is_leaving;
    return path;
}

using PathsById = std::map<std::uint32_t, bgp::ObservedPath>;

[[nodiscard]] PathFacts facts_of(const PathsById& paths) {
    PathFacts facts;
    facts.paths = &paths;
    facts.has_add_path = true;
    facts.has_end_of_rib = true;
    facts.own_addresses = {IpAddress::v4(0x0a00000b)};
    facts.router_addresses = {IpAddress::v4(0x0a000001)};
    return facts;
}

/// An UPDATE with path identifiers: 203.0.113.10/32, or another of this subnet, by these nodes.
[[nodiscard]] raw::Octets shown(std::uint8_t path_id,
                                std::uint32_t router_id,
                                bool is_leaving,
                                std::uint8_t last_octet = 10) {
    using namespace raw;
    Octets attributes = join({hex("40 01 01 00"),
                              hex("40 02 0a 02 02 0000fde9 0000fdf2"),
                              hex("40 03 04"),
                              u32(router_id),
                              hex("c0 20 0c 0000fdf2 00000001"),
                              u32(router_id)});
    if (is_leaving) {
        attributes = join({attributes, hex("c0 08 04 ffff0000")});
    }
    return update({}, attributes, join({u32(path_id), hex("20 cb0071"), Octets{last_octet}}));
}

[[nodiscard]] raw::Octets gone(std::uint8_t path_id) {
    return raw::update(raw::join({raw::u32(path_id), raw::hex("20 cb00710a")}), {}, {});
}

void open_with_add_path(Stage& stage) {
    stage.routers.at("tor1").has_add_path = true;
    stage.turn();
    REQUIRE(stage.route() != nullptr);
    stage.say("tor1", shown(1, 0x0a00000b, false));
    stage.say("tor1", raw::update({}, {}, {})); // End-of-RIB
}

} // namespace

TEST_CASE("CONTRACT 3: another node is seen by its mark, or by its next hop without marks") {
    PathsById paths{{1, path_of(0x0a00000b)}, {2, path_of(0x0a00000c)}};
    CHECK(judge_paths(facts_of(paths), self, {}).others == Others::Seen);
    paths[2].large_communities.clear();
    CHECK(judge_paths(facts_of(paths), self, {}).others == Others::Seen);
    paths[2].next_hop = IpAddress::v4(0x0a000001); // the router's own: nothing is known
    CHECK(judge_paths(facts_of(paths), self, {}).others == Others::Unknown);
    paths[2].large_communities = {{64999, 1, 5}}; // somebody else's numbers
    CHECK(judge_paths(facts_of(paths), self, {}).others == Others::Unknown);
}

TEST_CASE("CONTRACT 5: our path is ours under either AS number while a reload changes it") {
    const std::array selves{bgp::Speaker{bgp::Asn{65011}, bgp::RouterId{0x0a00000b}}, self.front()};
    PathsById paths{{1, path_of(0x0a00000b)}};
    PathFacts facts = facts_of(paths);
    facts.own_addresses.clear(); // a router that sets itself as the next hop
    CHECK(judge_paths(facts, selves, {}).others == Others::None);
    paths[1].large_communities = {{65011, 1, 0x0a00000b}};
    paths[1].as_path = {bgp::Asn{65001}, bgp::Asn{65011}};
    CHECK(judge_paths(facts, selves, {}).others == Others::None);
    paths[1].large_communities = {{65011, 1, 0x0a00000c}};
    CHECK(judge_paths(facts, selves, {}).others == Others::Seen);
}

TEST_CASE("CONTRACT 3: a backup and a draining node are not seen") {
    PathsById paths{{1, path_of(0x0a00000b)}, {2, path_of(0x0a00000c)}};
    SUBCASE("prepending") {
        paths[2].as_path.insert(paths[2].as_path.end(), 5, self.front().asn);
    }
    SUBCASE("LOCAL_PREF 0") {
        paths[2].local_pref = 0;
    }
    CHECK(judge_paths(facts_of(paths), self, {}).others == Others::Unknown);
    paths[2] = path_of(0x0a00000c, true);
    CHECK(judge_paths(facts_of(paths), self, {}).others == Others::Leaving);
    CHECK(judge_paths(facts_of(paths), self, {}).has_lowest_mark);
    paths[3] = path_of(0x0a00000a, true);
    CHECK_FALSE(judge_paths(facts_of(paths), self, {}).has_lowest_mark);
}

TEST_CASE("CONTRACT 3: none is known only with ADD-PATH, End-of-RIB and our own path shown") {
    PathsById paths{{1, path_of(0x0a00000b)}};
    PathFacts facts = facts_of(paths);
    CHECK(judge_paths(facts, self, {}).others == Others::None);
    SUBCASE("no ADD-PATH") {
        facts.has_add_path = false;
    }
    SUBCASE("no End-of-RIB") {
        facts.has_end_of_rib = false;
    }
    SUBCASE("nothing shown") {
        facts.paths = nullptr;
    }
    SUBCASE("own path not shown") {
        paths.clear();
    }
    CHECK(judge_paths(facts, self, {}).others == Others::Unknown);
}

TEST_CASE("CONTRACT 2: keep_last refuses to drain the last node, unless forced") {
    Stage stage;
    open_with_add_path(stage);
    const vip::DrainReply refused = stage.drain();
    CHECK(refused.status == 409);
    CHECK(refused.error.find("no other node announces 203.0.113.10/32") != std::string::npos);
    CHECK(stage.disk.empty());
    CHECK(stage.state() == vip::VipState::Announced);
    CHECK(stage.drain({.force = true}).status == 200);
    stage.pass_time(1s);
    CHECK(stage.route() == nullptr);
}

TEST_CASE("CONTRACT 2: keep_last = always refuses what is unknown, never asks nothing") {
    Config config = make_config();
    SUBCASE("always") {
        config.drain.keep_last = vip::KeepLast::Always;
        Stage stage(config);
        stage.turn();
        CHECK(stage.drain().status == 409);
    }
    SUBCASE("never") {
        config.drain.keep_last = vip::KeepLast::Never;
        Stage stage(config);
        open_with_add_path(stage);
        CHECK(stage.drain().status == 200);
    }
}

TEST_CASE("CONTRACT 3: the file obeys keep_last and is asked again every 10 s") {
    Config config = make_config();
    config.daemon.drain_file = "/etc/drain";
    Stage stage(config);
    open_with_add_path(stage);
    stage.agent().drain_file(true, stage.now());
    stage.turn();
    CHECK(stage.state() == vip::VipState::Announced);
    CHECK(stage.count("drain.refused") == 1);
    stage.say("tor1", shown(2, 0x0a00000c, false));
    stage.pass_time(9s);
    CHECK(stage.state() == vip::VipState::Announced);
    stage.pass_time(1s);
    CHECK(stage.state() == vip::VipState::Draining);
}

TEST_CASE("the guard is asked in the turn in which a reload adds an address") {
    Config config = make_config();
    config.daemon.drain_file = "/etc/drain";
    config.vips.insert(config.vips.begin(), make_vip("api", "203.0.113.20/32"));
    Stage stage(config);
    open_with_add_path(stage);
    stage.say("tor1", shown(1, 0x0a00000b, false, 20));
    stage.say("tor1", shown(2, 0x0a00000c, false, 20)); // "www" has nobody else, "api" has
    stage.agent().drain_file(true, stage.now());
    stage.turn();
    CHECK(stage.count("drain.refused") == 1);
    config.vips[0].addresses.push_back(prefix("203.0.113.21/32"));
    stage.agent().reload(config, stage.now());
    stage.agent().drain_file(true, stage.now()); // as the daemon does after a reload
    stage.turn();
    CHECK(stage.state() == vip::VipState::Announced);
}

TEST_CASE("CONTRACT 3: the guard is asked once more before the withdraw") {
    Stage stage;
    open_with_add_path(stage);
    stage.say("tor1", shown(2, 0x0a00000c, false));
    REQUIRE(stage.drain().status == 200);
    REQUIRE(stage.route()->is_graceful_shutdown);
    SUBCASE("the other node has gone: this one stays") {
        stage.say("tor1", gone(2));
    }
    SUBCASE("the other drains too, ours is the lowest mark: this one stays") {
        stage.say("tor1", shown(2, 0x0a00000c, true));
    }
    SUBCASE("the other drains too, and has the lowest mark: this one goes") {
        stage.say("tor1", gone(2));
        stage.say("tor1", shown(2, 0x0a00000a, true));
        stage.pass_time(1s);
        CHECK(stage.route() == nullptr);
        return;
    }
    stage.pass_time(1s);
    REQUIRE(stage.route() != nullptr);
    CHECK_FALSE(stage.route()->is_graceful_shutdown);
    CHECK(stage.state() == vip::VipState::Announced);
    CHECK(stage.agent().drain_progress().front().outcome == cmd::DrainOutcome::Cancelled);
    CHECK_FALSE(stage.disk.back().node);
    CHECK(stage.count("drain.refused") == 1);
}

TEST_CASE("CONTRACT 3: without GRACEFUL_SHUTDOWN the guard is asked once more after the disk") {
    Config config = make_config();
    config.checks = {make_check("web")};
    config.vips[0].checks = {"web"};
    config.vips[0].on_down = vip::OnDown::Backup;
    bool is_backup = false;
    SUBCASE("gshut is 0s") {
        config.drain.gshut = 0ms;
    }
    SUBCASE("a backup is not announced with it") {
        is_backup = true;
    }
    Stage stage(config);
    stage.routers.at("tor1").has_add_path = true;
    stage.turn();
    stage.finish("web", pass());
    if (is_backup) {
        stage.pass_time(1100ms);
        stage.finish("web", fail());
        REQUIRE(stage.state() == vip::VipState::Backup);
    }
    stage.say("tor1", shown(1, 0x0a00000b, false));
    stage.say("tor1", raw::update({}, {}, {}));
    stage.say("tor1", shown(2, 0x0a00000c, false));
    stage.disk_answers = false;
    REQUIRE(stage.drain().status == 200);
    stage.say("tor1", gone(2));
    stage.disk_answers = true;
    stage.answer_disk();
    const std::string why = "the drain ends: www: no other node announces 203.0.113.10/32";
    CHECK(stage.agent().why_drain_ended({}) == why);
    CHECK(stage.agent().why_drain_ended({.vips = {"www"}}) == why);
    REQUIRE(stage.agent().drain_progress().size() == 1);
    CHECK(stage.agent().drain_progress().front().outcome == cmd::DrainOutcome::Cancelled);
    CHECK(stage.agent().drain_progress().front().reason == why);
    stage.pass_time(2s);
    CHECK(stage.route() != nullptr);
    CHECK(stage.count("drain.refused") == 1);
    CHECK_FALSE(stage.disk.back().node);
    // The next drain holds, and nothing of this one is said of it.
    stage.say("tor1", shown(2, 0x0a00000c, false));
    REQUIRE(stage.drain().status == 200);
    CHECK(stage.agent().why_drain_ended({}).empty());
    CHECK(stage.route() == nullptr);
    CHECK(stage.agent().drain_progress().front().outcome == cmd::DrainOutcome::Running);
}

TEST_CASE("CONTRACT 3: a VIP that another holder keeps out is not told to be back") {
    Stage stage;
    open_with_add_path(stage);
    stage.say("tor1", shown(2, 0x0a00000c, false));
    REQUIRE(stage.drain({.vips = {"www"}, .force = true}).status == 200);
    REQUIRE(stage.drain().status == 200);
    stage.say("tor1", gone(2));
    stage.pass_time(1s);
    CHECK(stage.count("drain.refused") == 1); // of the node
    CHECK(stage.agent().why_drain_ended({}) == "lb-a: the drain has ended already");
    CHECK(stage.agent().why_drain_ended({.vips = {"www"}}).empty());
    CHECK(stage.agent().drain_progress().front().outcome == cmd::DrainOutcome::Running);
    CHECK(stage.route() == nullptr);
    REQUIRE(stage.undrain().status == 200);
    CHECK(stage.agent().why_drain_ended({.vips = {"www"}}) == "no drain holds it any more");
}

TEST_CASE("CONTRACT 3: each of several drains is asked once more, none slips through") {
    Config config = make_config();
    config.vips.push_back(make_vip("api", "203.0.113.20/32"));
    Stage stage(config);
    open_with_add_path(stage);
    stage.say("tor1", shown(2, 0x0a00000c, false));
    REQUIRE(stage.drain({.vips = {"www", "api"}}).status == 200);
    stage.say("tor1", shown(2, 0x0a00000c, true));
    stage.say("tor1", shown(2, 0x0a00000c, true, 20));
    stage.pass_time(1s);
    CHECK(stage.state("www") == vip::VipState::Announced);
    CHECK(stage.state("api") == vip::VipState::Announced);
    CHECK(stage.disk.back() == vip::DrainState{});
}

TEST_CASE(
    "CONTRACT 2: keep_last refuses to take the only router from the last node, unless forced") {
    Stage stage;
    open_with_add_path(stage);
    for (const bool is_dry_run : {true, false}) {
        const vip::DrainReply refused = stage.drain({.peer = "tor1", .dry_run = is_dry_run});
        CHECK(refused.status == 409);
        CHECK(refused.error == "www: no other router has its routes, and no other node announces "
                               "203.0.113.10/32; nothing was drained (--force)");
    }
    CHECK(stage.disk.empty());
    stage.pass_time(2s);
    CHECK(stage.state() == vip::VipState::Announced);
    CHECK(stage.drain({.peer = "tor1", .force = true}).notes.size() == 2);
    stage.pass_time(2s);
    CHECK(stage.route() == nullptr);
    CHECK(stage.count("drain.refused") == 0);
}

TEST_CASE("CONTRACT 2: a VIP that is drained itself does not keep its router in use") {
    Config config = make_config();
    config.drain.gshut = 10s;
    Stage stage(config);
    open_with_add_path(stage);
    REQUIRE(stage.drain({.vips = {"www"}, .force = true}).status == 200);
    REQUIRE(stage.route() != nullptr);
    CHECK(stage.drain({.peer = "tor1"}).status == 200);
}

TEST_CASE("CONTRACT 3: the guard is asked once more before a router's routes are withdrawn") {
    Config config = make_config();
    bool has_gshut = true;
    SUBCASE("after GRACEFUL_SHUTDOWN") {}
    SUBCASE("without it, after the disk") {
        config.drain.gshut = 0ms;
        has_gshut = false;
    }
    Stage stage(config);
    open_with_add_path(stage);
    stage.say("tor1", shown(2, 0x0a00000c, false));
    bool is_refused = true;
    vip::DrainRequest request{.peer = "tor1"};
    stage.disk_answers = false;
    SUBCASE("the other node has gone: this one stays") {}
    SUBCASE("the other node has gone, but the drain was forced") {
        request.force = true;
        is_refused = false;
    }
    REQUIRE(stage.drain(request).status == 200);
    if (has_gshut) {
        stage.answer_disk();
        REQUIRE(stage.route()->is_graceful_shutdown);
    }
    stage.say("tor1", gone(2));
    stage.disk_answers = true;
    if (!has_gshut) {
        stage.answer_disk();
    }
    stage.pass_time(2s);
    CHECK(stage.disk.back().peers.empty() == is_refused);
    CHECK(stage.agent().drains() == stage.disk.back());
    CHECK(stage.count("drain.refused") == (is_refused ? 1 : 0));
    if (!is_refused) {
        CHECK(stage.route() == nullptr);
        CHECK(stage.agent().why_drain_ended(request).empty());
        return;
    }
    REQUIRE(stage.route() != nullptr);
    CHECK_FALSE(stage.route()->is_graceful_shutdown);
    CHECK(stage.agent().peer("tor1")->use == cmd::PeerUse::Open);
    CHECK(stage.agent().why_drain_ended(request) ==
          "the drain ends: www: no other node announces 203.0.113.10/32");
    stage.say("tor1", shown(2, 0x0a00000c, false));
    REQUIRE(stage.drain(request).status == 200);
    CHECK(stage.agent().why_drain_ended(request).empty());
    stage.pass_time(2s);
    CHECK(stage.route() == nullptr);
    REQUIRE(stage.undrain({.peer = "tor1"}).status == 200);
    CHECK(stage.agent().why_drain_ended(request) == "tor1: the drain has ended already");
}

TEST_CASE("CONTRACT 2: one of two routers is never refused, the second one is") {
    Config config = make_config();
    config.peers.push_back(make_peer("tor2", 2));
    Stage stage(config);
    open_with_add_path(stage);
    CHECK(stage.drain({.peer = "tor1"}).status == 200);
    stage.pass_time(2s);
    CHECK(stage.route() == nullptr);
    CHECK(stage.count("drain.refused") == 0);
    REQUIRE(stage.route("203.0.113.10/32", "tor2") != nullptr);
    CHECK(stage.drain({.peer = "tor2"}).status == 409);
    CHECK(stage.route("203.0.113.10/32", "tor2") != nullptr);
}

} // namespace anyvip::test
