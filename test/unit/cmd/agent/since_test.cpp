// SPDX-License-Identifier: Apache-2.0
// `explain`: each condition with its own time and its own last event (CONTRACT section 4).
#include <doctest/doctest.h>

#include "test/unit/cmd/agent/stage.hpp"

namespace anyvip::test {

namespace {

vip::Condition condition(Stage& stage, const std::string& name, const std::string& vip = "www") {
    const auto view = stage.agent().vip(vip);
    REQUIRE(view.has_value());
    const auto found = std::ranges::find(view->conditions, name, &vip::Condition::name);
    REQUIRE_MESSAGE(found != view->conditions.end(), name);
    return *found;
}

Instant clock(const Stage& stage) {
    return stage.now().monotonic;
}

Config checked_config() {
    Config config = make_config();
    config.checks = {make_check("web")};
    config.vips[0].checks = {"web"};
    config.vips[0].addresses.push_back(prefix("2001:db8::10/128"));
    return config;
}

const std::string v4 = "203.0.113.10/32";
const std::string v6 = "2001:db8::10/128";

} // namespace

TEST_CASE("CONTRACT 4: what happens to one address is no event of another") {
    Stage stage(checked_config());
    stage.turn();
    const Instant put_on = clock(stage);
    stage.finish("web", pass());
    CHECK(condition(stage, "address " + v4).last_event == "put on lo");
    stage.pass_time(1min);
    stage.kernel_answers = false;
    stage.kernel.erase(prefix(v4));
    stage.agent().address_observed(prefix(v4), "lo", false, false, stage.now());
    stage.turn();
    CHECK(condition(stage, "address " + v4).since == clock(stage));
    CHECK(condition(stage, "address " + v4).last_event ==
          "another program removed it; it is put back");
    CHECK(condition(stage, "address " + v6).since == put_on);
    CHECK(condition(stage, "address " + v6).last_event == "put on lo");
}

TEST_CASE("CONTRACT 4: a route is sent since it was sent, by what made it so") {
    Stage stage(checked_config());
    stage.turn();
    stage.pass_time(1s);
    CHECK(condition(stage, "route " + v4 + " to tor1").value == "not wanted");
    stage.finish("web", pass());
    const Instant up = clock(stage);
    CHECK(condition(stage, "route " + v4 + " to tor1").value == "sent");
    CHECK(condition(stage, "route " + v4 + " to tor1").since == up);
    CHECK(condition(stage, "route " + v4 + " to tor1").last_event == "all checks up");
    stage.pass_time(2s); // no check is starved yet
    SUBCASE("a session that comes back brings its routes, whatever the VIP does") {
        stage.cut("tor1");
        stage.pass_time(5s);
        const vip::Condition route = condition(stage, "route " + v4 + " to tor1");
        CHECK(route.value == "sent");
        CHECK(route.since == condition(stage, "session tor1").since);
        CHECK(route.since > up + 2s);
        CHECK(route.last_event == "session Established");
        CHECK(condition(stage, "health").since == up);
    }
    SUBCASE("a router taken out of use") {
        REQUIRE(stage.drain({.vips = {}, .peer = "tor1"}).error.empty());
        const Instant drained = clock(stage);
        CHECK(condition(stage, "peer tor1 in use").since == drained);
        CHECK(condition(stage, "peer tor1 in use").last_event == "anyvip drain --peer");
        stage.pass_time(5s);
        CHECK(condition(stage, "peer tor1 in use").since == drained);
        const vip::Condition route = condition(stage, "route " + v4 + " to tor1");
        CHECK(route.value == "not wanted");
        CHECK(route.since == drained + 1s); // after GRACEFUL_SHUTDOWN
        CHECK(route.last_event == "anyvip drain --peer");
    }
    SUBCASE("a reload keeps the times of what it keeps") {
        Config next = checked_config();
        next.peers.insert(next.peers.begin(), make_peer("tor2", 2));
        next.vips[0].addresses = {prefix("203.0.113.11/32"), prefix(v4)};
        stage.agent().reload(next, stage.now());
        stage.turn();
        CHECK(condition(stage, "route " + v4 + " to tor1").since == up);
        CHECK(condition(stage, "address 203.0.113.11/32").since == clock(stage));
        CHECK(condition(stage, "route 203.0.113.11/32 to tor1").since == clock(stage));
    }
}

TEST_CASE("CONTRACT 4: a router that sends no default route has its own time for that") {
    Config config = make_config();
    config.peers[0].default_route = true;
    Stage stage(config);
    stage.turn();
    const std::string name = "default route 0.0.0.0/0 from tor1";
    const Instant began = clock(stage);
    stage.pass_time(1min);
    CHECK(condition(stage, name).since == began);
    stage.say("tor1",
              raw::update({},
                          raw::hex("40 01 01 00  40 02 06 02 01 0000fde9  40 03 04 0a000001"),
                          raw::hex("00")));
    stage.pass_time(1min);
    stage.say("tor1", raw::update(raw::hex("00"), {}, {}));
    const vip::Condition lost = condition(stage, name);
    CHECK(lost.since == clock(stage));
    CHECK(lost.last_event == "an UPDATE of the router");
    CHECK(condition(stage, "default route 0.0.0.0/0 metric 512").last_event ==
          "changed: via 10.0.0.1 dev eth0");
}

TEST_CASE("a family that cannot be announced is mended where its cause is") {
    Config config = checked_config();
    SUBCASE("no next hop that the router could use") {
        config.peers[0].session.next_hop_ipv6 = IpAddress::parse("::1").value();
        Stage stage(config);
        stage.turn();
        const vip::Condition family = condition(stage, "ipv6 to tor1");
        CHECK(family.value == "no usable next hop: ::1 is a loopback address");
        CHECK(family.remedy == "set next_hop_ipv6 in its [[peer]] to an address of this node that "
                               "the router reaches");
        CHECK(family.last_event == "session Established");
    }
    SUBCASE("not among families") {
        config.peers[0].session.families = {true, false};
        Stage stage(config);
        stage.turn();
        CHECK(condition(stage, "ipv6 to tor1").remedy == "add ipv6 to families in its [[peer]]");
    }
}

TEST_CASE("CONTRACT 4: a drain file that cannot be looked at, since when") {
    Config config = make_config();
    config.daemon.drain_file = "/etc/drain";
    Stage stage(config);
    stage.turn();
    stage.pass_time(1min);
    stage.agent().drain_file_problem("Input/output error", stage.now());
    stage.turn();
    const Instant began = clock(stage);
    stage.pass_time(1min);
    CHECK(condition(stage, "drain file").since == began);
    CHECK(condition(stage, "drain file").last_event == "Input/output error");
}

} // namespace anyvip::test
