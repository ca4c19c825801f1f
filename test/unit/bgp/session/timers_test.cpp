// SPDX-License-Identifier: Apache-2.0
// Hold, keepalive, send hold and withdraw-flush (PROTOCOL T01 to T03, O07, O08, F17).
#include <doctest/doctest.h>

#include <algorithm>
#include <functional>

#include "bgp/session/backoff.hpp"
#include "test/unit/bgp/session/bench.hpp"

using namespace anyvip;
using namespace anyvip::test;
using bgp::SessionState;

namespace {

/// Gaps between KEEPALIVEs while the router keeps its side alive.
std::vector<Duration> keepalive_gaps(Bench& bench, Duration length) {
    std::vector<Duration> gaps;
    const Instant end = bench.now + length;
    Instant last = bench.now;
    while (bench.now < end) {
        bench.advance(10ms);
        for (const std::string& line : bench.heard()) {
            REQUIRE(line == "KEEPALIVE");
            gaps.push_back(bench.now - last);
            last = bench.now;
            bench.say(raw::keepalive());
        }
    }
    return gaps;
}

void announce(Bench& bench) {
    bench.peer.want(prefix("203.0.113.10/32"), plain_intent());
    bench.flush();
}

void withdraw(Bench& bench) {
    bench.peer.want(prefix("203.0.113.10/32"), nullptr);
    bench.flush();
}

} // namespace

TEST_CASE("T01: a silent router is left at the hold time, not before") {
    Bench bench;
    bench.establish();
    bench.advance(8999ms);
    CHECK(bench.state() == SessionState::Established);
    bench.advance(1ms);
    CHECK(bench.heard().back() == "NOTIFICATION 4/0");
    CHECK(bench.events.size() == 1);
    CHECK(bench.peer.status().last_error->sent);
}

TEST_CASE("T02: UPDATEs alone keep the session up") {
    Bench bench;
    bench.establish();
    for (int i = 0; i < 10; ++i) {
        bench.advance(8s);
        bench.say(raw::update({}, {}, {}));
    }
    CHECK(bench.state() == SessionState::Established);
}

TEST_CASE("T03: KEEPALIVEs come every 75 to 100 % of a third of the hold time, varying") {
    auto config = usual_config();
    config.hold_time = 90s;
    Bench bench(config);
    auto fields = Bench::usual_open();
    fields.hold_time = 90;
    bench.establish(fields);
    const auto gaps = keepalive_gaps(bench, 600s);
    CHECK(gaps.size() >= 20);
    CHECK(std::ranges::all_of(gaps, [](Duration gap) { return gap >= 22490ms && gap <= 30010ms; }));
    CHECK(std::ranges::adjacent_find(gaps, std::not_equal_to{}) != gaps.end());
}

TEST_CASE("O08: at a hold time of 3 s KEEPALIVEs come every second, never faster") {
    Bench bench;
    auto fields = Bench::usual_open();
    fields.hold_time = 3;
    bench.establish(fields);
    const auto gaps = keepalive_gaps(bench, 60s);
    CHECK(gaps.size() == 60);
    CHECK(std::ranges::all_of(gaps, [](Duration gap) { return gap == 1s; }));
}

TEST_CASE("O07: hold time 0 means no KEEPALIVE, no hold timer, no send hold timer") {
    Bench bench;
    auto fields = Bench::usual_open();
    fields.hold_time = 0;
    bench.establish(fields);
    bench.is_blocked = {true, true};
    announce(bench);
    CHECK_FALSE(bench.peer.next_deadline());
    bench.advance(24h);
    CHECK(bench.state() == SessionState::Established);
    CHECK(bench.heard().empty());
}

TEST_CASE("O07: with hold time 0 open_hold ends a wait in OpenConfirm, on either connection") {
    auto fields = Bench::usual_open();
    fields.hold_time = 0;
    for (const auto slot : {bgp::Slot::Outgoing, bgp::Slot::Incoming}) {
        Bench bench;
        bench.start();
        if (slot == bgp::Slot::Outgoing) {
            bench.accept();
        } else {
            bench.dial();
        }
        bench.advance(100s);
        bench.say(raw::open(fields), slot);
        bench.advance(139s);
        CHECK(bench.state() == SessionState::OpenConfirm);
        CHECK(bench.heard(slot) == Lines{"OPEN", "KEEPALIVE"});
        bench.advance(1s);
        CHECK(bench.heard(slot) == Lines{"NOTIFICATION 4/0"});
        CHECK(bench.peer.status().last_error->message == "no KEEPALIVE within open_hold");
        CHECK(bench.peer.accepts_inbound());
        bench.advance(1s);
        CHECK(bench.is_connecting);
    }
}

TEST_CASE("a sent UPDATE stands for a KEEPALIVE") {
    Bench bench;
    bench.establish();
    bench.advance(2s);
    announce(bench);
    CHECK(bench.heard().size() == 1);
    bench.advance(2s); // the former KEEPALIVE timer would have expired after 3 s at the latest
    CHECK(bench.heard().empty());
}

TEST_CASE("F17: a router that does not read is left when the send hold timer expires, with RST") {
    auto config = usual_config();
    config.send_hold_time = 20s;
    Bench bench(config);
    bench.establish();
    bench.is_blocked = {true, true};
    announce(bench);
    for (int i = 0; i < 19; ++i) {
        bench.advance(1s);
        bench.say(raw::keepalive());
    }
    CHECK(bench.state() == SessionState::Established);
    // Nothing piles up: one UPDATE and one KEEPALIVE.
    CHECK(raw::split(bench.peer.output(bgp::Slot::Outgoing)).size() == 2);
    bench.advance(1s);
    REQUIRE(bench.closes.size() == 1);
    CHECK_FALSE(bench.closes[0].graceful);
    CHECK(bench.events == Lines{"down: Send Hold Timer Expired"});
}

TEST_CASE("RFC 9687 §4: what the kernel has taken is no progress while nobody acknowledges it") {
    auto config = usual_config();
    config.send_hold_time = 20s;
    Bench bench(config);
    bench.establish();
    bench.acknowledges = false;
    // The router's TCP takes a little for a while, then nothing; its KEEPALIVEs go on.
    std::size_t taken = bench.written();
    announce(bench);
    const auto live = [&](int seconds, std::size_t octets_a_second) {
        for (int i = 0; i < seconds; ++i) {
            taken += octets_a_second;
            bench.advance(1s);
            bench.peer.unacknowledged(bgp::Slot::Outgoing, bench.written() - taken, bench.now);
            bench.say(raw::keepalive());
        }
    };
    live(60, 1);
    CHECK(bench.state() == SessionState::Established);
    live(19, 0);
    CHECK(bench.state() == SessionState::Established);
    live(1, 0);
    REQUIRE(bench.closes.size() == 1);
    CHECK_FALSE(bench.closes[0].graceful);
    CHECK(bench.events == Lines{"down: Send Hold Timer Expired"});
    CHECK(bench.peer.status().last_error->name == "Send Hold Timer Expired");
}

TEST_CASE("RFC 9687 §4: an idle session whose KEEPALIVEs are acknowledged never expires") {
    auto config = usual_config();
    config.send_hold_time = 10s;
    Bench bench(config);
    bench.establish();
    for (int i = 0; i < 600; ++i) {
        bench.advance(1s);
        bench.say(raw::keepalive());
    }
    CHECK(bench.state() == SessionState::Established);
    CHECK(bench.events.empty());
}

TEST_CASE("RFC 9687: the default is eight minutes, and progress restarts the timer") {
    Bench bench;
    bench.establish();
    bench.is_blocked = {true, true};
    announce(bench);
    const auto live = [&](int seconds) {
        for (int i = 0; i < seconds; ++i) {
            bench.advance(1s);
            bench.say(raw::keepalive());
        }
    };
    live(479);
    bench.peer.sent(bgp::Slot::Outgoing, 1, bench.now);
    bench.peer.unacknowledged(bgp::Slot::Outgoing, 0, bench.now);
    live(479);
    CHECK(bench.state() == SessionState::Established);
    live(1);
    CHECK(bench.state() == SessionState::Idle);
}

TEST_CASE("F17: a withdraw that is stuck in our output ends the connection after 5 s") {
    Bench bench;
    bench.establish();
    announce(bench);
    bench.is_blocked = {true, true};
    bench.acknowledges = false;
    withdraw(bench);
    CHECK_FALSE(bench.peer.withdrawals_acknowledged());
    bench.advance(4999ms);
    CHECK(bench.state() == SessionState::Established);
    bench.advance(1ms);
    REQUIRE(bench.closes.size() == 1);
    CHECK_FALSE(bench.closes[0].graceful);
    CHECK(bench.state() == SessionState::Idle);
}

TEST_CASE("F17: a withdraw that the router's TCP does not acknowledge does the same") {
    auto config = usual_config();
    config.hold_time = 30s;
    Bench bench(config);
    auto fields = Bench::usual_open();
    fields.hold_time = 30;
    bench.establish(fields);
    announce(bench);
    bench.acknowledges = false;
    withdraw(bench);
    CHECK(bench.peer.wants_acknowledgement(bgp::Slot::Outgoing));
    bench.advance(9999ms); // a third of the hold time
    CHECK(bench.state() == SessionState::Established);
    bench.advance(1ms);
    CHECK(bench.state() == SessionState::Idle);
}

TEST_CASE("an acknowledged withdraw leaves no deadline behind") {
    Bench bench;
    bench.establish();
    announce(bench);
    bench.acknowledges = false;
    withdraw(bench);
    CHECK(*bench.peer.next_deadline() == bench.now + 1ms); // look soon
    bench.peer.unacknowledged(bgp::Slot::Outgoing, 1, bench.now);
    CHECK_FALSE(bench.peer.withdrawals_acknowledged());
    bench.peer.unacknowledged(bgp::Slot::Outgoing, 0, bench.now);
    CHECK(bench.peer.withdrawals_acknowledged());
    CHECK_FALSE(bench.peer.wants_acknowledgement(bgp::Slot::Outgoing));
    CHECK(*bench.peer.next_deadline() > bench.now + 1s);
}

TEST_CASE("the same seed gives the same times, another one others") {
    const auto times = [](std::uint64_t seed) {
        Bench bench(usual_config(), {bgp::Asn{65010}, bgp::RouterId{0x0a00000b}}, seed);
        bench.start();
        for (int i = 0; i < 20; ++i) {
            bench.refuse();
            bench.advance(*bench.peer.next_deadline() - bench.now);
        }
        return bench.connects;
    };
    CHECK(times(7) == times(7));
    CHECK(times(7) != times(8));
}

TEST_CASE("pauses between attempts grow slowly after half a minute, up to connect_retry_max") {
    bgp::PeerConfig config;
    config.connect_retry = 250ms;
    config.connect_retry_max = 2s;
    bgp::ConnectPause pause;
    const Instant begin{};
    CHECK(pause.next(config, begin) == 250ms);
    CHECK(pause.next(config, begin + 30s) == 250ms);
    CHECK(pause.next(config, begin + 31s) > 250ms);
    CHECK(pause.next(config, begin + 119s) < 500ms);
    CHECK(pause.next(config, begin + 24h) == 2s);
    CHECK(pause.next(config, begin + 24h * 365) == 2s);
    pause.forget();
    CHECK(pause.next(config, begin + 24h * 365) == 250ms);
    config.connect_retry_max = 100ms; // less than connect_retry: that is the least
    CHECK(pause.next(config, begin + 24h * 366) == 250ms);
}
