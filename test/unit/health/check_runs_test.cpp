// SPDX-License-Identifier: Apache-2.0
// When a Check runs: intervals, triggers, and runs that were late.
#include <doctest/doctest.h>

#include "test/unit/health/check_bench.hpp"

namespace anyvip::health {
namespace {

TEST_CASE("the first run is placed where `spread` says") {
    const Check check(web(), 1, 0.5, start);
    CHECK(check.next_deadline() == start + milliseconds(500));
    CHECK(!check.wants_run(start + milliseconds(499)));
    CHECK(check.wants_run(start + milliseconds(500)));
}

TEST_CASE("runs come at fast_interval while the state is changing or unknown, else at interval") {
    Bench bench;
    CHECK(bench.until_run() == Duration(0));
    bench.run(pass());
    CHECK(is_about(bench.until_run(), milliseconds(250)));
    bench.run(pass());
    CHECK(is_about(bench.until_run(), milliseconds(1000)));
    bench.run(fail());
    CHECK(is_about(bench.until_run(), milliseconds(250)));
    bench.run(pass());
    CHECK(is_about(bench.until_run(), milliseconds(1000)));
    bench.run(hard());
    CHECK(is_about(bench.until_run(), milliseconds(1000)));
    bench.run(pass());
    CHECK(is_about(bench.until_run(), milliseconds(250)));
}

TEST_CASE("intervals are counted from start to start and jittered by some percent") {
    Bench bench;
    bench.up();
    bench.until_run();
    bench.check.started(bench.now);
    const Instant began = bench.now;
    bench.now += milliseconds(900);
    bench.check.finished(pass(), bench.now);
    bench.until_run();
    CHECK(is_about(bench.now - began, milliseconds(1000)));
    Duration least = seconds(9);
    Duration most{};
    for (int i = 0; i < 200; ++i) {
        bench.run(pass());
        const Duration waited = bench.until_run();
        least = std::min(least, waited);
        most = std::max(most, waited);
    }
    CHECK(most - least > milliseconds(30));
    CHECK(is_about((most + least) / 2, milliseconds(1000)));
}

TEST_CASE("a regular run may begin 2 % early, at most 25 ms; others begin at their time") {
    struct Row {
        milliseconds interval;
        milliseconds lead;
    };

    for (const Row& row : {Row{milliseconds(1000), milliseconds(20)},
                           Row{milliseconds(100), milliseconds(2)},
                           Row{seconds(10), milliseconds(25)}}) {
        CAPTURE(row.interval.count());
        CheckConfig config = web();
        config.schedule.interval = row.interval;
        Bench bench(config);
        bench.up();
        const Instant due = *bench.check.next_deadline();
        CHECK(!bench.check.wants_run(due - row.lead - milliseconds(1)));
        CHECK(bench.check.wants_run(due - row.lead));
        bench.now = due;
        bench.run(fail()); // changing now
        const Instant deciding = *bench.check.next_deadline();
        CHECK(!bench.check.wants_run(deciding - milliseconds(1)));
        bench.run(late(pass()));
        const Instant again = *bench.check.next_deadline();
        CHECK(!bench.check.wants_run(again - milliseconds(1)));
    }
}

TEST_CASE("a run never overlaps another, and one that exceeds the interval is followed at once") {
    Bench bench;
    bench.check.started(bench.now);
    bench.now += seconds(5);
    CHECK(!bench.check.wants_run(bench.now));
    CHECK(bench.check.is_running());
    bench.check.finished(timeout(), bench.now);
    CHECK(bench.check.wants_run(bench.now));
}

TEST_CASE("a late result is not counted: one new run decides, no sooner than fast_interval") {
    Bench bench;
    bench.up();
    bench.run(late(timeout()));
    CHECK(bench.until_run() == milliseconds(250)); // the run took no time
    bench.run(no_descriptor());
    CHECK(bench.until_run() == milliseconds(250));
    bench.check.started(bench.now);
    bench.now += seconds(1);
    bench.check.finished(late(timeout()), bench.now);
    CHECK(bench.check.wants_run(bench.now));
    CHECK(bench.check.state() == State::Up);
    bench.run(pass());
    CHECK(is_about(bench.until_run(), seconds(1)));
}

TEST_CASE("starved: down when no run could end for the greater of fall x (interval + timeout) "
          "and 10 s") {
    Bench bench;
    bench.up();
    const Instant counted = bench.now;
    while (bench.check.state() == State::Up && bench.now < counted + seconds(60)) {
        bench.run(no_descriptor());
    }
    CHECK(bench.check.since() == counted + seconds(10));
    CHECK(bench.check.reason() == "http check web: starved: no run could end for 10.0 s");
    CHECK(!bench.check.is_shared());

    CheckConfig slow = web();
    slow.schedule.interval = seconds(10);
    slow.schedule.timeout = seconds(2);
    Check check(slow, 1, 0.0, start);
    check.started(start);
    CHECK(check.next_deadline() == start + seconds(36));
    CHECK(!check.tick(start + seconds(36) - milliseconds(1)));
    CHECK(check.tick(start + seconds(36)));
    CHECK(check.state() == State::Down);
    CHECK(!check.next_deadline()); // a run is under way, and nothing can be starved twice
    CHECK(!check.tick(start + seconds(99)));
}

TEST_CASE("starved: never before the next run could end, however small `fall` is") {
    CheckConfig config = web();
    config.schedule = {.interval = seconds(60), .timeout = seconds(1), .fall = 1, .rise = 1};
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        Check check(config, seed, 0.0, start);
        check.started(start);
        check.finished(pass(), start);
        REQUIRE(check.state() == State::Up);
        Instant now = start;
        while (!check.wants_run(now)) {
            now = *check.next_deadline();
            REQUIRE(!check.tick(now));
        }
        check.started(now);
        now += seconds(1); // as slow as it may be, and late
        REQUIRE(!check.tick(now));
        REQUIRE(!check.finished(late(timeout()), now));
        REQUIRE(check.wants_run(now));
        check.started(now);
        now += milliseconds(999);
        REQUIRE(!check.tick(now)); // the new run decides
        check.finished(pass(), now);
        CHECK(check.state() == State::Up);
        CHECK(check.tick(now + milliseconds(61800 + 2000))); // the next run, and one that decides
    }
}

TEST_CASE("a trigger runs at once; more of them are merged to one each fast_interval") {
    Bench bench;
    bench.up();
    bench.now += milliseconds(10);
    bench.check.trigger(bench.now);
    CHECK(bench.check.wants_run(bench.now));
    bench.run(pass());
    for (int i = 0; i < 100; ++i) {
        bench.check.trigger(bench.now);
    }
    CHECK(bench.until_run() == milliseconds(250));
    bench.run(pass());
    CHECK(is_about(bench.until_run(), milliseconds(1000)));
}

TEST_CASE("CONTRACT 4: who asks for a run gets one at once, how soon after another ever") {
    Bench bench;
    bench.up();
    for (int i = 0; i < 3; ++i) {
        bench.check.demand(bench.now);
        CHECK(bench.check.wants_run(bench.now));
        bench.check.started(bench.now);
        bench.check.demand(bench.now); // the run under way may know nothing of what was changed
        bench.check.finished(pass(), bench.now);
        CHECK(bench.check.wants_run(bench.now));
        bench.run(pass());
        CHECK_FALSE(bench.check.wants_run(bench.now));
    }
}

TEST_CASE("a trigger during a run asks for one more: that run may have begun before the event") {
    Bench bench;
    bench.up();
    bench.until_run();
    bench.check.started(bench.now);
    bench.check.trigger(bench.now);
    bench.check.trigger(bench.now);
    CHECK(!bench.check.wants_run(bench.now));
    bench.check.finished(pass(), bench.now);
    CHECK(bench.check.wants_run(bench.now));
    bench.run(pass());
    CHECK(is_about(bench.until_run(), milliseconds(1000)));
}

TEST_CASE("the last run says when it began, so that a question knows whether it came before it") {
    Bench bench;
    bench.until_run();
    const Instant began = bench.now;
    bench.check.started(began);
    bench.now += seconds(1);
    bench.check.finished(pass(), bench.now);
    REQUIRE(bench.check.last());
    CHECK(bench.check.last()->started_at == began);
    CHECK(bench.check.last()->at == bench.now);
}

} // namespace
} // namespace anyvip::health
