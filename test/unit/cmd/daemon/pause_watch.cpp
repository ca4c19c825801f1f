// SPDX-License-Identifier: Apache-2.0
#include "cmd/daemon/pause_watch.hpp"

#include <doctest/doctest.h>

namespace anyvip::cmd {

using namespace std::chrono_literals;

TEST_CASE("a loop that comes late says so, once while it is late again and again") {
    PauseWatch watch(0s);
    const Instant start(1000s);
    CHECK_FALSE(watch.look(start + 3s, start, 0s));
    CHECK_FALSE(watch.look(start + 3s, start + 3s + 900ms, 0s));
    CHECK_FALSE(watch.look(std::nullopt, start + 100s, 0s));
    const auto told = watch.look(start + 200s, start + 212s, 0s);
    REQUIRE(told);
    CHECK(told->starts_with("the daemon came to its work 12.0 s late"));
    CHECK_FALSE(watch.look(start + 200s, start + 212s + 5ms, 0s)); // the same one
    CHECK_FALSE(watch.look(start + 213s, start + 215s, 0s));       // and the next, of many
    CHECK_FALSE(watch.look(start + 218s, start + 216s, 0s));       // not due: says nothing
    CHECK_FALSE(watch.look(start + 216s, start + 219s, 0s));
    CHECK_FALSE(watch.look(start + 220s, start + 220s + 1ms, 0s)); // on time again
    CHECK(watch.look(start + 221s, start + 223s, 0s));
    CHECK(watch.longest() == 12s + 5ms);
}

TEST_CASE("a machine that was suspended says so: its monotonic clock stood still") {
    PauseWatch watch(5s);
    const Instant start(1000s);
    CHECK_FALSE(watch.look(start + 3s, start, 5s));
    const auto told = watch.look(start + 3s, start + 1s, 5s + 90s);
    REQUIRE(told);
    CHECK(told->starts_with("the machine was suspended for 90.0 s"));
    CHECK_FALSE(watch.look(start + 3s, start + 2s, 5s + 90s));
}

} // namespace anyvip::cmd
