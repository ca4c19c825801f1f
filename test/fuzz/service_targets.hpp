// SPDX-License-Identifier: Apache-2.0
// What must hold for any octets that a service answers. Called by the fuzzers, and by the unit
// tests with the corpus and with mutations.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string_view>

#include "health/probe/dns_message.hpp"
#include "health/probe/haproxy_stats.hpp"

namespace anyvip::health::fuzz {

using Octets = std::span<const std::uint8_t>;

inline void require(bool holds, const char* what) {
    if (!holds) {
        std::fprintf(stderr, "does not hold: %s\n", what);
        std::abort();
    }
}

inline std::string_view text_of(Octets octets) {
    return {reinterpret_cast<const char*>(octets.data()), octets.size()};
}

/// An answer to the question for www.example.org's address.
inline void dns_answer(Octets input) {
    static const std::string query =
        *encode_dns_query({.id = 0x1234, .name = "www.example.org", .qtype = "A"});
    const std::string_view message = text_of(input);
    if (!is_dns_answer_to(query, message)) {
        return;
    }
    const auto answer = parse_dns_answer(query, message);
    if (!answer) {
        require(!answer.error().empty(), "a refusal says why");
        return;
    }
    require(!answer->rcode.empty(), "there is always an rcode");
    require(answer->records.size() <= 64, "records are bounded");
    for (const std::string& record : answer->records) {
        // Hexadecimal is twice as long; every octet may be a string of its own, in quotes.
        require(record.size() <= 4 * message.size() + 1024, "and so is each of them");
    }
}

/// An answer to `show stat`.
inline void haproxy_answer(Octets input) {
    const std::string_view answer = text_of(input);
    const auto backends = parse_haproxy_stats(answer);
    require(!backends || answer.starts_with("# "), "there is a header");
    if (!backends) {
        return;
    }
    std::size_t servers = 0;
    for (const auto& [name, count] : *backends) {
        require(count.up <= count.all && count.all > 0, "no more are up than there are");
        servers += count.all;
    }
    std::size_t lines = 0;
    for (const char octet : answer) {
        lines += octet == '\n' ? 1U : 0U;
    }
    require(servers <= lines, "a server has a line");
    require(!is_whole_haproxy_answer(answer) || lines >= 2, "what is whole has an end");
}

} // namespace anyvip::health::fuzz
