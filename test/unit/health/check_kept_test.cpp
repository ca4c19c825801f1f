// SPDX-License-Identifier: Apache-2.0
// What a Check keeps: its verdict through reloads, its history.
#include <doctest/doctest.h>

#include "test/unit/health/check_bench.hpp"

namespace anyvip::health {
namespace {

TEST_CASE("CONTRACT §5: a changed check keeps the verdict until its own rise or fall") {
    Bench bench;
    bench.up();
    CheckConfig other = web();
    other.target = TcpTarget{.target = "127.0.0.1:1"};
    bench.check.started(bench.now + seconds(1));
    bench.now += seconds(1);
    bench.check.reconfigure(other, bench.now);
    CHECK(!bench.check.is_running());
    CHECK(!bench.check.finished(hard(), bench.now)); // of the old probe
    CHECK(bench.until_run() <= milliseconds(250));
    SUBCASE("a refused connection is one failure of `fall`, not the end") {
        bench.run(hard());
        CHECK(is_about(bench.until_run(), milliseconds(250)));
        bench.run(hard());
        CHECK(bench.check.state() == State::Up);
        bench.run(hard());
        CHECK(bench.check.state() == State::Down);
    }
    SUBCASE("after its own rise the verdict is its own") {
        bench.run(pass());
        bench.run(pass());
        CHECK(is_about(bench.until_run(), milliseconds(1000)));
        bench.run(hard());
        CHECK(bench.check.state() == State::Down);
    }
}

TEST_CASE("a check without change is left alone by a reload") {
    Bench bench;
    bench.up();
    const auto deadline = bench.check.next_deadline();
    bench.check.reconfigure(web(), bench.now);
    CHECK(bench.check.next_deadline() == deadline);
}

TEST_CASE("a new check adopts a verdict, a demoted one included") {
    Bench bench;
    bench.check.adopt({.state = State::Up, .reason = "taken over"}, start);
    CHECK(bench.check.state() == State::Up);
    CHECK(bench.check.reason() == "taken over");
    bench.run(hard());
    CHECK(bench.check.state() == State::Up);

    Bench demoted;
    demoted.check.adopt({.state = State::Down, .is_demoted = true, .reason = "x"}, start);
    CHECK(demoted.check.is_shared());
    demoted.run(expiring());
    CHECK(demoted.check.is_shared());
    CHECK(demoted.check.verdict().is_demoted);
    demoted.up();
    CHECK(!demoted.check.is_shared());
}

TEST_CASE("the history is bounded, and equal results in a row are one entry without output") {
    Bench bench;
    Result loud = pass();
    loud.output = "much";
    for (int i = 0; i < 1000; ++i) {
        bench.run(loud);
    }
    REQUIRE(bench.check.history().size() == 1);
    CHECK(bench.check.history()[0].times == 1000);
    CHECK(bench.check.history()[0].at == bench.now);
    CHECK(bench.check.history()[0].result.output.empty());
    CHECK(bench.check.last()->result.output == "much");
    for (int i = 0; i < 100; ++i) {
        bench.run(hard());
        bench.run(pass());
        bench.run(pass());
    }
    CHECK(bench.check.history().size() == history_limit);
    CHECK(bench.check.transitions().size() == history_limit);
    CHECK(bench.check.history().back().times == 2);
}

} // namespace
} // namespace anyvip::health
