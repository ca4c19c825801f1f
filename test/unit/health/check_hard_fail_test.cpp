// SPDX-License-Identifier: Apache-2.0
// A refused connection counts at once, or after its grace.
#include <doctest/doctest.h>

#include "test/unit/health/check_bench.hpp"

namespace anyvip::health {
namespace {

TEST_CASE("hard_fail = false counts a refused connection like any failure") {
    CheckConfig config = web();
    config.schedule.hard_fail = false;
    Bench bench(config);
    bench.up();
    bench.run(hard());
    bench.run(hard());
    CHECK(bench.check.state() == State::Up);
    bench.run(hard());
    CHECK(bench.check.state() == State::Down);
}

TEST_CASE("hard_fail_grace: up as long as it passes again in time") {
    CheckConfig config = web();
    config.schedule.hard_fail_grace = seconds(2);
    Bench bench(config);
    bench.up();
    bench.run(hard());
    for (int i = 0; i < 5; ++i) {
        CHECK(is_about(bench.until_run(), milliseconds(250)));
        bench.run(hard());
    }
    CHECK(bench.check.state() == State::Up);
    bench.run(pass());
    CHECK(bench.check.state() == State::Up);

    bench.run(hard());
    const Instant failed = bench.now;
    while (bench.check.state() == State::Up && bench.now < failed + seconds(60)) {
        bench.run(hard());
    }
    CHECK(bench.check.since() == failed + seconds(2));
    CHECK(bench.check.reason() == "http check web: connect refused, and hard_fail_grace is over");
}

TEST_CASE("hard_fail_grace: one run at its end decides, though it is shorter than fast_interval") {
    CheckConfig config = web();
    config.schedule.hard_fail_grace = milliseconds(100);
    Bench back(config);
    back.up();
    back.run(hard());
    CHECK(back.until_run() == milliseconds(100));
    back.run(pass());
    CHECK(back.check.state() == State::Up);

    Bench gone(config);
    gone.up();
    gone.run(hard());
    CHECK(gone.run(timeout())); // whatever failure it is
    CHECK(gone.check.state() == State::Down);
    CHECK(gone.check.reason() ==
          "http check web: timeout after 1.0 s, and hard_fail_grace is over");
    CHECK(is_about(gone.until_run(), seconds(1)));
}

TEST_CASE("hard_fail_grace: who sleeps through its end decides by a run, not by the clock") {
    CheckConfig config = web();
    config.schedule.hard_fail_grace = seconds(2);
    Bench bench(config);
    bench.up();
    bench.run(hard());
    bench.now += seconds(7);
    CHECK(!bench.check.tick(bench.now));
    REQUIRE(bench.check.wants_run(bench.now));
    bench.check.started(bench.now);
    bench.check.finished(late(hard()), bench.now); // of before
    CHECK(bench.check.state() == State::Up);
    CHECK(bench.until_run() == milliseconds(250));
    bench.run(pass());
    CHECK(bench.check.state() == State::Up);
    bench.run(hard()); // a new grace
    CHECK(bench.check.state() == State::Up);

    bench.now += seconds(7);
    while (bench.check.state() == State::Up) { // no result at all: starved, as ever
        bench.run(no_descriptor());
    }
    CHECK(bench.check.reason() == "http check web: starved: no run could end for 10.0 s");
}

} // namespace
} // namespace anyvip::health
