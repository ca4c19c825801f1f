// SPDX-License-Identifier: Apache-2.0
// A Check under virtual time: a script of runs against the rules of CONTRACT section 3.
#pragma once

#include <doctest/doctest.h>

#include <chrono>
#include <utility>

#include "health/check.hpp"

namespace anyvip::health {

using std::chrono::milliseconds;
using std::chrono::seconds;

inline constexpr Instant start{seconds(1000)};

inline Result pass() {
    return {.outcome = Outcome::Pass, .detail = "200 OK"};
}

inline Result fail() {
    return {.outcome = Outcome::Fail, .detail = "503 Service Unavailable"};
}

inline Result hard() {
    return {.outcome = Outcome::Fail, .detail = "connect refused", .is_hard = true};
}

inline Result timeout() {
    return {.outcome = Outcome::Timeout, .detail = "timeout after 1.0 s"};
}

inline Result program_gone() {
    return {.outcome = Outcome::Error, .detail = "cannot run /x: No such file or directory"};
}

inline Result no_descriptor() {
    return {.outcome = Outcome::Error, .detail = "no descriptor", .is_our_fault = true};
}

inline Result late(Result result) {
    result.is_late = true;
    return result;
}

inline Result expiring() {
    return {.outcome = Outcome::Fail, .detail = "certificate ends", .is_shared_only = true};
}

inline CheckConfig web() {
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

inline bool is_about(Duration actual, Duration wanted) {
    return actual >= wanted * 95 / 100 && actual <= wanted * 105 / 100;
}

} // namespace anyvip::health
