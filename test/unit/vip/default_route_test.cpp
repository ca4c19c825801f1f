// SPDX-License-Identifier: Apache-2.0
// A held default route: asking, being refused, being robbed.
#include "vip/default_route.hpp"

#include <doctest/doctest.h>

namespace anyvip::vip {

namespace {

using namespace std::chrono_literals;
using Change = HeldRoute::Change;

constexpr Instant start{1000h};

NextHop via(std::string_view address, std::string interface = "eth0") {
    return {*IpAddress::parse(address), std::move(interface)};
}

const NextHops one{via("10.0.0.1")};
const NextHops two{via("10.0.0.1"), via("10.0.1.1", "eth1")};

/// Wants both next hops and has them.
HeldRoute installed() {
    HeldRoute route;
    route.want(two);
    REQUIRE(route.next_step(start) == two);
    REQUIRE(route.observed(two, start) == Change::Changed);
    REQUIRE_FALSE(route.next_step(start));
    return route;
}

} // namespace

TEST_CASE("default route: asked for once, then again only when the answer does not come") {
    HeldRoute route;
    CHECK_FALSE(route.next_step(start));
    route.want(one);
    CHECK(route.next_step(start) == one);
    CHECK_FALSE(route.next_step(start));
    CHECK(route.next_deadline() == start + 1s);
    route.tick(start + 1s);
    CHECK(route.problem() == "the kernel did not answer");
    CHECK_FALSE(route.next_step(start + 1s));
    CHECK(route.next_step(start + 1250ms) == one);
    CHECK(route.observed(one, start + 1251ms) == Change::Changed);
    CHECK(route.problem().empty());
    CHECK_FALSE(route.next_deadline());
}

TEST_CASE("default route: a next hop goes, then the rest") {
    HeldRoute route = installed();
    route.want(one);
    CHECK(route.next_step(start) == one);
    CHECK(route.observed(one, start) == Change::Changed);
    route.want({});
    CHECK(route.next_step(start) == NextHops{});
    CHECK(route.observed({}, start) == Change::Changed);
    CHECK_FALSE(route.next_step(start));
    CHECK_FALSE(route.next_deadline());
}

TEST_CASE("default route: a refusal is tried again after 250 ms doubling to 1 s") {
    HeldRoute route;
    route.want(one);
    Instant now = start;
    for (const auto pause : {250ms, 500ms, 1000ms, 1000ms}) {
        REQUIRE(route.next_step(now) == one);
        route.failed("Network is unreachable", now);
        CHECK(route.problem() == "Network is unreachable");
        CHECK(route.next_deadline() == now + pause);
        CHECK_FALSE(route.next_step(now + pause - 1ms));
        now += pause;
    }
    SUBCASE("other next hops are tried at once") {
        REQUIRE(route.next_step(now) == one);
        route.failed("Network is unreachable", now);
        route.want(two);
        CHECK(route.problem().empty());
        CHECK(route.next_step(now) == two);
    }
    SUBCASE("a part that is there is kept, the rest tried again") {
        route.want(two);
        REQUIRE(route.next_step(now) == two);
        CHECK(route.observed(one, now) == Change::Changed);
        route.failed("10.0.1.1 dev eth1 is refused", now);
        CHECK(route.present() == one);
        CHECK(route.next_step(now + 1s) == two);
        CHECK(route.observed(one, now + 1s) == Change::Nothing);
    }
}

TEST_CASE("default route: put back at once three times in 10 s, then after a pause of 10 s") {
    HeldRoute route = installed();
    Instant now = start;
    for (int i = 0; i < 3; ++i) {
        now += 1s;
        CHECK(route.observed({}, now) == Change::TakenAway);
        CHECK(route.problem().empty());
        REQUIRE(route.next_step(now) == two);
        CHECK(route.observed(two, now) == Change::Changed);
    }
    now += 1s;
    CHECK(route.observed(one, now) == Change::TakenAway); // a part of it
    CHECK(route.problem() == "it was taken away 4 times in 10 s; put back after a pause");
    CHECK_FALSE(route.next_step(now + 9s));
    route.want(one);
    route.want(two);
    CHECK_FALSE(route.next_step(now + 9s)); // a router that flaps does not shorten the pause
    CHECK(route.next_deadline() == now + 10s);
    CHECK(route.next_step(now + 10s) == two);
    CHECK(route.observed(two, now + 10s) == Change::Changed);
    CHECK(route.problem().empty());
}

TEST_CASE("default route: a contest keeps nobody from removing it") {
    HeldRoute route = installed();
    for (int i = 0; i < 3; ++i) {
        CHECK(route.observed({}, start) == Change::TakenAway);
        REQUIRE(route.next_step(start) == two);
        CHECK(route.observed(two, start) == Change::Changed);
    }
    CHECK(route.observed(one, start) == Change::TakenAway);
    REQUIRE_FALSE(route.next_step(start));
    route.want({});
    CHECK(route.problem().empty());
    CHECK(route.next_step(start) == NextHops{});
    CHECK(route.observed({}, start) == Change::Changed);
    CHECK_FALSE(route.next_deadline());
}

TEST_CASE("default route: what nobody wants may go") {
    HeldRoute route = installed();
    route.want(one);
    CHECK(route.observed(one, start) == Change::Changed); // before it was asked for
    CHECK_FALSE(route.next_step(start));
}

TEST_CASE("default route: as text") {
    CHECK(to_string(two) == "via 10.0.0.1 dev eth0, 10.0.1.1 dev eth1");
    CHECK(to_string(NextHops{}) == "none");
    CHECK(to_string(DefaultRouteKey{Family::Ipv6, 512}) == "::/0 metric 512");
    CHECK(to_string(DefaultRouteKey{Family::Ipv4, 7}) == "0.0.0.0/0 metric 7");
}

} // namespace anyvip::vip
