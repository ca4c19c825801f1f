// SPDX-License-Identifier: Apache-2.0
// Check under virtual time: a script of runs against the rules of CONTRACT section 3.
#include <doctest/doctest.h>

#include <vector>

#include "health/check.hpp"

namespace anyvip::health {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Instant start{seconds(1000)};

Result pass() {
    return {.outcome = Outcome::Pass, .detail = "200 OK"};
}

Result fail() {
    return {.outcome = Outcome::Fail, .detail = "503 Service Unavailable"};
}

Result hard() {
    return {.outcome = Outcome::Fail, .detail = "connect refused", .is_hard = true};
}

Result timeout() {
    return {.outcome = Outcome::Timeout, .detail = "timeout after 1.0 s"};
}

Result program_gone() {
    return {.outcome = Outcome::Error, .detail = "cannot run /x: No such file or directory"};
}

Result no_descriptor() {
    return {.outcome = Outcome::Error, .detail = "no descriptor", .is_our_fault = true};
}

Result late(Result result) {
    result.is_late = true;
    return result;
}

Result expiring() {
    return {.outcome = Outcome::Fail, .detail = "certificate ends", .is_shared_only = true};
}

CheckConfig web() {
    return {.name = "web", .target = HttpTarget{.url = "http://127.0.0.1:8080/"}};
}

/// A check and its clock. Each run takes no time.
struct Bench {
    explicit Bench(CheckConfig config = web()) : check(std::move(config), 1, 0.0, start) {}

    /// Time of the next run, from now.
    Duration until_run() {
        Duration waited{};
        while (!check.wants_run(now)) {
            const auto deadline = check.next_deadline();
            REQUIRE(deadline);
            REQUIRE(*deadline > now);
            waited += *deadline - now;
            now = *deadline;
            check.tick(now);
        }
        return waited;
    }

    bool run(const Result& result) {
        until_run();
        check.started(now);
        CHECK(!check.wants_run(now));
        return check.finished(result, now);
    }

    void up() {
        run(pass());
        run(pass());
        REQUIRE(check.state() == State::Up);
    }

    Instant now = start;
    Check check;
};

bool is_about(Duration actual, Duration wanted) {
    return actual >= wanted * 95 / 100 && actual <= wanted * 105 / 100;
}

TEST_CASE("CONTRACT §3: results in a row decide, one of the other kind starts the count afresh") {
    struct Row {
        const char*
            script; ///< p pass, f fail, t timeout, e error of the check, o our fault, l late
        State wanted;
    };

    const std::vector<Row> rows{
        {"", State::Unknown},       {"p", State::Unknown},     {"pp", State::Up},
        {"f", State::Unknown},      {"ff", State::Unknown},    {"fff", State::Down},
        {"pfpfpf", State::Unknown}, {"fft", State::Down},      {"tee", State::Down},
        {"ffo", State::Unknown},    {"ooooo", State::Unknown}, {"lllll", State::Unknown},
        {"pp ff", State::Up},       {"pp ffp ff", State::Up},  {"pp fff", State::Down},
        {"pp fof", State::Up},      {"pp fofof", State::Down}, {"pp ffl", State::Up},
        {"pp flflf", State::Down},  {"fff p", State::Down},    {"fff pp", State::Up},
        {"fff pfp", State::Down},   {"fff pop", State::Up},    {"fff ppf", State::Up},
        {"h", State::Down},         {"pp h", State::Down},     {"pp h p", State::Down},
        {"pp h pp", State::Up},     {"fff php", State::Down},
    };
    for (const Row& row : rows) {
        CAPTURE(row.script);
        Bench bench;
        for (const char* step = row.script; *step != '\0'; ++step) {
            switch (*step) {
            case 'p':
                bench.run(pass());
                break;
            case 'f':
                bench.run(fail());
                break;
            case 't':
                bench.run(timeout());
                break;
            case 'e':
                bench.run(program_gone());
                break;
            case 'o':
                bench.run(no_descriptor());
                break;
            case 'l':
                bench.run(late(timeout()));
                break;
            case 'h':
                bench.run(hard());
                break;
            default:
                break;
            }
        }
        CHECK(bench.check.state() == row.wanted);
    }
}

TEST_CASE("the reason names type, check, evidence and the count") {
    Bench bench;
    CHECK(bench.check.reason() == "http check web: no verdict yet");
    bench.run(pass());
    CHECK(bench.run(pass()));
    CHECK(bench.check.reason() == "http check web: 200 OK, 2 of 2");
    CHECK(!bench.run(timeout()));
    CHECK(!bench.run(timeout()));
    CHECK(bench.check.failures_in_row() == 2);
    CHECK(bench.run(timeout()));
    CHECK(bench.check.reason() == "http check web: timeout after 1.0 s, 3 of 3");
    CHECK(bench.check.since() == bench.now);
    REQUIRE(bench.check.transitions().size() == 2);
    CHECK(bench.check.transitions()[0].to == State::Up);
    CHECK(bench.check.transitions()[1].reason == bench.check.reason());
    CHECK(!bench.run(timeout()));
}

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

TEST_CASE("a certificate that ends soon only demotes; a real failure after it is counted") {
    Bench bench;
    bench.up();
    bench.run(expiring());
    bench.run(expiring());
    CHECK(bench.run(expiring()));
    CHECK(bench.check.state() == State::Down);
    CHECK(bench.check.is_shared());
    CHECK(bench.check.reason() == "http check web: certificate ends, 3 of 3");
    CHECK(!bench.run(timeout()));
    CHECK(!bench.run(timeout()));
    CHECK(bench.check.is_shared());
    CHECK(bench.run(timeout())); // still down, but now in earnest
    CHECK(bench.check.state() == State::Down);
    CHECK(!bench.check.is_shared());
    bench.run(expiring());
    CHECK(bench.run(expiring()));
    CHECK(bench.check.is_shared());
    bench.run(pass());
    CHECK(bench.run(pass()));
    CHECK(bench.check.state() == State::Up);
}

TEST_CASE("from the start an expiring certificate never reads as up") {
    Bench bench;
    bench.run(expiring());
    bench.run(expiring());
    CHECK(bench.check.state() == State::Unknown);
    bench.run(expiring());
    CHECK(bench.check.state() == State::Down);
    CHECK(bench.check.is_shared());
}

TEST_CASE("some servers with an expiring certificate and some without: demoted, not unknown") {
    Bench bench;
    for (int i = 0; i < 3; ++i) {
        CHECK(bench.check.state() == State::Unknown);
        bench.run(pass());
        bench.run(expiring());
    }
    CHECK(bench.check.is_demoted());
    for (int i = 0; i < 9; ++i) {
        CHECK(!bench.run(pass()));
        CHECK(!bench.run(expiring()));
    }
    bench.run(pass());
    CHECK(bench.run(pass()));
    CHECK(bench.check.state() == State::Up);
    CHECK(!bench.check.is_demoted());
}

TEST_CASE("weight: the last pass's, 100 without one, and 0 is down") {
    Bench bench;
    Result weighted = pass();
    weighted.weight = 75;
    bench.run(weighted);
    bench.run(weighted);
    CHECK(bench.check.weight() == 75);
    bench.run(timeout());
    CHECK(bench.check.weight() == 75);
    bench.run(pass());
    CHECK(bench.check.weight() == 100);
    weighted.weight = 0;
    bench.run(weighted);
    bench.run(weighted);
    CHECK(bench.check.state() == State::Up);
    CHECK(bench.check.shown_weight() == 100);
    bench.run(weighted);
    CHECK(bench.check.state() == State::Down);
    CHECK(bench.check.reason() == "http check web: weight 0, 3 of 3");
    CHECK(bench.check.shown_weight() == 0);
    CHECK(bench.check.weight() == 100); // what routes that may still be out there count
    bench.run(timeout());
    CHECK(bench.check.shown_weight() == 100);
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
