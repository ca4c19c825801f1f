// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <optional>
#include <tuple>
#include <vector>

#include "test/unit/bgp/bfd/support.hpp"

using namespace anyvip;
using namespace anyvip::test;
using bfd::Diagnostic;
using bfd::Interval;
using bfd::Packet;
using bfd::Session;
using bfd::State;
using bfd::Step;
using bfd::Timing;

namespace {

constexpr std::uint32_t ours = 42;

/// A session and its time.
struct Bench {
    explicit Bench(Timing timing = {}, std::uint64_t seed = 1)
        : session(timing, ours, seed, zero_hour) {}

    Step hear(const Packet& packet) { return session.receive(packet, now, now); }

    /// Runs every deadline up to `until` from now on; what was sent, with its moment.
    std::vector<std::pair<Instant, Packet>> run(Duration time) {
        std::vector<std::pair<Instant, Packet>> sent;
        const Instant end = now + time;
        while (session.next_deadline() && *session.next_deadline() <= end) {
            now = std::max(now, *session.next_deadline());
            const Step step = session.tick(now);
            if (step.send) {
                sent.emplace_back(now, *step.send);
            }
            if (step.change) {
                change = step.change;
            }
        }
        now = end;
        return sent;
    }

    void bring_up() {
        std::ignore = run(0s);
        std::ignore = hear(from_peer(State::Down, 0));
        const Step step = hear(from_peer(State::Up, ours));
        REQUIRE(step.send);
        CHECK(step.send->poll);
        Packet final = from_peer(State::Up, ours);
        final.final = true;
        std::ignore = hear(final);
        REQUIRE(session.state() == State::Up);
        REQUIRE_FALSE(session.view().is_polling);
    }

    Session session;
    Instant now = zero_hour;
    std::optional<bfd::Change> change;
};

Bench in_state(State state) {
    Bench bench;
    std::ignore = bench.run(0s);
    switch (state) {
    case State::AdminDown:
        std::ignore = bench.session.disable(bench.now);
        break;
    case State::Down:
        break;
    case State::Init:
        std::ignore = bench.hear(from_peer(State::Down, 0));
        break;
    case State::Up:
        bench.bring_up();
        break;
    }
    REQUIRE(bench.session.state() == state);
    return bench;
}

} // namespace

TEST_CASE("RFC 5880 §6.8.6: the state machine, all states and all received states") {
    struct Row {
        State local;
        State received;
        State after;
        Diagnostic diagnostic = Diagnostic::None;
    };
    using enum State;
    constexpr auto signaled = Diagnostic::NeighborSignaledDown;
    constexpr auto admin = Diagnostic::AdministrativelyDown;
    const std::vector<Row> rows{
        {AdminDown, AdminDown, AdminDown, admin},
        {AdminDown, Down, AdminDown, admin},
        {AdminDown, Init, AdminDown, admin},
        {AdminDown, Up, AdminDown, admin},
        {Down, AdminDown, Down},
        {Down, Down, Init},
        {Down, Init, Up},
        {Down, Up, Down},
        {Init, AdminDown, Down, signaled},
        {Init, Down, Init},
        {Init, Init, Up},
        {Init, Up, Up},
        {Up, AdminDown, Down, signaled},
        {Up, Down, Down, signaled},
        {Up, Init, Up},
        {Up, Up, Up},
    };
    for (const Row& row : rows) {
        CAPTURE(bfd::to_string(row.local));
        CAPTURE(bfd::to_string(row.received));
        Bench bench = in_state(row.local);
        const Step step = bench.hear(from_peer(row.received, ours));
        CHECK(bench.session.state() == row.after);
        CHECK(bench.session.view().diagnostic == row.diagnostic);
        // A change is told at once (RFC 5880 §6.8.7), and nothing else is.
        CHECK(step.send.has_value() == (row.local != row.after));
        if (step.send) {
            CHECK(step.send->state == row.after);
            CHECK(step.send->diagnostic == row.diagnostic);
            CHECK(step.send->your_discriminator == 7);
            CHECK_FALSE(step.send->final);
        }
        const bool tells_admin_down = row.received == AdminDown && row.local != AdminDown;
        CHECK(step.change.has_value() == (row.local != row.after || tells_admin_down));
        if (step.change) {
            CHECK(step.change->is_peer_admin_down == (row.received == AdminDown));
        }
    }
}

TEST_CASE("RFC 5880 §6.8.7: a Poll is answered at once with a Final, in every state") {
    for (const State state : {State::AdminDown, State::Down, State::Init, State::Up}) {
        Bench bench = in_state(state);
        const auto deadline = bench.session.next_deadline();
        Packet poll = from_peer(State::Up, ours);
        poll.poll = true;
        const Step step = bench.hear(poll);
        REQUIRE(step.send);
        CHECK(step.send->final);
        CHECK_FALSE(step.send->poll);
        CHECK(step.send->state == bench.session.state());
        if (state == State::AdminDown) {
            CHECK(bench.session.next_deadline() == deadline); // outside the schedule
        }
    }
}

TEST_CASE(
    "RFC 5880 §6.8.3: one packet a second at most until Up, then as configured, with a Poll") {
    Bench bench;
    const auto slow = bench.run(20s);
    REQUIRE(slow.size() > 20);
    CHECK(slow.front().first == zero_hour);
    for (std::size_t i = 1; i < slow.size(); ++i) {
        const Duration pause = slow[i].first - slow[i - 1].first;
        CHECK(pause >= 750ms);
        CHECK(pause < 1s);
        CHECK(slow[i].second.desired_min_tx == 1s);
        CHECK(slow[i].second.required_min_rx == 300ms);
        CHECK_FALSE(slow[i].second.poll);
    }
    std::ignore = bench.hear(from_peer(State::Down, 0));
    const Step up = bench.hear(from_peer(State::Init, ours));
    REQUIRE(up.send);
    CHECK(up.send->poll);
    CHECK(up.send->desired_min_tx == 300ms);
    CHECK(bench.run(300ms).front().second.poll);
    Packet final = from_peer(State::Up, ours);
    final.final = true;
    std::ignore = bench.hear(final);
    CHECK_FALSE(bench.run(300ms).front().second.poll);
}

TEST_CASE("RFC 5880 §6.8.7: jitter takes away 0 to 25 %, with multiplier 1 10 to 25 %") {
    for (const std::uint8_t multiplier : {std::uint8_t{3}, std::uint8_t{1}}) {
        Bench bench(Timing{Interval{50000}, Interval{50000}, multiplier});
        bench.bring_up();
        Packet alive = from_peer(State::Up, ours, Interval{50000});
        std::vector<Instant> sent;
        for (int i = 0; i < 1000; ++i) {
            std::ignore = bench.hear(alive);
            for (const auto& [at, packet] : bench.run(20ms)) {
                sent.push_back(at);
            }
        }
        Duration least = 1s;
        Duration most{};
        for (std::size_t i = 2; i < sent.size(); ++i) {
            least = std::min(least, Duration{sent[i] - sent[i - 1]});
            most = std::max(most, Duration{sent[i] - sent[i - 1]});
        }
        CHECK(least >= 37500us);
        CHECK(least < 38ms);
        CHECK(most < (multiplier == 1 ? 45ms : 50ms));
        CHECK(most > (multiplier == 1 ? 44ms : 49ms));
    }
}

TEST_CASE("RFC 5880 §6.8.2: we send no faster than the peer wants to receive") {
    Bench bench;
    bench.bring_up();
    Packet slow = from_peer(State::Up, ours);
    slow.required_min_rx = Interval{2000000};
    slow.poll = true;
    REQUIRE(bench.hear(slow).send->final);
    CHECK(bench.session.view().transmit_interval == 2s);
    Packet none = from_peer(State::Up, ours);
    none.required_min_rx = Interval{0};
    none.desired_min_tx = Interval{10000000};
    std::ignore = bench.hear(none);
    CHECK(bench.run(10s).empty());
}

TEST_CASE("RFC 5880 §6.8.4: detection time is the peer's multiplier times the agreed interval") {
    Bench bench;
    bench.bring_up();
    Packet packet = from_peer(State::Up, ours);
    packet.multiplier = 5;
    packet.desired_min_tx = Interval{400000};
    std::ignore = bench.hear(packet);
    CHECK(bench.session.view().detection_time == 2s);
    std::ignore = bench.run(1999ms);
    CHECK(bench.session.state() == State::Up);
    const auto sent = bench.run(1ms);
    REQUIRE(bench.change);
    CHECK(bench.change->from == State::Up);
    CHECK(bench.change->to == State::Down);
    CHECK(bench.change->diagnostic == Diagnostic::DetectionTimeExpired);
    CHECK(bench.change->silence == 2s);
    CHECK(bench.change->own_delay == 0s);
    REQUIRE(sent.size() == 1);
    CHECK(sent[0].second.state == State::Down);
    CHECK(sent[0].second.diagnostic == Diagnostic::DetectionTimeExpired);
    CHECK(sent[0].second.your_discriminator == 0); // RFC 5880 §6.8.1
    CHECK(sent[0].second.desired_min_tx == 1s);
    CHECK(bench.session.view().last_fall == Diagnostic::DetectionTimeExpired);
}

TEST_CASE("RFC 5880 §6.8.1: in Down the peer's discriminator is forgotten after a detection time") {
    Bench bench = in_state(State::Up);
    std::ignore = bench.hear(from_peer(State::AdminDown, ours));
    CHECK(bench.session.view().your_discriminator == 7);
    std::ignore = bench.run(900ms);
    CHECK(bench.session.view().your_discriminator == 0);
    REQUIRE(bench.change); // the peer is not known to be administratively down any more
    CHECK_FALSE(bench.change->is_peer_admin_down);
    CHECK(bench.change->to == State::Down);
}

TEST_CASE("RFC 5880 §6.8.7: a peer in demand mode gets no periodic packets while both are Up") {
    Bench bench;
    bench.bring_up();
    Packet demand = from_peer(State::Up, ours, Interval{10000000});
    demand.required_min_rx = Interval{300000};
    demand.demand = true;
    std::ignore = bench.hear(demand);
    CHECK(bench.run(5s).empty());
    const Step poll = bench.session.reconfigure(Timing{Interval{200000}}, bench.now);
    REQUIRE(poll.send);
    CHECK(poll.send->poll);
    CHECK(bench.run(1s).size() >= 3); // a Poll Sequence has to be sent
}

TEST_CASE("RFC 5880 §6.8.3: slower sending and shorter detection wait for the Final") {
    Bench bench;
    bench.bring_up();
    const Step step =
        bench.session.reconfigure(Timing{Interval{600000}, Interval{100000}, 3}, bench.now);
    REQUIRE(step.send);
    CHECK(step.send->poll);
    CHECK(step.send->desired_min_tx == 600ms);
    CHECK(step.send->required_min_rx == 100ms);
    CHECK(bench.session.view().transmit_interval == 300ms);
    CHECK(bench.session.view().detection_time == 900ms);
    Packet final = from_peer(State::Up, ours, Interval{50000});
    final.final = true;
    std::ignore = bench.hear(final);
    CHECK(bench.session.view().transmit_interval == 600ms);
    CHECK(bench.session.view().detection_time == 300ms);
}

TEST_CASE("RFC 5880 §6.5: a second change during a Poll Sequence has a Poll Sequence of its own") {
    Bench bench;
    bench.bring_up();
    std::ignore = bench.session.reconfigure(Timing{Interval{600000}}, bench.now);
    std::ignore = bench.session.reconfigure(Timing{Interval{900000}}, bench.now);
    Packet final = from_peer(State::Up, ours);
    final.final = true;
    std::ignore = bench.hear(final);
    CHECK(bench.session.view().is_polling);
    CHECK(bench.session.view().transmit_interval == 300ms);
    std::ignore = bench.hear(final);
    CHECK_FALSE(bench.session.view().is_polling);
    CHECK(bench.session.view().transmit_interval == 900ms);
}

TEST_CASE("RFC 5880 §6.8.16: AdminDown is told at once and again, with diagnostic 7") {
    Bench bench;
    bench.bring_up();
    CHECK(bench.session.farewell() == 1s);
    const Step step = bench.session.disable(bench.now);
    REQUIRE(step.send);
    CHECK(step.send->state == State::AdminDown);
    CHECK(step.send->diagnostic == Diagnostic::AdministrativelyDown);
    const auto again = bench.run(1s);
    REQUIRE(again.size() == 1);
    CHECK(again[0].second.state == State::AdminDown);
    CHECK(in_state(State::Down).session.farewell() == 0s);
}

TEST_CASE("a peer that wants packets rarely is told AdminDown no later than any other") {
    Bench slow(Timing{Interval{1000000}, Interval{1000000}, 5});
    slow.bring_up();
    CHECK(slow.session.farewell() == 3s);
    Packet rare = from_peer(State::Up, ours);
    rare.required_min_rx = Interval{20000000};
    std::ignore = slow.hear(rare);
    const Duration farewell = slow.session.farewell();
    CHECK(farewell == 3s);
    std::ignore = slow.session.disable(slow.now);
    const auto again = slow.run(farewell);
    CHECK(again.size() >= 2);
    for (const auto& [at, packet] : again) {
        CHECK(packet.state == State::AdminDown);
    }
}

TEST_CASE("a late wake-up with the peer's packets in the socket is no silence") {
    Bench bench;
    bench.bring_up();
    const Instant asleep = bench.now;
    bench.now += 5s;
    // The kernel kept them with the times at which they came.
    for (Instant at = asleep; at < bench.now; at += 250ms) {
        const Step step = bench.session.receive(from_peer(State::Up, ours), at, bench.now);
        CHECK_FALSE(step.change);
    }
    const Step step = bench.session.tick(bench.now);
    CHECK_FALSE(step.change);
    CHECK(step.send);
    CHECK(bench.session.view().worst_delay > 4s);
    // The peer has lost us meanwhile: the reason is our delay, and the change says so.
    const Step down = bench.hear(from_peer(State::Down, ours));
    REQUIRE(down.change);
    CHECK(down.change->diagnostic == Diagnostic::NeighborSignaledDown);
    CHECK(down.change->own_delay > 4s);
}

TEST_CASE("a late wake-up with an empty socket gives the peer one interval to be heard") {
    Bench bench;
    bench.bring_up();
    bench.now += 5s;
    CHECK_FALSE(bench.session.tick(bench.now).change);
    std::ignore = bench.run(299ms);
    CHECK(bench.session.state() == State::Up);
    std::ignore = bench.run(1ms);
    REQUIRE(bench.change);
    CHECK(bench.change->diagnostic == Diagnostic::DetectionTimeExpired);
    CHECK(bench.change->silence == 5300ms);
    CHECK(bench.change->own_delay > 4s);
}
