// SPDX-License-Identifier: Apache-2.0
// Two connections of one peer (RFC 4271 §6.8, RFC 6286 §2.3, RFC 4724 §5; PROTOCOL C01 to C05).
#include <doctest/doctest.h>

#include <functional>
#include <vector>

#include "test/unit/bgp/session/bench.hpp"

using namespace anyvip;
using namespace anyvip::test;
using bgp::SessionState;
using bgp::Slot;

namespace {

constexpr std::size_t our_id = 0x0a00000b;
const std::string collision = "NOTIFICATION 6/7";

raw::Octets router_open(std::size_t router_id, const raw::Octets& more = {}) {
    auto fields = Bench::usual_open();
    fields.router_id = router_id;
    fields.capabilities = raw::join({fields.capabilities, more});
    return raw::open(fields);
}

/// Both connections have sent their OPENs; the outgoing one is in OpenConfirm.
void meet(Bench& bench, std::size_t router_id) {
    bench.start();
    bench.accept();
    bench.dial();
    bench.say(router_open(router_id), Slot::Outgoing);
    CHECK(bench.heard(Slot::Outgoing) == Lines{"OPEN", "KEEPALIVE"});
    CHECK(bench.heard(Slot::Incoming) == Lines{"OPEN"});
}

const raw::Octets restarts_gracefully = raw::hex("40 06 0078 0001 01 80");

} // namespace

TEST_CASE("C01: with the larger identifier our own connection stays") {
    Bench bench;
    meet(bench, our_id - 1);
    bench.say(router_open(our_id - 1), Slot::Incoming);
    CHECK(bench.heard(Slot::Incoming) == Lines{collision});
    CHECK(bench.heard(Slot::Outgoing).empty());
    bench.say(raw::keepalive(), Slot::Outgoing);
    CHECK(bench.state() == SessionState::Established);
    CHECK(bench.events == Lines{"up"});
}

TEST_CASE("C02: with the smaller identifier the router's connection stays") {
    Bench bench;
    meet(bench, our_id + 1);
    bench.say(router_open(our_id + 1), Slot::Incoming);
    CHECK(bench.heard(Slot::Outgoing) == Lines{collision});
    CHECK(bench.heard(Slot::Incoming) == Lines{"KEEPALIVE"});
    bench.say(raw::keepalive(), Slot::Incoming);
    CHECK(bench.state() == SessionState::Established);
    CHECK(bench.connects.size() == 1);
    for (int i = 0; i < 30; ++i) {
        bench.advance(2s);
        bench.say(raw::keepalive(), Slot::Incoming);
    }
    CHECK(bench.connects.size() == 1);
}

TEST_CASE("the order of the OPENs does not matter, only who dialled") {
    for (const std::size_t id : {our_id - 1, our_id + 1}) {
        Bench bench;
        bench.start();
        bench.accept();
        bench.dial();
        bench.say(router_open(id), Slot::Incoming);
        bench.say(router_open(id), Slot::Outgoing);
        const Slot loser = id < our_id ? Slot::Incoming : Slot::Outgoing;
        CHECK(bench.heard(loser).back() == collision);
    }
}

TEST_CASE("C03: with equal identifiers the larger AS number decides") {
    Bench bench; // we are 65010, the router is 65001
    meet(bench, our_id);
    bench.say(router_open(our_id), Slot::Incoming);
    CHECK(bench.heard(Slot::Incoming) == Lines{collision});
}

TEST_CASE("a session is who its own OPEN says, whatever the configuration says by then") {
    Bench bench;
    bench.establish();
    bench.dial();
    REQUIRE(bench.state() == SessionState::Established);
    CHECK(bench.heard(Slot::Incoming) == Lines{"OPEN"});
    bench.peer.set_speaker({bgp::Asn{65011}, bgp::RouterId{our_id}});
    CHECK(bench.peer.speaker().asn == bgp::Asn{65010});
    bench.hang_up();
    // The OPEN of the second connection was sent before.
    bench.say(router_open(our_id + 1), Slot::Incoming);
    bench.say(raw::keepalive(), Slot::Incoming);
    REQUIRE(bench.state() == SessionState::Established);
    CHECK(bench.peer.speaker().asn == bgp::Asn{65010});
    bench.hang_up(Slot::Incoming);
    CHECK(bench.peer.speaker().asn == bgp::Asn{65011});
    bench.dial();
    bench.say(router_open(our_id + 1), Slot::Incoming);
    bench.say(raw::keepalive(), Slot::Incoming);
    CHECK(bench.state() == SessionState::Established);
    CHECK(bench.peer.speaker().asn == bgp::Asn{65011});
}

TEST_CASE(
    "C04: an inbound connection beside an Established one is closed with 6/7 after its OPEN") {
    Bench bench;
    bench.establish();
    CHECK(bench.peer.accepts_inbound());
    bench.dial();
    bench.say(raw::open(Bench::usual_open()), Slot::Incoming);
    CHECK(bench.heard(Slot::Incoming) == Lines{"OPEN", collision});
    CHECK(bench.heard(Slot::Outgoing).empty());
    CHECK(bench.state() == SessionState::Established);
    CHECK(bench.events.empty());
    CHECK(bench.peer.accepts_inbound());
}

TEST_CASE("C04: beside an Established inbound connection a second one is refused with 6/7") {
    Bench bench;
    bench.start();
    bench.dial();
    bench.say(raw::join({raw::open(Bench::usual_open()), raw::keepalive()}), Slot::Incoming);
    CHECK(bench.state() == SessionState::Established);
    CHECK_FALSE(bench.peer.accepts_inbound());
    CHECK(raw::describe(raw::split(bench.peer.rejection()).at(0)) == collision);
}

TEST_CASE("C05: after graceful restart the old connection is dropped silently for the new one") {
    Bench bench;
    auto fields = Bench::usual_open();
    fields.capabilities = raw::join({fields.capabilities, restarts_gracefully});
    bench.establish(fields);
    bench.dial();
    CHECK(bench.heard(Slot::Outgoing).empty());
    REQUIRE(bench.closes.size() == 1);
    CHECK_FALSE(bench.closes[0].graceful);
    CHECK(bench.closes[0].slot == Slot::Outgoing);
    bench.say(raw::join({raw::open(fields), raw::keepalive()}), Slot::Incoming);
    CHECK(bench.state() == SessionState::Established);

    // The same once more, now with the old one in the slot of the new one.
    CHECK(bench.peer.accepts_inbound());
    (void)bench.heard(Slot::Incoming);
    bench.dial();
    CHECK(bench.heard(Slot::Incoming) == Lines{"OPEN"});
    CHECK(bench.closes.size() == 1);
}

TEST_CASE("a valid OPEN on the inbound connection ends our own attempt to dial") {
    Bench bench;
    bench.start();
    bench.dial();
    bench.say(raw::open(Bench::usual_open()), Slot::Incoming);
    CHECK(bench.aborts == 1);
    bench.say(raw::keepalive(), Slot::Incoming);
    CHECK(bench.state() == SessionState::Established);
    bench.hang_up(Slot::Incoming);
    bench.advance(250ms);
    CHECK(bench.connects.size() == 2);
}

TEST_CASE("an inbound connection ends the wait of a back-off") {
    Bench bench;
    bench.start();
    bench.accept();
    bench.say(raw::notification(2, 7));
    CHECK(bench.state() == SessionState::Idle);
    CHECK(bench.peer.accepts_inbound());
    bench.dial();
    bench.say(raw::join({raw::open(Bench::usual_open()), raw::keepalive()}), Slot::Incoming);
    CHECK(bench.state() == SessionState::Established);
    CHECK(bench.peer.status().next_attempt == std::nullopt);
}

TEST_CASE("a router that dials twice before its OPEN has given up the first connection") {
    Bench bench;
    bench.start();
    bench.dial();
    CHECK(bench.peer.accepts_inbound());
    bench.dial();
    CHECK(bench.heard(Slot::Incoming) == Lines{"OPEN", "OPEN"});
    bench.say(raw::join({raw::open(Bench::usual_open()), raw::keepalive()}), Slot::Incoming);
    CHECK(bench.state() == SessionState::Established);
}

TEST_CASE("our own connection that fails beside a good inbound one is not dialled again") {
    Bench bench;
    bench.start();
    bench.accept();
    bench.dial();
    bench.say(raw::open(Bench::usual_open()), Slot::Incoming);
    bench.hang_up(Slot::Outgoing);
    bench.say(raw::keepalive(), Slot::Incoming);
    for (int i = 0; i < 100; ++i) {
        bench.advance(5s);
        bench.say(raw::keepalive(), Slot::Incoming);
    }
    CHECK(bench.connects.size() == 1);
    CHECK(bench.state() == SessionState::Established);
    bench.hang_up(Slot::Incoming);
    bench.advance(250ms); // the pauses have not grown since
    CHECK(bench.connects.size() == 2);
}

namespace {

/// Ways in which a second connection ends that has not got beyond OpenSent.
const std::vector<std::function<void(Bench&, Slot)>> ways_to_end{
    [](Bench& bench, Slot slot) { bench.hang_up(slot); },
    [](Bench& bench, Slot slot) { bench.say(raw::notification(6, 5), slot); },
    [](Bench& bench, Slot slot) { bench.say(raw::notification(2, 4), slot); },
    [](Bench& bench, Slot slot) { bench.say(raw::keepalive(), slot); }, // FSM error 5/1 of ours
    [](Bench& bench, Slot slot) {                                       // open_hold
        const Slot healthy = slot == Slot::Outgoing ? Slot::Incoming : Slot::Outgoing;
        for (int i = 0; i < 48; ++i) {
            bench.advance(5s);
            bench.say(raw::keepalive(), healthy);
        }
    },
};

/// The session goes on as if nothing had been; when it ends, the back-off is still at its begin.
void check_unharmed(Bench& bench, Slot healthy) {
    CHECK(bench.state() == SessionState::Established);
    CHECK(bench.events.empty());
    CHECK_FALSE(bench.peer.status().last_error);
    CHECK_FALSE(bench.peer.status().next_attempt);
    CHECK(bench.peer.accepts_inbound() == (healthy == Slot::Outgoing));
    const std::size_t attempts = bench.connects.size();
    bench.say(raw::notification(6, 6), healthy);
    bench.advance(1s);
    CHECK(bench.connects.size() == attempts + 1);
    bench.accept();
    CHECK(bench.messages().back().body.at(9) != 0); // capabilities are offered
}

bgp::PeerConfig ipv4_config() {
    auto config = usual_config();
    config.families = {true, false};
    return config;
}

} // namespace

TEST_CASE("however a second inbound connection ends, the Established one bears no mark of it") {
    for (const auto& end : ways_to_end) {
        Bench bench(ipv4_config());
        bench.establish();
        bench.dial();
        end(bench, Slot::Incoming);
        check_unharmed(bench, Slot::Outgoing);
    }
}

TEST_CASE("however our own second connection ends, the Established one bears no mark of it") {
    for (const auto& end : ways_to_end) {
        Bench bench(ipv4_config());
        bench.start();
        bench.accept();
        bench.dial();
        bench.say(raw::join({raw::open(Bench::usual_open()), raw::keepalive()}), Slot::Incoming);
        CHECK(bench.events == Lines{"up"});
        bench.events.clear();
        end(bench, Slot::Outgoing);
        check_unharmed(bench, Slot::Incoming);
    }
}

TEST_CASE("a stopped peer refuses inbound connections with Cease 6/5") {
    Bench bench;
    CHECK_FALSE(bench.peer.accepts_inbound());
    CHECK(raw::describe(raw::split(bench.peer.rejection()).at(0)) == "NOTIFICATION 6/5");
}

TEST_CASE("a connection that was given up in the meantime is closed") {
    Bench bench;
    bench.start();
    bench.peer.stop(bgp::wire::Cease::AdministrativeShutdown, "", bench.now);
    bench.accept();
    REQUIRE(bench.closes.size() == 1);
    CHECK(bench.heard().empty());
}
