// SPDX-License-Identifier: Apache-2.0
// Whole states: BFD, and one that an earlier version has written.
#include "cmd/daemon/takeover.hpp"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include "bgp/bfd/engine.hpp"
#include "cmd/daemon/wall_time.hpp"
#include "cmd/handover/envelope.hpp"
#include "cmd/handover/loader.hpp"
#include "cmd/handover/saver.hpp"
#include "test/support/later_saver.hpp"
#include "test/support/source_tree.hpp"

using namespace anyvip;
using namespace anyvip::cmd;
using namespace std::chrono_literals;
namespace bfd = bgp::bfd;
using handover::Loader;
using handover::Saver;

namespace {

template <class T> std::vector<std::uint8_t> saved(T& object) {
    Saver saver;
    object.transfer(saver);
    CHECK(saver.is_in_order());
    return {saver.fields().begin(), saver.fields().end()};
}

std::vector<std::uint8_t> read_vector(const std::string& kind = {}) {
    const std::string text = read_source("test/vectors/upgrade-0.1.0" + kind + ".state");
    return {text.begin(), text.end()};
}

using Octets = std::vector<std::uint8_t>;

/// The fields of both parts of a file.
std::pair<Octets, Octets> parts_of(const Octets& file) {
    const auto length = handover::sealed_octets(file);
    REQUIRE(length.has_value());
    const auto first = handover::open(std::span(file).first(*length));
    const auto second = handover::open(std::span(file).subspan(*length));
    REQUIRE(first.has_value());
    REQUIRE(second.has_value());
    return {{first->begin(), first->end()}, {second->begin(), second->end()}};
}

Octets joined(const Octets& first, const Octets& second) {
    Octets file = handover::seal(first);
    const Octets last = handover::seal(second);
    file.insert(file.end(), last.begin(), last.end());
    return file;
}

/// One session that is Up, and one that waits for its peer.
bfd::Engine example(Instant now) {
    bfd::Engine engine(7);
    const bfd::Timing fast{bfd::Interval{50000}, bfd::Interval{50000}, 3};
    REQUIRE(engine.add({1, {IpAddress::v4(0x0A000001), 3, false}, 0, fast, 77}, now));
    REQUIRE(engine.add({2, {IpAddress::v4(0x0A000002), 0, true}, 4, fast, 78}, now));
    bfd::Packet packet;
    packet.state = bfd::State::Init;
    packet.multiplier = 3;
    packet.my_discriminator = 99;
    packet.your_discriminator = 77;
    packet.desired_min_tx = bfd::Interval{50000};
    packet.required_min_rx = bfd::Interval{50000};
    const bfd::Arrival arrival{IpAddress::v4(0x0A000001), 3, 255, false, now};
    CHECK(engine.receive(bfd::encode(packet), arrival, now).step.change.has_value());
    while (engine.tick(now)) {
    }
    return engine;
}

} // namespace

TEST_CASE("BFD sessions go over with discriminators, timers and schedule") {
    const Instant now(1000h);
    bfd::Engine before = example(now);
    const std::vector<std::uint8_t> state = saved(before);
    bfd::Engine after(8);
    Loader loader(state, Loader::Files::Inherited);
    after.transfer(loader);
    REQUIRE(loader.problem() == "");
    CHECK(saved(after) == state);
    CHECK(after.next_deadline() == before.next_deadline());
    CHECK(after.discriminators() == before.discriminators());
    REQUIRE(after.find(1) != nullptr);
    CHECK(after.find(1)->state() == bfd::State::Up);
    // The same things happen at the same times, the silence of the peer included.
    for (Instant at = now; at < now + 2s; at += 1ms) {
        auto one = before.tick(at);
        auto two = after.tick(at);
        REQUIRE(one.has_value() == two.has_value());
        if (one) {
            CHECK(one->session == two->session);
            CHECK(one->step.send == two->step.send);
            CHECK(one->step.change == two->step.change);
        }
    }
    CHECK(after.find(1)->state() == bfd::State::Down);
}

TEST_CASE("an extra packet before a pause moves the schedule, and only of sessions that are Up") {
    const Instant now(1000h);
    bfd::Engine engine = example(now);
    const auto refreshed = engine.refresh(1, now + 30ms);
    REQUIRE(refreshed.step.send.has_value());
    CHECK(refreshed.step.send->state == bfd::State::Up);
    CHECK_FALSE(engine.refresh(2, now + 30ms).step.send.has_value());
    CHECK(engine.refresh(3, now).session == 0);
    CHECK_FALSE(engine.tick(now + 30ms + 37ms).has_value());
}

TEST_CASE("damaged BFD state does no harm") {
    const Instant now(1000h);
    bfd::Engine before = example(now);
    std::vector<std::uint8_t> state = saved(before);
    const auto try_it = [&](std::span<const std::uint8_t> octets) {
        bfd::Engine engine(8);
        Loader loader(octets, Loader::Files::Inherited);
        engine.transfer(loader);
        if (!loader.is_bad()) {
            std::ignore = engine.next_deadline();
            for (int i = 0; i < 4; ++i) {
                std::ignore = engine.tick(now + i * 100ms);
            }
        }
    };
    for (std::size_t size = 0; size < state.size(); ++size) {
        try_it(std::span(state).first(size));
    }
    for (std::size_t bit = 0; bit < state.size() * 8; ++bit) {
        state[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
        try_it(state);
        state[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    }
}

TEST_CASE("the state that version 0.1.0 wrote is understood") {
    const auto file = read_vector();
    auto restored = restore_state(file);
    REQUIRE_MESSAGE(restored.has_value(), restored.error());
    CHECK(restored->shell.version == "0.1.0");
    Agent& agent = *restored->agent;
    const auto peer = agent.peer("tor");
    REQUIRE(peer.has_value());
    CHECK(peer->peer->is_established());
    CHECK(peer->bfd == BfdState::Up);
    CHECK(peer->peer->advertised(*Prefix::parse("203.0.113.10/32")) != nullptr);
    CHECK(peer->peer->advertised(*Prefix::parse("2001:db8:ffff::10/128")) != nullptr);
    REQUIRE(agent.vip("www").has_value());
    CHECK(agent.vip("www")->state == vip::VipState::Announced);
    CHECK(restored->shell.events.events.size() > 3);
    CHECK(restored->shell.bfd.size() == 1);
    // And what this version makes of it, it understands, too.
    CHECK(restored->shell.names.empty());
    restored->shell.names = {{"db.internal.example", {"10.0.0.5", "2001:db8::5"}, Instant(7h)}};
    SavedState again = save_state(restored->shell, agent);
    const SavedState bfd = save_bfd(restored->bfd.get());
    again.file.insert(again.file.end(), bfd.file.begin(), bfd.file.end());
    auto twice = restore_state(again.file);
    REQUIRE_MESSAGE(twice.has_value(), twice.error());
    CHECK(twice->agent->peer("tor")->peer->is_established());
    REQUIRE(twice->shell.names.size() == 1);
    CHECK(twice->shell.names[0].host == "db.internal.example");
    CHECK(twice->shell.names[0].addresses == restored->shell.names[0].addresses);
    CHECK(twice->shell.names[0].looked_up == Instant(7h));
}

namespace {

/// A whole state, as this version writes it or as a later one may.
template <class AnySaver> Octets written_by(Takeover& state) {
    AnySaver first;
    first.field(StateTags::shell, state.shell);
    first.field(StateTags::agent, *state.agent);
    AnySaver second;
    second.field(StateTags::bfd, *state.bfd);
    return joined({first.fields().begin(), first.fields().end()},
                  {second.fields().begin(), second.fields().end()});
}

/// What a program that has read this state would hand over itself.
Octets read_and_written(const Octets& file) {
    auto restored = restore_state(file);
    REQUIRE_MESSAGE(restored.has_value(), restored.error());
    Saver saver;
    saver.field(StateTags::shell, restored->shell);
    CHECK(saver.is_in_order());
    return written_by<Saver>(*restored);
}

} // namespace

// A drain with its client, hooks, an address that is held down, a default route, an unnumbered peer
// and a listener with a key.
TEST_CASE("the state that version 0.1.0 wrote in the midst of everything is understood") {
    auto restored = restore_state(read_vector("-rich"));
    REQUIRE_MESSAGE(restored.has_value(), restored.error());
    Agent& agent = *restored->agent;
    HandedOver& shell = restored->shell;
    REQUIRE(agent.vip("www").has_value());
    CHECK(agent.vip("www")->state == vip::VipState::Draining);
    CHECK(agent.vip("api")->state == vip::VipState::Withdrawn);
    CHECK(agent.peer("tor")->peer->is_established());
    CHECK(agent.peer("bare")->peer->is_established());
    CHECK(agent.default_routes_present().size() == 2); // one a family
    CHECK(shell.upgrades == 1);
    CHECK(shell.api.drain_waiters.size() == 1);
    CHECK(shell.hooks.size() == 4); // of twelve eight run
    CHECK(std::ranges::count(shell.orphans, true, &OrphanHandedOver::is_hook) == 8);
    CHECK(std::ranges::any_of(shell.peers.peers, [](const PeerSockets& peer) {
        return peer.learnt.has_value() && !peer.heard.empty();
    }));
    CHECK(std::ranges::any_of(shell.peers.listeners, [](const bgp::net::OpenListener& listener) {
        return !listener.keys.empty();
    }));
    const Octets plain = read_and_written(written_by<Saver>(*restored));
    CHECK(read_and_written(written_by<test::LaterSaver>(*restored)) == plain);
}

TEST_CASE("a later version may have more fields in any object of the whole state") {
    auto state = restore_state(read_vector());
    REQUIRE(state.has_value());
    const Octets plain = written_by<Saver>(*state);
    const Octets later = written_by<test::LaterSaver>(*state);
    REQUIRE(later.size() > 2 * plain.size());
    CHECK(read_and_written(later) == read_and_written(plain));
}

namespace {

/// Nothing but itself.
Agent bare_agent() {
    Config config;
    config.node.asn = bgp::Asn{65010};
    config.node.router_id = bgp::RouterId{0x0A00000B};
    config.node.name = "lb-a";
    return Agent(config, vip::DrainState{}, 7, read_clocks());
}

} // namespace

TEST_CASE("an open file that is handed over in a field of a later version is closed") {
    HandedOver shell;
    shell.config_text = "[node]\nasn = 65010\n";
    shell.asn = 65010;
    shell.router_id = 0x0A00000B;
    shell.node_name = "lb-a";
    shell.control = "/run/anyvip/control.sock";
    Agent agent = bare_agent();
    // Numbers that nothing else gets in the meantime; `known` is the control socket.
    const int known = ::fcntl(STDIN_FILENO, F_DUPFD, 900);
    int unknown = ::fcntl(STDIN_FILENO, F_DUPFD, 910);
    REQUIRE(known >= 900);
    REQUIRE(unknown >= 910);
    shell.api.control = known;
    Saver saver;
    saver.field(StateTags::shell, shell);
    saver.field(StateTags::agent, agent);
    std::vector<int> descriptors{known, unknown};
    saver.field(StateTags::descriptors, descriptors);
    saver.descriptor(200, unknown);
    const SavedState bfd = save_bfd(nullptr);
    Octets file = handover::seal(saver.fields());
    file.insert(file.end(), bfd.file.begin(), bfd.file.end());
    bgp::net::FileDescriptor memory(::memfd_create("state", MFD_CLOEXEC));
    REQUIRE(::write(memory.get(), file.data(), file.size()) == static_cast<ssize_t>(file.size()));
    const int number = memory.get();
    const auto restored = take_over(std::move(memory));
    REQUIRE_MESSAGE(restored.has_value(), restored.error());
    CHECK(restored->shell.api.control == known);
    CHECK(::fcntl(known, F_GETFD) == FD_CLOEXEC);
    CHECK(::fcntl(unknown, F_GETFD) == -1);
    CHECK(::fcntl(number, F_GETFD) == -1);
    ::close(known);
}

TEST_CASE("the descriptors of a part stand in it as a list") {
    HandedOver shell;
    shell.api.control = 17;
    shell.api.http = 18;
    Agent agent = bare_agent();
    const SavedState saved = save_state(shell, agent);
    const auto fields = handover::open(saved.file);
    REQUIRE(fields.has_value());
    Loader loader(*fields, Loader::Files::Absent);
    std::vector<int> descriptors;
    loader.field(StateTags::descriptors, descriptors);
    CHECK(descriptors == std::vector{17, 18});
    CHECK(saved.descriptors == descriptors);
}

TEST_CASE("a newer state with parts that are not known here is understood") {
    const auto [first, second] = parts_of(read_vector());
    std::vector<std::uint8_t> newer = first;
    newer.insert(newer.end(), {200, 3, 0, 0, 0, 'n', 'e', 'w'});
    REQUIRE(restore_state(joined(newer, second)).has_value());
}

TEST_CASE("a whole state that is damaged behind its checksums does no harm") {
    auto [first, second] = parts_of(read_vector());
    for (std::vector<std::uint8_t>* part : {&first, &second}) {
        for (std::size_t at = 0; at < part->size(); at += 7) {
            (*part)[at] ^= 0xFFU;
            std::ignore = restore_state(joined(first, second));
            (*part)[at] ^= 0xFFU;
        }
    }
    const std::vector<std::uint8_t> whole = joined(first, second);
    REQUIRE(restore_state(whole).has_value());
    for (std::size_t size = 0; size < whole.size(); size += 97) {
        CHECK_FALSE(restore_state(std::span(whole).first(size)).has_value());
    }
}
