// SPDX-License-Identifier: Apache-2.0
// Prefixes as they lie in an UPDATE (RFC 4271 §4.3, RFC 7911 §3).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "bgp/types.hpp"
#include "bgp/wire/writer.hpp"

namespace anyvip::bgp::wire {

/// Octets of a prefix without length octet and path identifier.
[[nodiscard]] constexpr std::size_t prefix_octets(std::size_t length_bits) {
    return (length_bits + 7) / 8;
}

/// Octets that `write_prefix` appends.
[[nodiscard]] constexpr std::size_t encoded_octets(const Prefix& prefix) {
    return 1 + prefix_octets(prefix.length_bits());
}

void write_prefix(Writer& writer, const Prefix& prefix);

struct NlriCheck {
    bool is_well_formed = true; ///< every length fits the family, nothing is cut off
    bool has_multicast = false;
};

/// Walks once over all prefixes; linear.
[[nodiscard]] NlriCheck
check_nlri(std::span<const std::uint8_t> octets, Family family, bool add_path);

} // namespace anyvip::bgp::wire
