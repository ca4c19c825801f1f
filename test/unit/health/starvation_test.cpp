// SPDX-License-Identifier: Apache-2.0
// When a check of long timeouts counts as starved (CONTRACT section 3).
#include <doctest/doctest.h>

#include "health/check.hpp"

namespace anyvip::health {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Instant start{seconds(1000)};

/// Up at `start`; fall = 1, one run may take 30 s.
Check slow_check(std::uint64_t seed) {
    CheckConfig config{.name = "web", .target = HttpTarget{.url = "http://127.0.0.1:8080/"}};
    config.schedule = {.interval = seconds(1), .timeout = seconds(30), .fall = 1, .rise = 1};
    Check check(config, seed, 0.0, start);
    check.started(start);
    check.finished({.outcome = Outcome::Pass, .detail = "200 OK"}, start);
    return check;
}

const Result no_descriptor{
    .outcome = Outcome::Error, .detail = "no descriptor", .is_our_fault = true};
const Result timeout{.outcome = Outcome::Timeout, .detail = "timeout after 30.0 s"};
const Result late_timeout{
    .outcome = Outcome::Timeout, .detail = "timeout after 30.0 s", .is_late = true};

TEST_CASE("CONTRACT 3: starved after fall x (interval + timeout), but for the run under way") {
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        Check check = slow_check(seed);
        const Instant began = *check.next_deadline();
        REQUIRE(check.wants_run(began));
        check.started(began);
        const Instant ends = *check.next_deadline();
        CHECK(ends >= start + seconds(31));
        CHECK(ends > began + seconds(30)); // it may take that long, and is then no starved one
        CHECK(ends <= start + milliseconds(31030 + 100));
        CHECK(check.tick(ends));
    }
}

TEST_CASE("CONTRACT 3: starved as soon when no run can be begun, time and again") {
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        Check check = slow_check(seed);
        Instant now = start;
        while (check.state() == State::Up && now < start + seconds(100)) {
            now = *check.next_deadline();
            if (check.wants_run(now)) {
                check.started(now);
                check.finished(no_descriptor, now);
            }
            check.tick(now);
        }
        CHECK(now >= start + seconds(31));
        CHECK(now <= start + milliseconds(31030 + 250 + 100));
    }
}

TEST_CASE("CONTRACT 3: after a late run the next one decides, in its own time") {
    Check check = slow_check(1);
    Instant now = *check.next_deadline();
    check.started(now);
    now += seconds(30);
    CHECK_FALSE(check.finished(late_timeout, now));
    REQUIRE(check.wants_run(now));
    check.started(now);
    now += seconds(30);
    CHECK_FALSE(check.tick(now));
    CHECK(check.finished(timeout, now));
    CHECK(check.reason() == "http check web: timeout after 30.0 s, 1 of 1");
}

} // namespace
} // namespace anyvip::health
