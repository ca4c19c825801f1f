// SPDX-License-Identifier: Apache-2.0
// TCP MD5, TCP-AO and GTSM drop segments without an answer (RFC 2385 §4.1, RFC 5082 §3): what an
// operator sees is a timeout. The kernel's counters tell which it was.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "bgp/net/net_config.hpp"

namespace anyvip::bgp::net {

/// Counters of this network namespace; a counter that the kernel lacks stays 0.
struct SilentDrops {
    std::uint64_t md5_not_found = 0;  ///< a signature was expected, the segment had none
    std::uint64_t md5_unexpected = 0; ///< the segment was signed, no key is configured for it
    std::uint64_t md5_failure = 0;    ///< the signature was wrong
    std::uint64_t ttl_too_low = 0;    ///< GTSM
    std::uint64_t ao_not_good = 0;    ///< TCP-AO: missing, unknown or wrong

    friend bool operator==(const SilentDrops&, const SilentDrops&) = default;
};

/// From the text of /proc/net/netstat.
[[nodiscard]] SilentDrops parse_silent_drops(std::string_view netstat);

/// Of this network namespace now; all zero when /proc is not there.
[[nodiscard]] SilentDrops read_silent_drops();

/// What may have kept an attempt between the two readings without an answer; empty when the
/// configuration has nothing that drops in silence and the counters have not moved.
[[nodiscard]] std::string
silent_drop_hint(const SilentDrops& before, const SilentDrops& after, const NetConfig& config);

} // namespace anyvip::bgp::net
