// SPDX-License-Identifier: Apache-2.0
// hold_down and damping under virtual time.
#include <doctest/doctest.h>

#include "vip/hold_down.hpp"

namespace anyvip::vip {

namespace {

using namespace std::chrono_literals;

const Instant start{1000h};

} // namespace

TEST_CASE("CONTRACT 2: hold_down keeps it out at least this long after a fall") {
    VipConfig config;
    config.hold_down = 5s;
    HoldDownClock clock;
    clock.rose(start);
    CHECK(clock.state(start) == HoldDown::None);
    clock.fell(config, start + 1s);
    clock.rose(start + 2s);
    CHECK(clock.state(start + 2s) == HoldDown::Configured);
    CHECK(clock.next_deadline(start + 2s) == start + 6s);
    CHECK(clock.state(start + 6s) == HoldDown::None);
    CHECK_FALSE(clock.next_deadline(start + 6s));
}

TEST_CASE("CONTRACT 2: damping from the third fall within a minute, doubling up to 60 s") {
    VipConfig config;
    HoldDownClock clock;
    Instant now = start;
    const auto flap = [&] {
        clock.rose(now);
        clock.fell(config, now);
        clock.rose(now);
    };
    flap();
    CHECK(clock.state(now) == HoldDown::None);
    flap();
    CHECK(clock.state(now) == HoldDown::None);
    for (const auto penalty : {1s, 2s, 4s, 8s, 16s, 32s, 60s, 60s}) {
        flap();
        CHECK(clock.state(now) == HoldDown::Unsteady);
        CHECK(clock.state(now + 499ms) == HoldDown::Unsteady);
        CHECK(clock.state(now + 500ms) == HoldDown::Damping);
        CHECK(clock.state(now + penalty - 1ms) == HoldDown::Damping);
        CHECK(clock.state(now + penalty) == HoldDown::None);
        now += 100ms;
    }
}

TEST_CASE("CONTRACT 2: the penalty halves for every minute up") {
    VipConfig config;
    HoldDownClock clock;
    for (int fall = 0; fall < 6; ++fall) { // 8 s
        clock.rose(start);
        clock.fell(config, start);
    }
    clock.rose(start);
    CHECK(clock.state(start + 7999ms) == HoldDown::Damping);
    const Instant later = start + 2min + 1s;
    clock.fell(config, later); // one fall within its minute: 2 s are left, not doubled
    clock.rose(later);
    CHECK(clock.state(later + 1999ms) == HoldDown::Damping);
    CHECK(clock.state(later + 2s) == HoldDown::None);
    const Instant much_later = later + 10min;
    clock.fell(config, much_later);
    clock.rose(much_later);
    CHECK(clock.state(much_later) == HoldDown::None);
}

TEST_CASE("CONTRACT 2: damping = false") {
    VipConfig config;
    config.damping = false;
    HoldDownClock clock;
    for (int fall = 0; fall < 10; ++fall) {
        clock.rose(start);
        clock.fell(config, start);
    }
    CHECK(clock.state(start) == HoldDown::None);
}

} // namespace anyvip::vip
