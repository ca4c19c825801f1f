// SPDX-License-Identifier: Apache-2.0
// Drains with an end of their own (--until), and what becomes of it when drains join.
#include <doctest/doctest.h>

#include "test/unit/cmd/agent/stage.hpp"

namespace anyvip::test {

using vip::VipState;

TEST_CASE("a drain with --until says when it ends, and tells of it five minutes before") {
    Stage stage;
    stage.turn();
    (void)stage.drain({.vips = {"www"}, .until = 10min, .reason = "kernel update"});
    stage.turn();
    CHECK(stage.agent().vip("www")->reason.starts_with("drained until "));
    CHECK(stage.agent().vip("www")->reason.find(" UTC: kernel update") != std::string::npos);
    stage.pass_time(4min);
    CHECK(stage.count("drain.ending") == 0);
    stage.pass_time(2min);
    CHECK(stage.count("drain.ending") == 1);
    stage.pass_time(5min);
    CHECK(stage.count("drain.ending") == 1);
    CHECK(stage.count("drain.expired") == 1);
    (void)stage.drain({.vips = {"www"}, .until = 4min});
    stage.pass_time(5min);
    CHECK(stage.count("drain.ending") == 1); // it was said just before
}

TEST_CASE("CONTRACT 4: --until ends a drain by the wall clock") {
    Stage stage;
    stage.turn();
    (void)stage.drain({.until = 5min});
    stage.pass_time(299s);
    CHECK(stage.route() == nullptr);
    stage.pass_time(2s);
    CHECK(stage.state() == VipState::Announced);
    CHECK_FALSE(stage.disk.back().node);
}

TEST_CASE("CONTRACT 3: of two drains that join the later end counts, and the note names it") {
    Stage stage;
    stage.turn();
    SUBCASE("none is for ever") {
        (void)stage.drain({.until = 3s, .reason = "A"});
        CHECK(stage.drain({.reason = "B"}).notes ==
              std::vector<std::string>{
                  "the node is drained already; joined: it ends with `anyvip undrain`"});
        stage.pass_time(1h);
        CHECK(stage.route() == nullptr);
        (void)stage.drain({.until = 3s});
        stage.pass_time(1h);
        CHECK(stage.route() == nullptr);
    }
    SUBCASE("of two the later") {
        (void)stage.drain({.vips = {"www"}, .until = 1h});
        CHECK(stage.drain({.vips = {"www"}, .until = 3s}).notes ==
              std::vector<std::string>{"www is drained already; joined: it ends in 1 h"});
        stage.pass_time(10s);
        CHECK(stage.route() == nullptr);
        CHECK(stage.drain({.vips = {"www"}, .until = 2h}).notes ==
              std::vector<std::string>{"www is drained already; joined: it ends in 2 h"});
        stage.pass_time(90min);
        CHECK(stage.route() == nullptr);
        stage.pass_time(40min);
        CHECK(stage.route() != nullptr);
    }
    SUBCASE("of a router as well") {
        (void)stage.drain({.peer = "tor1", .until = 3s});
        CHECK(stage.drain({.peer = "tor1", .until = 65s}).notes.front() ==
              "tor1 is drained already; joined: it ends in 1 min 5 s");
        stage.pass_time(60s);
        CHECK(stage.route() == nullptr);
    }
}

} // namespace anyvip::test
