// SPDX-License-Identifier: Apache-2.0
// The programs are run by an interpreter for the few instructions that they use.
#include "vip/kernel/packet_filter.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <random>
#include <set>
#include <span>

#include <doctest/doctest.h>
#include <linux/bpf_common.h>
#include <linux/if_packet.h>
#include <net/if_arp.h>

namespace anyvip::vip::kernel {

namespace {

struct Packet {
    IpAddress destination;
    std::uint32_t packet_type = PACKET_HOST;
    std::uint32_t hardware_type = ARPHRD_ETHER;
};

std::uint32_t load(const Packet& packet, std::uint32_t offset) {
    constexpr auto ancillary = static_cast<std::uint32_t>(SKF_AD_OFF);
    if (offset == ancillary + SKF_AD_PKTTYPE) {
        return packet.packet_type;
    }
    if (offset == ancillary + SKF_AD_HATYPE) {
        return packet.hardware_type;
    }
    const std::size_t start = packet.destination.is_v4() ? 16 : 24;
    REQUIRE(offset >= start);
    const auto word = packet.destination.octets().subspan(offset - start, 4);
    return (std::uint32_t{word[0]} << 24) | (std::uint32_t{word[1]} << 16) |
           (std::uint32_t{word[2]} << 8) | word[3];
}

bool accepts(const std::vector<sock_filter>& program, const Packet& packet) {
    std::uint32_t a = 0;
    std::uint32_t x = 0;
    for (std::size_t i = 0;; ++i) {
        REQUIRE(i < program.size());
        const auto& [code, if_true, if_false, k] = program[i];
        switch (code) {
        case BPF_LD | BPF_W | BPF_ABS:
        case BPF_LD | BPF_H | BPF_ABS:
        case BPF_LD | BPF_B | BPF_ABS:
            a = load(packet, k);
            break;
        case BPF_MISC | 0x00: // BPF_TAX
            x = a;
            break;
        case BPF_ALU | BPF_XOR | BPF_X:
            a ^= x;
            break;
        case BPF_JMP | BPF_JA:
            i += k;
            break;
        case BPF_JMP | BPF_JEQ | BPF_K:
            i += a == k ? if_true : if_false;
            break;
        case BPF_JMP | BPF_JGE | BPF_K:
            i += a >= k ? if_true : if_false;
            break;
        case BPF_JMP | BPF_JGT | BPF_K:
            i += a > k ? if_true : if_false;
            break;
        case BPF_RET | BPF_K:
            return k != 0;
        default:
            FAIL("unexpected instruction");
        }
    }
}

IpAddress nth(Family family, std::uint32_t value) {
    if (family == Family::Ipv4) {
        return IpAddress::v4(value);
    }
    std::array<std::uint8_t, 16> octets{0x20, 0x01, 0x0D, 0xB8};
    const IpAddress low = IpAddress::v4(value);
    std::ranges::copy(low.octets(), octets.begin() + 12);
    return IpAddress::v6(octets);
}

} // namespace

TEST_CASE("every address of the set is let through, whatever the size of the set") {
    std::mt19937 random(1); // NOLINT: the same in every run
    for (const Family family : {Family::Ipv4, Family::Ipv6}) {
        for (const std::size_t size : {1U, 2U, 3U, 10U, 511U, 512U, 513U, 514U, 5000U}) {
            CAPTURE(size);
            std::set<IpAddress> set = {nth(family, 0)};
            while (set.size() < size) {
                set.insert(nth(family, static_cast<std::uint32_t>(random())));
            }
            const std::vector<IpAddress> addresses(set.begin(), set.end());
            const auto program = packet_filter(family, addresses);
            CHECK(program.size() <= BPF_MAXINSNS);
            std::size_t wrong = 0;
            for (const IpAddress& address : addresses) {
                wrong += accepts(program, {address}) ? 0U : 1U;
            }
            CHECK(wrong == 0);
            for (int i = 0; i < 1000 && size <= max_filter_ranges; ++i) {
                const IpAddress other = nth(family, static_cast<std::uint32_t>(random()));
                wrong += accepts(program, {other}) == set.contains(other) ? 0U : 1U;
            }
            CHECK(wrong == 0);
        }
    }
}

TEST_CASE("neighbours of an address and of a range are not let through") {
    const auto program = packet_filter(
        Family::Ipv4, {nth(Family::Ipv4, 10), nth(Family::Ipv4, 11), nth(Family::Ipv4, 20)});
    for (const std::uint32_t outside : {0U, 9U, 12U, 19U, 21U, 0xFFFFFFFFU}) {
        CHECK_FALSE(accepts(program, {nth(Family::Ipv4, outside)}));
    }
    CHECK(accepts(program, {nth(Family::Ipv4, 11)}));
}

TEST_CASE("only packets for this host that come from outside are let through") {
    const IpAddress vip = nth(Family::Ipv4, 10);
    const auto program = packet_filter(Family::Ipv4, {vip});
    CHECK(accepts(program, {vip}));
    CHECK_FALSE(accepts(program, {vip, PACKET_OUTGOING}));
    CHECK_FALSE(accepts(program, {vip, PACKET_OTHERHOST}));
    CHECK_FALSE(accepts(program, {vip, PACKET_HOST, ARPHRD_LOOPBACK}));
}

TEST_CASE("an empty set lets nothing through") {
    const auto program = packet_filter(Family::Ipv6, {nth(Family::Ipv4, 10)});
    CHECK_FALSE(accepts(program, {nth(Family::Ipv6, 10)}));
}

} // namespace anyvip::vip::kernel
