// SPDX-License-Identifier: Apache-2.0
// One held address: asked for once, retried with a pause, never taken from others.
#include <doctest/doctest.h>

#include "vip/address.hpp"

namespace anyvip::vip {

namespace {

using namespace std::chrono_literals;
using Step = HeldAddress::Step;
using Change = HeldAddress::Change;

const Instant start{1000h};

} // namespace

TEST_CASE("added once, present when observed, removed when it is ours and not wanted") {
    HeldAddress address;
    CHECK(address.next_step(start) == Step::Nothing);
    address.want(true);
    CHECK(address.next_step(start) == Step::Add);
    CHECK(address.next_step(start) == Step::Nothing);
    CHECK(address.presence() == Presence::Absent);
    CHECK(address.observed(true, true, start) == Change::Changed);
    CHECK(address.observed(true, true, start) == Change::Nothing);
    CHECK(address.presence() == Presence::Present);
    address.want(false);
    CHECK(address.next_step(start) == Step::Remove);
    CHECK(address.observed(false, false, start) == Change::Changed);
    CHECK(address.next_step(start) == Step::Nothing);
}

TEST_CASE("an address of somebody else is used, and never removed") {
    HeldAddress address;
    CHECK(address.observed(true, false, start) == Change::Changed);
    address.want(true);
    CHECK(address.next_step(start) == Step::Nothing);
    address.want(false);
    CHECK(address.next_step(start) == Step::Nothing);
}

TEST_CASE("a refusal is retried within a second, silence counts as one") {
    HeldAddress address;
    address.want(true);
    CHECK(address.next_step(start) == Step::Add);
    SUBCASE("refused") {
        address.failed("no such device", start);
    }
    SUBCASE("silence") {
        CHECK(address.next_deadline() == start + 1s);
        CHECK_FALSE(address.tick(start + 999ms));
        CHECK(address.tick(start + 1s));
    }
    CHECK_FALSE(address.problem().empty());
    REQUIRE(address.next_deadline());
    const Instant retry = *address.next_deadline();
    CHECK(retry <= start + 2s);
    CHECK(address.next_step(retry - 1ms) == Step::Nothing);
    CHECK(address.next_step(retry) == Step::Add);
}

TEST_CASE("a missing interface that appears is tried at once") {
    HeldAddress address;
    address.want(true);
    CHECK(address.next_step(start) == Step::Add);
    address.failed("no such device", start);
    CHECK(address.next_step(start + 1ms) == Step::Nothing);
    CHECK(address.observed(false, false, start + 1ms) == Change::Changed);
    CHECK(address.next_step(start + 1ms) == Step::Add);
}

TEST_CASE("an interface that is down is no removal") {
    HeldAddress address;
    address.want(true);
    CHECK(address.next_step(start) == Step::Add);
    CHECK(address.observed(true, true, start) == Change::Changed);
    CHECK(address.observed(false, true, start) == Change::Changed);
    CHECK(address.presence() == Presence::Absent);
    CHECK(address.problem() == "the interface is down");
}

TEST_CASE("CONTRACT 3: put back three times within 10 s, then a pause") {
    HeldAddress address;
    address.want(true);
    CHECK(address.next_step(start) == Step::Add);
    Instant now = start;
    for (int removal = 0; removal < 3; ++removal) {
        CHECK(address.observed(true, true, now) != Change::TakenAway);
        now += 1s;
        CHECK(address.observed(false, false, now) == Change::TakenAway);
        CHECK(address.presence() == Presence::Restoring);
        CHECK(address.next_step(now) == Step::Add);
    }
    CHECK(address.observed(true, true, now) == Change::Changed);
    CHECK(address.observed(false, false, now) == Change::TakenAway);
    CHECK(address.presence() == Presence::Absent);
    CHECK(address.next_step(now) == Step::Nothing);
    CHECK(address.next_deadline() == now + 10s);
    CHECK(address.tick(now + 10s));
    CHECK(address.next_step(now + 10s) == Step::Add);
}

} // namespace anyvip::vip
