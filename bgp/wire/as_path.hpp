// SPDX-License-Identifier: Apache-2.0
// The segments of AS_PATH and AS4_PATH (RFC 4271 §4.3, RFC 6793 §3).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "bgp/types.hpp"

namespace anyvip::bgp::wire {

/// What one walk over a path finds.
struct PathCheck {
    std::string_view problem; ///< why it is malformed; empty when its structure is right
    bool has_zero = false;
    bool has_set = false;
    bool has_confederation = false;
    std::uint32_t length = 0;     ///< as for path selection: a set counts one (RFC 4271 §9.1.2.2)
    std::optional<Asn> first_asn; ///< leftmost AS of a leading AS_SEQUENCE
};

/// Linear; AS numbers have four or two octets.
[[nodiscard]] PathCheck check_path(std::span<const std::uint8_t> octets, bool four_octet_asn);

} // namespace anyvip::bgp::wire
