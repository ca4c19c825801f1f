// SPDX-License-Identifier: Apache-2.0
// What must hold for any datagrams at any times. Called by the fuzzer, and by the unit tests with
// the corpus and with mutations.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>

#include "bgp/bfd/engine.hpp"

namespace anyvip::bgp::bfd::fuzz {

using Octets = std::span<const std::uint8_t>;

inline void require(bool holds, const char* what) {
    if (!holds) {
        std::fprintf(stderr, "does not hold: %s\n", what);
        std::abort();
    }
}

inline void packet(Octets payload) {
    const auto decoded = decode(payload);
    if (!decoded) {
        return;
    }
    require(decoded->my_discriminator != 0 && decoded->multiplier != 0, "zeroes are refused");
    const auto again = decode(encode(*decoded));
    Packet plain = *decoded;
    plain.authentication = false; // is never sent
    require(again && *again == plain, "decoding what was encoded gives the same packet");
}

inline void outcome(const Outcome& outcome, const Session& session) {
    if (outcome.step.send) {
        require(!(outcome.step.send->poll && outcome.step.send->final), "never Poll and Final");
        require(outcome.step.send->state == session.state(), "the packet tells the state");
        require(!outcome.step.send->demand && outcome.step.send->required_min_echo_rx.count() == 0,
                "neither demand mode nor echo");
        require(session.state() == State::Up ||
                    outcome.step.send->desired_min_tx >= std::chrono::seconds(1),
                "slow while not Up");
    }
    if (outcome.step.change) {
        require(outcome.step.change->to == session.state(), "the change tells the state");
    }
}

/// Records of [pause in units of 16 ms] [arrival] [length] [payload]: an engine with one session
/// lives through them.
inline void life(Octets input) {
    const IpAddress peer = IpAddress::v4(0x0A000001);
    Instant now{std::chrono::hours(1)};
    Engine engine(1);
    require(engine.add({1, {peer, 2, false}, 0, {}, 42}, now), "there is a place");
    const Session& session = *engine.find(1);
    while (input.size() >= 3) {
        const Instant until = now + input[0] * std::chrono::milliseconds(16);
        const unsigned arrival = input[1];
        const std::size_t length = std::min<std::size_t>(input[2], input.size() - 3);
        int ticks = 0;
        while (engine.next_deadline() && *engine.next_deadline() <= until) {
            now = std::max(now, *engine.next_deadline());
            while (const auto due = engine.tick(now)) {
                outcome(*due, session);
                require(++ticks < 100, "a deadline that is met has passed");
            }
        }
        now = until;
        const Octets payload = input.subspan(3, length);
        packet(payload);
        const auto heard =
            engine.receive(payload,
                           {(arrival & 1) != 0 ? IpAddress() : peer,
                            (arrival & 2) != 0 ? 3U : 2U,
                            static_cast<std::uint8_t>((arrival & 4) != 0 ? 254 : 255),
                            (arrival & 8) != 0,
                            now - (arrival >> 4) * std::chrono::milliseconds(8)},
                           now);
        // Who knows our discriminator may speak from another address.
        const bool knows_us = payload.size() >= 12 && payload[8] == 0 && payload[9] == 0 &&
                              payload[10] == 0 && payload[11] == 42;
        const unsigned wrong = arrival & (knows_us ? 14 : 15);
        require(heard.session == 0 || wrong == 0, "only the peer is heard");
        outcome(heard, session);
        input = input.subspan(3 + length);
    }
}

} // namespace anyvip::bgp::bfd::fuzz
