// SPDX-License-Identifier: Apache-2.0
// The ranges of keys become a binary tree of comparisons. Conditional jumps reach 255 instructions,
// so a branch to the right subtree goes through an unconditional one.
#include "vip/kernel/packet_filter.hpp"

#include <algorithm>
#include <cstdint>
#include <span>

#include <linux/if_packet.h>
#include <net/if_arp.h>

namespace anyvip::vip::kernel {

namespace {

using Program = std::vector<sock_filter>;

struct Range {
    std::uint32_t first = 0;
    std::uint32_t last = 0;
};

constexpr std::uint32_t snap_octets = 40; // an IPv6 header; the IPv4 destination lies within too
constexpr std::uint32_t ancillary = static_cast<std::uint32_t>(SKF_AD_OFF);

constexpr sock_filter statement(int code, std::uint32_t k) {
    return {.code = static_cast<std::uint16_t>(code), .jt = 0, .jf = 0, .k = k};
}

constexpr sock_filter jump(int code, std::uint32_t k, std::uint8_t if_true, std::uint8_t if_false) {
    return {.code = static_cast<std::uint16_t>(BPF_JMP | code | BPF_K),
            .jt = if_true,
            .jf = if_false,
            .k = k};
}

constexpr sock_filter accept = statement(BPF_RET | BPF_K, snap_octets);
constexpr sock_filter reject = statement(BPF_RET | BPF_K, 0);

std::uint32_t key_of(const IpAddress& address) {
    std::uint32_t key = 0;
    const auto octets = address.octets();
    for (std::size_t i = 0; i < octets.size(); ++i) {
        key ^= std::uint32_t{octets[i]} << (24 - 8 * (i % 4));
    }
    return key;
}

/// Sorted, not adjacent, at most `max_filter_ranges`.
std::vector<Range> ranges_of(Family family, const std::vector<IpAddress>& addresses) {
    std::vector<std::uint32_t> keys;
    for (const IpAddress& address : addresses) {
        if (address.family() == family) {
            keys.push_back(key_of(address));
        }
    }
    std::ranges::sort(keys);
    std::vector<std::uint32_t> gaps;
    for (std::size_t i = 1; i < keys.size(); ++i) {
        gaps.push_back(keys[i] - keys[i - 1]);
    }
    // Only gaps wider than this one part two ranges.
    std::uint32_t joined_gap = 1;
    if (gaps.size() >= max_filter_ranges) {
        const auto nth = gaps.end() - static_cast<std::ptrdiff_t>(max_filter_ranges);
        std::ranges::nth_element(gaps, nth);
        joined_gap = std::max(joined_gap, *nth);
    }
    std::vector<Range> ranges;
    for (const std::uint32_t key : keys) {
        if (!ranges.empty() && key - ranges.back().last <= joined_gap) {
            ranges.back().last = key;
        } else {
            ranges.push_back({key, key});
        }
    }
    return ranges;
}

void append_tree(Program& program, std::span<const Range> ranges) {
    if (ranges.size() == 1) {
        program.push_back(jump(BPF_JGE, ranges[0].first, 0, 2));
        program.push_back(jump(BPF_JGT, ranges[0].last, 1, 0));
        program.push_back(accept);
        program.push_back(reject);
        return;
    }
    const auto left = ranges.first(ranges.size() / 2);
    const auto right = ranges.subspan(left.size());
    program.push_back(jump(BPF_JGE, right.front().first, 0, 1));
    const std::size_t to_right = program.size();
    program.push_back(statement(BPF_JMP | BPF_JA, 0));
    append_tree(program, left);
    program[to_right].k = static_cast<std::uint32_t>(program.size() - to_right - 1);
    append_tree(program, right);
}

/// The key of the packet's destination into the accumulator.
void append_key(Program& program, Family family) {
    constexpr std::uint32_t v4_destination = 16;
    constexpr std::uint32_t v6_destination = 24;
    if (family == Family::Ipv4) {
        program.push_back(statement(BPF_LD | BPF_W | BPF_ABS, v4_destination));
        return;
    }
    program.push_back(statement(BPF_LD | BPF_W | BPF_ABS, v6_destination));
    for (std::uint32_t word = 1; word < 4; ++word) {
        program.push_back(statement(BPF_MISC | BPF_TAX, 0));
        program.push_back(statement(BPF_LD | BPF_W | BPF_ABS, v6_destination + 4 * word));
        program.push_back(statement(BPF_ALU | BPF_XOR | BPF_X, 0));
    }
}

} // namespace

std::vector<sock_filter> packet_filter(Family family, const std::vector<IpAddress>& addresses) {
    const std::vector<Range> ranges = ranges_of(family, addresses);
    if (ranges.empty()) {
        return {reject};
    }
    Program program = {
        statement(BPF_LD | BPF_B | BPF_ABS, ancillary + SKF_AD_PKTTYPE),
        jump(BPF_JEQ, PACKET_HOST, 1, 0),
        reject,
        statement(BPF_LD | BPF_H | BPF_ABS, ancillary + SKF_AD_HATYPE),
        jump(BPF_JEQ, ARPHRD_LOOPBACK, 0, 1),
        reject,
    };
    append_key(program, family);
    append_tree(program, ranges);
    return program;
}

} // namespace anyvip::vip::kernel
