// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <algorithm>

#include "test/unit/bgp/bfd/support.hpp"

using namespace anyvip;
using namespace anyvip::test;
using bfd::Diagnostic;
using bfd::Drop;
using bfd::Interval;
using bfd::Packet;
using bfd::State;

namespace {

constexpr std::string_view good = R"(
    21           # version 1, diagnostic 1
    f8           # Up, P, F, C
    03           # multiplier
    18           # length 24
    00 00 00 07  # my discriminator
    01 02 03 04  # your discriminator
    00 04 93 e0  # desired min TX 300 ms
    00 00 c3 50  # required min RX 50 ms
    00 00 00 01  # required min echo RX
)";

std::vector<std::uint8_t> with(std::size_t at, std::uint8_t value) {
    auto packet = octets(good);
    packet.at(at) = value;
    return packet;
}

} // namespace

TEST_CASE("RFC 5880 §4.1: every field is where the drawing has it, in both directions") {
    Packet packet;
    packet.diagnostic = Diagnostic::DetectionTimeExpired;
    packet.state = State::Up;
    packet.poll = true;
    packet.final = true;
    packet.control_plane_independent = true;
    packet.multiplier = 3;
    packet.my_discriminator = 7;
    packet.your_discriminator = 0x01020304;
    packet.desired_min_tx = Interval{300000};
    packet.required_min_rx = Interval{50000};
    packet.required_min_echo_rx = Interval{1};
    CHECK(bfd::decode(octets(good)) == packet);
    CHECK(std::ranges::equal(bfd::encode(packet), octets(good)));
}

TEST_CASE("RFC 5880 §6.8.6: the checks that need no session, each with its reason") {
    struct Row {
        std::string_view what;
        std::vector<std::uint8_t> payload;
        Drop reason;
    };

    auto cut = octets(good);
    cut.pop_back();
    const std::vector<Row> rows{
        {"version 0", with(0, 0x01), Drop::Version},
        {"version 2", with(0, 0x41), Drop::Version},
        {"empty", {}, Drop::Length},
        {"one octet less than a packet", cut, Drop::Length},
        {"length 23", with(3, 23), Drop::Length},
        {"length beyond the payload", with(3, 25), Drop::Length},
        {"length 24 with the authentication bit", with(1, 0xC4), Drop::Length},
        {"multiplier 0", with(2, 0), Drop::Multiplier},
        {"multipoint", with(1, 0xC1), Drop::Multipoint},
        {"my discriminator 0", with(7, 0), Drop::MyDiscriminator},
    };
    for (const Row& row : rows) {
        CAPTURE(row.what);
        const auto packet = bfd::decode(row.payload);
        REQUIRE_FALSE(packet);
        CHECK(packet.error() == row.reason);
    }
}

TEST_CASE("RFC 5880 §6.8.6: the earlier check wins") {
    auto packet = with(0, 0x01);
    packet.at(2) = 0;
    packet.at(3) = 3;
    CHECK(bfd::decode(packet).error() == Drop::Version);
    packet.at(0) = 0x21;
    CHECK(bfd::decode(packet).error() == Drop::Length);
    packet.at(3) = 24;
    packet.at(1) |= 1;
    CHECK(bfd::decode(packet).error() == Drop::Multiplier);
}

TEST_CASE("RFC 5880 §6.8.6: octets behind the packet are ignored") {
    auto packet = octets(good);
    packet.insert(packet.end(), 8, 0xFF);
    CHECK(bfd::decode(packet) == bfd::decode(octets(good)));
}

TEST_CASE("RFC 5880 §4.1: a diagnostic without a name is kept and has a text") {
    const auto packet = bfd::decode(with(0, 0x3F));
    REQUIRE(packet);
    CHECK(bfd::to_string(packet->diagnostic) == "unknown diagnostic");
}
