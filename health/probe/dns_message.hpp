// SPDX-License-Identifier: Apache-2.0
// As much of RFC 1035 as a check needs: one question out, one bounded answer in.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace anyvip::health {

struct DnsQuestion {
    std::uint16_t id = 0;
    std::string_view name;  ///< "example.org", with or without the last dot
    std::string_view qtype; ///< "A", "AAAA", … or "TYPE65"
};

struct DnsAnswer {
    std::string rcode; ///< "NOERROR", "NXDOMAIN", … or "RCODE16"
    bool is_truncated = false;
    /// Data of the answer section's records, as `dig +short` prints it: A, AAAA,
    /// NS, CNAME, PTR, MX, TXT, SOA, SRV, CAA; other types as hexadecimal.
    std::vector<std::string> records;
};

/// The message without TCP's length. The error: what is wrong with name or type.
[[nodiscard]] std::expected<std::string, std::string> encode_dns_query(const DnsQuestion& question);

/// True when this could be the answer to that query: long enough, same id, a response. Everything
/// else that arrives is somebody else's, and is ignored.
[[nodiscard]] bool is_dns_answer_to(std::string_view query, std::string_view message);

/// The error: what is wrong. Names are followed through at most 64 pointers.
[[nodiscard]] std::expected<DnsAnswer, std::string> parse_dns_answer(std::string_view query,
                                                                     std::string_view message);

} // namespace anyvip::health
