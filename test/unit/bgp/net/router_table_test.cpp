// SPDX-License-Identifier: Apache-2.0
// Which router of an unnumbered link counts, when one takes the place of another.
#include "bgp/net/router_table.hpp"

#include <doctest/doctest.h>

using namespace anyvip;
using namespace anyvip::bgp::net;
using namespace std::chrono_literals;

namespace {

const IpAddress first = IpAddress::parse("fe80::1").value();
const IpAddress second = IpAddress::parse("fe80::2").value();

struct Link {
    Instant now{};
    RouterTable table;

    /// One advertises every `interval` for so long.
    void speaks(const IpAddress& router,
                Duration length,
                Duration interval = 10s,
                std::chrono::seconds lifetime = 1800s) {
        for (const Instant end = now + length; now < end; now += interval) {
            table.heard(router, lifetime, now);
        }
    }
};

} // namespace

TEST_CASE("two routers that both speak are several, whatever their lifetime and pace") {
    for (const std::chrono::seconds lifetime : {0s, 1800s}) {
        Link link;
        for (int i = 0; i < 60; ++i) {
            link.table.heard(first, lifetime, link.now);
            link.now += 10s;
            if (i % 2 == 0) {
                link.table.heard(second, lifetime, link.now);
            }
            CHECK_FALSE(link.table.lone());
        }
        CHECK(link.table.names() == "fe80::1, fe80::2");
    }
}

TEST_CASE("a lone router is remembered however long it is silent, and through a loss of the link") {
    Link link;
    link.speaks(first, 60s);
    link.now += 24h;
    CHECK(link.table.lone() == first);
    CHECK_FALSE(link.table.is_in_doubt());
    link.table.link_lost();
    CHECK(link.table.lone() == first);
    CHECK(link.table.is_in_doubt()); // a reason to solicit
    link.table.heard(first, 1800s, link.now);
    CHECK_FALSE(link.table.is_in_doubt());
}

TEST_CASE("a router that fell silent gives way after three of its intervals, not its lifetime") {
    Link link;
    link.speaks(first, 60s);
    link.speaks(second, 30s);
    CHECK_FALSE(link.table.lone());
    link.speaks(second, 20s);
    CHECK(link.table.lone() == second);
}

TEST_CASE("a router that speaks seldom has time") {
    Link link;
    link.speaks(first, 1200s, 300s);
    link.speaks(second, 600s);
    CHECK_FALSE(link.table.lone());
    link.table.heard(first, 1800s, link.now);
    CHECK_FALSE(link.table.lone());
}

TEST_CASE("neither an outage nor the first fast advertisements are a router's pace") {
    Link link;
    link.speaks(first, 60s);
    link.now += 8h;
    link.speaks(first, 60s);
    link.speaks(second, 50s);
    CHECK(link.table.lone() == second);
    Link fresh;
    fresh.speaks(first, 48s, 16s); // RFC 4861 §6.2.4
    fresh.now += 100s;
    fresh.table.heard(second, 1800s, fresh.now);
    CHECK_FALSE(fresh.table.lone());
}

TEST_CASE("a router that spoke once counts for its lifetime, at least half a minute") {
    Link link;
    link.table.heard(first, 60s, link.now);
    link.speaks(second, 60s);
    CHECK_FALSE(link.table.lone());
    link.speaks(second, 10s);
    CHECK(link.table.lone() == second);
}

TEST_CASE("after the link was down the first router that speaks is the one") {
    Link link;
    link.speaks(first, 60s);
    link.table.link_lost();
    link.table.heard(second, 1800s, link.now);
    CHECK(link.table.lone() == second);
    link.table.heard(first, 1800s, link.now); // both are there after all
    CHECK_FALSE(link.table.lone());
}

TEST_CASE(
    "RFC 4861 §6.2.5: lifetime 0 after a greater one is a goodbye, from the start it is none") {
    Link link;
    link.speaks(first, 60s);
    for (int farewells = 0; farewells < 3; ++farewells) {
        link.table.heard(first, 0s, link.now);
        CHECK(link.table.lone() == first);
    }
    link.table.heard(second, 0s, link.now);
    CHECK(link.table.lone() == second);
    link.table.heard(first, 0s, link.now);
    CHECK_FALSE(link.table.lone());
}

TEST_CASE("an upgrade keeps who was heard, and no more than 8 routers are kept") {
    Link link;
    for (int i = 1; i <= 20; ++i) {
        link.table.heard(IpAddress::parse("fe80::" + std::to_string(i)).value(), 1800s, link.now);
    }
    CHECK(link.table.size() == 8);
    Link other;
    other.table.restore({{first, link.now + 1800s}}, link.now);
    CHECK(other.table.lone() == first);
    CHECK(other.table.lifetimes().at(first) == link.now + 1800s);
}
