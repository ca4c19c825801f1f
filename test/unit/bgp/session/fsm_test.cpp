// SPDX-License-Identifier: Apache-2.0
// The state machine through the eyes of a router (PROTOCOL section 10, F04 to F19).
#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "test/unit/bgp/session/bench.hpp"

using namespace anyvip;
using namespace anyvip::test;
using bgp::SessionState;
using bgp::Slot;

namespace {

bool is_graceful_close(const Bench& bench) {
    return bench.closes.size() == 1 && bench.closes[0].graceful;
}

} // namespace

TEST_CASE("F04: no OPEN within open_hold ends with Hold Timer Expired") {
    Bench bench;
    bench.start();
    bench.accept();
    bench.advance(239s);
    CHECK(bench.heard() == Lines{"OPEN"});
    bench.advance(1s);
    CHECK(bench.heard() == Lines{"NOTIFICATION 4/0"});
    CHECK(is_graceful_close(bench));
    CHECK(bench.state() == SessionState::Idle);
}

TEST_CASE("F05: no KEEPALIVE after OPEN ends with Hold Timer Expired at the negotiated hold time") {
    Bench bench;
    bench.start();
    bench.accept();
    bench.say(raw::open(Bench::usual_open()));
    bench.advance(8999ms);
    CHECK(bench.state() == SessionState::OpenConfirm);
    bench.advance(1ms);
    CHECK(bench.heard().back() == "NOTIFICATION 4/0");
}

TEST_CASE("F06: TCP lost in OpenSent goes to Active without NOTIFICATION and is tried again") {
    Bench bench;
    bench.start();
    bench.accept();
    bench.hang_up();
    CHECK(bench.state() == SessionState::Active);
    CHECK(bench.heard() == Lines{"OPEN"});
    CHECK(bench.closes.empty());
    bench.advance(250ms);
    CHECK(bench.connects.size() == 2);
}

TEST_CASE("F07, RFC 6608: a message other than OPEN in OpenSent is FSM error 5/1 with its type") {
    const std::vector<std::pair<raw::Octets, std::string>> cases{
        {raw::keepalive(), "NOTIFICATION 5/1 04"},
        {raw::update({}, {}, {}), "NOTIFICATION 5/1 02"},
        {raw::route_refresh(1, 0, 1), "NOTIFICATION 5/1 05"},
    };
    for (const auto& [message, answer] : cases) {
        Bench bench;
        bench.start();
        bench.accept();
        bench.say(message);
        CHECK(bench.heard() == Lines{"OPEN", answer});
        CHECK(is_graceful_close(bench));
    }
}

TEST_CASE("F08: a message other than KEEPALIVE in OpenConfirm is FSM error 5/2 with its type") {
    const std::vector<std::pair<raw::Octets, std::string>> cases{
        {raw::open(Bench::usual_open()), "NOTIFICATION 5/2 01"},
        {raw::update({}, {}, {}), "NOTIFICATION 5/2 02"},
        {raw::route_refresh(1, 0, 1), "NOTIFICATION 5/2 05"},
    };
    for (const auto& [message, answer] : cases) {
        Bench bench;
        bench.start();
        bench.accept();
        bench.say(raw::open(Bench::usual_open()));
        bench.say(message);
        CHECK(bench.heard() == Lines{"OPEN", "KEEPALIVE", answer});
        CHECK(is_graceful_close(bench));
    }
}

TEST_CASE("F09: OPEN in Established is FSM error 5/3") {
    Bench bench;
    bench.establish();
    bench.say(raw::open(Bench::usual_open()));
    CHECK(bench.heard() == Lines{"NOTIFICATION 5/3 01"});
    CHECK(bench.events.size() == 1);
}

TEST_CASE("F10: a NOTIFICATION is never answered, in no state") {
    for (int state = 0; state < 3; ++state) {
        Bench bench;
        bench.start();
        bench.accept();
        if (state > 0) {
            bench.say(raw::open(Bench::usual_open()));
        }
        if (state > 1) {
            bench.say(raw::keepalive());
        }
        (void)bench.heard();
        bench.say(raw::notification(6, 4));
        CHECK(bench.heard().empty());
        CHECK(is_graceful_close(bench));
        CHECK(bench.state() == SessionState::Idle);
        CHECK_FALSE(bench.peer.status().last_error->sent);
        CHECK(bench.peer.status().last_error->name == "Cease/Administrative Reset");
        bench.advance(740ms);
        CHECK(bench.connects.size() == 1);
        bench.advance(260ms);
        CHECK(bench.connects.size() == 2);
    }
}

TEST_CASE("F11: refused connections are tried every 250 ms, after 30 s more slowly up to 2 s") {
    Bench bench;
    bench.start();
    while (bench.now < Instant{} + 15min) {
        bench.refuse();
        CHECK(bench.state() == SessionState::Active);
        bench.advance(*bench.peer.next_deadline() - bench.now);
    }
    std::vector<Duration> early;
    std::vector<Duration> late;
    for (std::size_t i = 1; i < bench.connects.size(); ++i) {
        const Duration gap = bench.connects[i] - bench.connects[i - 1];
        (bench.connects[i] < Instant{} + 30s ? early : late).push_back(gap);
    }
    CHECK(early.size() > 110);
    CHECK(std::ranges::all_of(early, [](Duration gap) { return gap >= 187ms && gap <= 250ms; }));
    CHECK(std::ranges::adjacent_find(early, std::not_equal_to{}) != early.end()); // jitter
    CHECK(late.back() >= 1500ms);
    CHECK(std::ranges::all_of(late, [](Duration gap) { return gap <= 2s; }));
}

TEST_CASE("F11: an attempt without an answer is given up and repeated at connect_timeout") {
    Bench bench;
    bench.start();
    bench.advance(3s);
    CHECK(bench.aborts == 1);
    CHECK(bench.connects.size() == 2);
    CHECK(bench.state() == SessionState::Connect);
}

TEST_CASE("F12: a router that refuses our OPEN is tried after 1 s doubling to 60 s") {
    Bench bench;
    bench.start();
    std::vector<Duration> waits;
    for (int i = 0; i < 9; ++i) {
        bench.accept();
        bench.say(raw::notification(2, 2));
        const Instant before = bench.now;
        bench.advance(*bench.peer.next_deadline() - bench.now);
        REQUIRE(bench.is_connecting);
        waits.push_back(bench.now - before);
    }
    Duration full = 1s;
    for (const Duration wait : waits) {
        CHECK(wait >= full * 3 / 4);
        CHECK(wait <= full);
        full = std::min<Duration>(2 * full, 60s);
    }
}

TEST_CASE("F12: an FSM error in OpenSent is excused once after a start or a session, then damped") {
    Bench bench;
    bench.start();
    const auto wait = [&] {
        bench.accept();
        bench.say(raw::notification(5, 0));
        const Instant before = bench.now;
        bench.advance(*bench.peer.next_deadline() - bench.now);
        REQUIRE(bench.is_connecting);
        return bench.now - before;
    };
    for (int round = 0; round < 2; ++round) {
        CHECK(wait() <= 250ms); // FRR that starts
        for (Duration full = (round == 0 ? 1s : 8s); full <= 60s; full *= 2) {
            const Duration waited = wait();
            CHECK(waited >= full * 3 / 4);
            CHECK(waited <= full);
            if (round == 0 && full == 4s) {
                break;
            }
        }
        bench.establish();
        bench.hang_up();
        bench.advance(*bench.peer.next_deadline() - bench.now);
    }
}

TEST_CASE("F12: a NOTIFICATION that cannot be read is a protocol error, and backed off from") {
    Bench bench;
    bench.start();
    for (const Duration full : {1s, 2s, 4s, 8s}) {
        bench.establish();
        bench.say(raw::message(3, raw::hex("06")));
        CHECK(bench.heard().empty());
        CHECK(bench.events.back() == "down: malformed NOTIFICATION received");
        const Instant before = bench.now;
        bench.advance(*bench.peer.next_deadline() - bench.now);
        REQUIRE(bench.is_connecting);
        CHECK(bench.now - before >= full * 3 / 4);
        CHECK(bench.now - before <= full);
    }
}

TEST_CASE("F12: the back-off is forgotten after 60 s Established") {
    Bench bench;
    bench.start();
    for (int i = 0; i < 4; ++i) {
        bench.accept();
        bench.say(raw::notification(2, 2));
        bench.advance(*bench.peer.next_deadline() - bench.now);
    }
    bench.establish();
    for (int i = 0; i < 61; ++i) {
        bench.advance(1s);
        bench.say(raw::keepalive());
    }
    bench.say(raw::notification(6, 4));
    bench.advance(1s);
    CHECK(bench.is_connecting);
}

TEST_CASE("after a deliberate Cease the router is tried within 5 s however often it happened") {
    Bench bench;
    bench.start();
    for (int i = 0; i < 6; ++i) {
        bench.accept();
        bench.say(raw::notification(6, 2));
        bench.advance(5s);
        CHECK(bench.is_connecting);
    }
}

TEST_CASE("F13: a stop in Established sends what is pending and Cease 6/2 with the message") {
    Bench bench;
    bench.establish();
    bench.is_blocked = {true, true};
    bench.peer.want(prefix("203.0.113.10/32"), plain_intent());
    bench.flush();
    bench.peer.want(prefix("203.0.113.10/32"), nullptr);
    bench.flush();
    bench.peer.stop(bgp::wire::Cease::AdministrativeShutdown, "maintenance", bench.now);
    bench.settle();
    const Lines heard = bench.heard();
    REQUIRE(heard.size() == 3);
    CHECK(heard[1] == "UPDATE 000520cb00710a0000");
    CHECK(heard[2] == "NOTIFICATION 6/2 0b6d61696e74656e616e6365");
    CHECK(is_graceful_close(bench));
    CHECK(bench.state() == SessionState::Idle);
    CHECK_FALSE(bench.peer.next_deadline());
    CHECK(raw::split(bench.peer.rejection())[0].body == raw::hex("0605"));
}

TEST_CASE("F14: a stop while dialling sends nothing") {
    Bench bench;
    bench.start();
    bench.peer.stop(bgp::wire::Cease::AdministrativeShutdown, "", bench.now);
    bench.settle();
    CHECK(bench.aborts == 1);
    CHECK(bench.closes.empty());
    CHECK_FALSE(bench.peer.next_deadline());
}

TEST_CASE("F15: a passive peer only accepts") {
    auto config = usual_config();
    config.passive = true;
    Bench bench(config);
    bench.start();
    CHECK(bench.state() == SessionState::Active);
    CHECK(bench.connects.empty());
    CHECK(bench.peer.accepts_inbound());
    bench.dial();
    bench.say(raw::join({raw::open(Bench::usual_open()), raw::keepalive()}), Slot::Incoming);
    CHECK(bench.state() == SessionState::Established);
    bench.hang_up(Slot::Incoming);
    CHECK(bench.state() == SessionState::Active);
    bench.advance(600s);
    CHECK(bench.connects.empty());
}

TEST_CASE("a peer made passive while its OPEN is out dials no more when that connection fails") {
    Bench bench;
    bench.start();
    bench.accept();
    auto config = usual_config();
    config.passive = true;
    bench.peer.reconfigure(config, bench.now);
    bench.hang_up();
    CHECK(bench.state() == SessionState::Active);
    bench.advance(60s);
    CHECK(bench.connects.size() == 1);
    CHECK(bench.peer.accepts_inbound());
}

TEST_CASE("F15: a peer that does not listen accepts nothing and says nothing") {
    auto config = usual_config();
    config.listens = false;
    Bench bench(config);
    bench.start();
    CHECK_FALSE(bench.peer.accepts_inbound());
    CHECK(bench.peer.rejection().empty());
}

TEST_CASE("F18, F19: resets by us carry their Cease subcode and the peer is dialled again") {
    for (const auto subcode : {bgp::wire::Cease::PeerDeconfigured,
                               bgp::wire::Cease::OtherConfigurationChange,
                               bgp::wire::Cease::BfdDown,
                               bgp::wire::Cease::OutOfResources}) {
        Bench bench;
        bench.establish();
        bench.peer.reset(subcode, "", bench.now);
        bench.settle();
        CHECK(bench.heard() ==
              Lines{"NOTIFICATION 6/" + std::to_string(std::to_underlying(subcode))});
        bench.advance(1s);
        CHECK(bench.is_connecting);
    }
}

TEST_CASE("a reset during the back-off ends the wait") {
    Bench bench;
    bench.start();
    bench.accept();
    bench.say(raw::notification(2, 7));
    CHECK(bench.state() == SessionState::Idle);
    CHECK(bench.peer.status().next_attempt >= bench.now + 45s);
    bench.peer.reset(bgp::wire::Cease::AdministrativeReset, "", bench.now);
    bench.settle();
    CHECK(bench.is_connecting);
}

TEST_CASE("a reset while dialling gives the attempt up and dials anew: its key may be another") {
    Bench bench;
    bench.start();
    bench.peer.reset(bgp::wire::Cease::OtherConfigurationChange, "", bench.now);
    const auto actions = bench.peer.take_actions();
    REQUIRE(actions.size() == 2);
    CHECK(std::holds_alternative<bgp::AbortConnectAction>(actions[0]));
    CHECK(std::holds_alternative<bgp::ConnectAction>(actions[1]));
    CHECK(bench.state() == SessionState::Connect);
}

TEST_CASE("a reset between two attempts dials at once, and never for a passive or stopped peer") {
    Bench bench;
    bench.start();
    bench.refuse();
    CHECK(bench.state() == SessionState::Active);
    bench.peer.reset(bgp::wire::Cease::AdministrativeReset, "", bench.now);
    bench.settle();
    CHECK(bench.connects.size() == 2);
    bench.peer.stop(bgp::wire::Cease::AdministrativeShutdown, "", bench.now);
    bench.peer.reset(bgp::wire::Cease::AdministrativeReset, "", bench.now);
    bench.settle();
    CHECK(bench.connects.size() == 2);
    CHECK_FALSE(bench.peer.next_deadline());

    auto config = usual_config();
    config.passive = true;
    Bench passive(config);
    passive.start();
    passive.peer.reset(bgp::wire::Cease::AdministrativeReset, "", passive.now);
    passive.settle();
    CHECK(passive.connects.empty());
    CHECK(passive.peer.accepts_inbound());
}

TEST_CASE("a header error is answered with 1/x in every state, one in a NOTIFICATION never") {
    Bench bench;
    bench.establish();
    auto bad = raw::keepalive();
    bad[15] = 0;
    bench.say(bad);
    CHECK(bench.heard() == Lines{"NOTIFICATION 1/1"});

    Bench other;
    other.establish();
    other.say(raw::message(3, raw::hex("06")));
    CHECK(other.heard().empty());
    CHECK(is_graceful_close(other));
}

TEST_CASE("H07: a conversation split at every octet has the same outcome") {
    Bench whole;
    Bench split;
    const auto talk = raw::join({raw::open(Bench::usual_open()),
                                 raw::keepalive(),
                                 raw::update({}, {}, {}),
                                 raw::route_refresh(1, 0, 1),
                                 raw::notification(6, 4)});
    for (Bench* bench : {&whole, &split}) {
        bench->peer.allow_end_of_rib(bench->now);
        bench->start();
        bench->accept();
    }
    whole.say(talk);
    for (const std::uint8_t octet : talk) {
        split.say({octet});
    }
    CHECK(split.peer.status().messages.received == whole.peer.status().messages.received);
    CHECK(split.events == whole.events);
    CHECK(split.closes.size() == 1);
    CHECK(split.peer.status().messages.received[2] == 1);
}
