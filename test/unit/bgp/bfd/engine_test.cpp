// SPDX-License-Identifier: Apache-2.0
// How datagrams find their session, and two engines over a network that loses, delays and repeats.
#include <doctest/doctest.h>

#include <map>
#include <random>
#include <tuple>

#include "bgp/bfd/engine.hpp"
#include "test/unit/bgp/bfd/support.hpp"

using namespace anyvip;
using namespace anyvip::test;
using bfd::Arrival;
using bfd::Diagnostic;
using bfd::Drop;
using bfd::Engine;
using bfd::Interval;
using bfd::Packet;
using bfd::State;
using bfd::Timing;

namespace {

const IpAddress peer = IpAddress::v4(0x0A000001);
const IpAddress stranger = IpAddress::v4(0x0A000009);
constexpr std::uint32_t ours = 42;

Arrival arrival(IpAddress source = peer) {
    return {source, 2, 255, false, zero_hour};
}

Engine::Setup setup(std::uint32_t id = 1, bool is_multihop = false) {
    return {id, {peer, 2, is_multihop}, std::uint8_t{0}, Timing{}, ours};
}

std::uint64_t dropped(const bfd::Counters& counters, Drop reason) {
    return counters.dropped.at(static_cast<std::size_t>(reason));
}

} // namespace

TEST_CASE("RFC 5880 §6.8.6, RFC 5881 §3 and §5: every check that needs the session") {
    struct Row {
        std::string_view what;
        Packet packet;
        Arrival arrival;
        std::optional<Drop> reason;
        bool is_stray = false;
    };

    const auto change = [](auto function) {
        Arrival from = arrival();
        function(from);
        return from;
    };
    const Packet first = from_peer(State::Down, 0);
    const Packet later = from_peer(State::Init, ours);
    const std::vector<Row> rows{
        {"Down without discriminator", first, arrival(), std::nullopt},
        {"with our discriminator", later, arrival(), std::nullopt},
        {"unknown discriminator", from_peer(State::Init, 43), arrival(), Drop::NoSession},
        {"Init without discriminator", from_peer(State::Init, 0), arrival(), Drop::State},
        {"Up without discriminator", from_peer(State::Up, 0), arrival(), Drop::State},
        {"other source", first, arrival(stranger), Drop::NoSession, true},
        {"our discriminator, other source", later, arrival(stranger), std::nullopt},
        {"our discriminator, other interface",
         later,
         change([](Arrival& a) { a.interface = 3; }),
         Drop::NoSession},
        {"our discriminator, port of multihop",
         later,
         change([](Arrival& a) { a.is_multihop = true; }),
         Drop::NoSession,
         true},
        {"our discriminator, TTL 254", later, change([](Arrival& a) { a.ttl = 254; }), Drop::Ttl},
        {"TTL 254", first, change([](Arrival& a) { a.ttl = 254; }), Drop::Ttl},
        {"other interface", first, change([](Arrival& a) { a.interface = 3; }), Drop::NoSession},
        {"port of multihop",
         first,
         change([](Arrival& a) { a.is_multihop = true; }),
         Drop::NoSession,
         true},
    };
    for (const Row& row : rows) {
        CAPTURE(row.what);
        Engine engine(1);
        REQUIRE(engine.add(setup(), zero_hour));
        const auto outcome = engine.receive(bfd::encode(row.packet), row.arrival, zero_hour);
        CHECK(outcome.session == (row.reason ? 0U : 1U));
        CHECK(engine.counters(1)->received == (row.reason ? 0U : 1U));
        if (row.reason) {
            const auto& counters = row.is_stray ? engine.stray() : *engine.counters(1);
            CHECK(dropped(counters, *row.reason) == 1);
            CHECK(engine.find(1)->state() == State::Down);
        }
    }
}

TEST_CASE("a peer that is heard on another interface is named, until its new one is known") {
    Engine engine(1);
    REQUIRE(engine.add(setup(), zero_hour));
    Arrival moved = arrival();
    moved.interface = 3;
    const auto hello = bfd::encode(from_peer(State::Down, 0));
    const bfd::Outcome lost = engine.receive(hello, moved, zero_hour);
    CHECK(lost.session == 0);
    CHECK(lost.elsewhere == 1);
    CHECK(dropped(*engine.counters(1), Drop::NoSession) == 1);
    CHECK(engine.receive(hello, arrival(stranger), zero_hour).elsewhere == 0);
    engine.set_interface(1, 3);
    CHECK(engine.receive(hello, moved, zero_hour).session == 1);
    // Our discriminator wrong: that has nothing to do with the interface.
    const auto wrong = bfd::encode(from_peer(State::Init, 43));
    CHECK(engine.receive(wrong, moved, zero_hour).elsewhere == 0);
}

TEST_CASE("a session that says goodbye makes place for a new one, others do not") {
    Engine engine(1);
    Engine::Setup one = setup();
    for (std::uint32_t id = 1; id <= bgp::limits::bfd_sessions; ++id) {
        one.id = one.discriminator = id;
        one.peer.address = IpAddress::v4(0x0A000100 + id);
        REQUIRE(engine.add(one, zero_hour));
    }
    one.id = one.discriminator = 1000;
    one.peer.address = stranger;
    CHECK_FALSE(engine.add(one, zero_hour));
    std::ignore = engine.remove(7, zero_hour);
    CHECK(engine.add(one, zero_hour));
    CHECK(engine.find(7) == nullptr);
}

TEST_CASE("RFC 5880 §6.8.6: authentication is refused, for it is not configured") {
    Engine engine(1);
    REQUIRE(engine.add(setup(), zero_hour));
    const auto packet = octets("20 44 03 1c 00000007 00000000 000f4240 000f4240 00000000 01040100");
    CHECK(engine.receive(packet, arrival(), zero_hour).session == 0);
    CHECK(dropped(*engine.counters(1), Drop::Authentication) == 1);
}

TEST_CASE("RFC 5883 §4: a multihop session counts hops down from 255 and from the usual 64") {
    Engine engine(1);
    auto multihop = setup(1, true);
    multihop.peer.interface = 0;
    multihop.hops = 2;
    REQUIRE(engine.add(multihop, zero_hour));
    const auto packet = bfd::encode(from_peer(State::Down, 0));
    for (int ttl = 0; ttl <= 255; ++ttl) {
        CAPTURE(ttl);
        const bool is_near = ttl >= 254 || ttl == 63 || ttl == 64;
        const Arrival from{peer, 9, static_cast<std::uint8_t>(ttl), true, zero_hour};
        CHECK(engine.receive(packet, from, zero_hour).session == (is_near ? 1U : 0U));
    }
}

TEST_CASE("a removed session says AdminDown for its farewell, then it is gone") {
    Engine engine(1);
    REQUIRE(engine.add(setup(), zero_hour));
    std::ignore = engine.tick(zero_hour);
    std::ignore = engine.receive(bfd::encode(from_peer(State::Down, 0)), arrival(), zero_hour);
    const auto outcome = engine.remove(1, zero_hour);
    CHECK(outcome.step.send->state == State::AdminDown);
    CHECK_FALSE(engine.take_removed(zero_hour + 999ms));
    CHECK(engine.next_deadline() <= zero_hour + 3s);
    CHECK(engine.take_removed(zero_hour + 3s) == 1U);
    CHECK(engine.is_empty());
    CHECK_FALSE(engine.next_deadline());
}

TEST_CASE("a session that is added again while it says goodbye takes the place at once") {
    Engine engine(1);
    REQUIRE(engine.add(setup(), zero_hour));
    CHECK_FALSE(engine.add(setup(2), zero_hour)); // the discriminator is taken
    std::ignore = engine.tick(zero_hour);
    std::ignore = engine.receive(bfd::encode(from_peer(State::Down, 0)), arrival(), zero_hour);
    std::ignore = engine.remove(1, zero_hour);
    REQUIRE(engine.add(setup(2), zero_hour));
    CHECK(engine.find(1) == nullptr);
    CHECK(engine.find(2) != nullptr);
}

namespace {

/// Two engines with one session each, and the network between them.
struct Link {
    explicit Link(std::uint64_t seed, Timing left, Timing right)
        : random(static_cast<std::minstd_rand::result_type>(seed)) {
        for (std::uint32_t side = 0; side < 2; ++side) {
            auto own = setup();
            own.peer = {address(1 - side), 2, false};
            own.timing = side == 0 ? left : right;
            own.discriminator = 100 + side;
            REQUIRE(engines.at(side).add(own, now));
        }
    }

    static IpAddress address(std::uint32_t side) { return IpAddress::v4(0x0A000001 + side); }

    void run(Duration time) {
        const Instant end = now + time;
        while (step(end)) {
        }
        now = end;
    }

    State state(std::uint32_t side) { return engines.at(side).find(1)->state(); }

    int loss_percent = 0;
    int repeat_percent = 0;
    Duration delay{};
    Instant now = zero_hour;
    std::array<Engine, 2> engines{Engine(1), Engine(2)};
    std::vector<bfd::Change> changes;

  private:
    bool step(Instant end) {
        std::optional<Instant> next;
        const auto consider = [&](std::optional<Instant> at) {
            next = at && (!next || *at < *next) ? at : next;
        };
        consider(engines[0].next_deadline());
        consider(engines[1].next_deadline());
        if (!flying.empty()) {
            consider(flying.begin()->first);
        }
        if (!next || *next > end) {
            return false;
        }
        now = std::max(now, *next);
        if (!flying.empty() && flying.begin()->first <= now) {
            const auto [to, octets] = flying.begin()->second;
            flying.erase(flying.begin());
            act(to, engines.at(to).receive(octets, {address(1 - to), 2, 255, false, now}, now));
            return true;
        }
        for (std::uint32_t side = 0; side < 2; ++side) {
            while (const auto outcome = engines.at(side).tick(now)) {
                act(side, *outcome);
            }
        }
        return true;
    }

    bool happens(int percent) { return static_cast<int>(random() % 100) < percent; }

    void act(std::uint32_t side, const bfd::Outcome& outcome) {
        if (outcome.step.change) {
            changes.push_back(*outcome.step.change);
        }
        if (!outcome.step.send || happens(loss_percent)) {
            return;
        }
        for (int copies = happens(repeat_percent) ? 2 : 1; copies > 0; --copies) {
            const Duration travel = delay * static_cast<int>(random() % 100) / 100;
            flying.emplace(now + travel, std::pair{1 - side, bfd::encode(*outcome.step.send)});
        }
    }

    std::minstd_rand random;
    std::multimap<Instant, std::pair<std::uint32_t, std::array<std::uint8_t, 24>>> flying;
};

} // namespace

TEST_CASE("two speakers come up, negotiate and stay up, whatever their timers") {
    for (const auto us : {10000U, 50000U, 300000U, 1500000U}) {
        Link link(us,
                  Timing{Interval{us}, Interval{us}, 3},
                  Timing{Interval{100000}, Interval{10000}, 5});
        link.run(10s);
        REQUIRE(link.state(0) == State::Up);
        REQUIRE(link.state(1) == State::Up);
        const auto view = link.engines[0].find(1)->view();
        CHECK_FALSE(view.is_polling);
        CHECK(view.transmit_interval == std::chrono::microseconds(std::max(us, 10000U)));
        CHECK(view.detection_time == 5 * std::chrono::microseconds(std::max(us, 100000U)));
        link.changes.clear();
        link.run(600s);
        CHECK(link.changes.empty());
    }
}

TEST_CASE("loss, delay, reordering and duplicates: up again whenever the network lets them") {
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        CAPTURE(seed);
        Link link(seed, {}, Timing{Interval{50000}, Interval{50000}, 3});
        link.loss_percent = static_cast<int>(seed % 40);
        link.repeat_percent = static_cast<int>(seed % 30);
        link.delay = std::chrono::milliseconds(seed % 7 * 20);
        link.run(60s);
        link.loss_percent = 100;
        link.run(4s); // while not Up the slow timers make it 3 s and the delay
        CHECK(link.state(0) == State::Down);
        CHECK(link.state(1) == State::Down);
        link.loss_percent = 0;
        link.delay = 5ms;
        link.run(10s);
        CHECK(link.state(0) == State::Up);
        CHECK(link.state(1) == State::Up);
        link.changes.clear();
        link.run(60s);
        CHECK(link.changes.empty());
    }
}

TEST_CASE("a silent peer is noticed within the detection time, not before") {
    Link link(1,
              Timing{Interval{50000}, Interval{50000}, 3},
              Timing{Interval{50000}, Interval{50000}, 3});
    link.run(10s);
    link.changes.clear();
    link.loss_percent = 100;
    link.run(100ms);
    CHECK(link.changes.empty());
    link.run(50ms);
    REQUIRE(link.changes.size() == 2);
    CHECK(link.changes[0].diagnostic == Diagnostic::DetectionTimeExpired);
    CHECK(link.changes[0].silence == 150ms);
}

TEST_CASE("AdminDown of one side takes the other down with diagnostic 3, and says why") {
    Link link(1, {}, {});
    link.run(10s);
    link.changes.clear();
    const auto outcome = link.engines[0].remove(1, link.now);
    const auto change = link.engines[1].receive(
        bfd::encode(*outcome.step.send), {Link::address(0), 2, 255, false, link.now}, link.now);
    REQUIRE(change.step.change);
    CHECK(change.step.change->to == State::Down);
    CHECK(change.step.change->diagnostic == Diagnostic::NeighborSignaledDown);
    CHECK(change.step.change->is_peer_admin_down);
}
