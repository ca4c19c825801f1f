// SPDX-License-Identifier: Apache-2.0
// One path attribute as it lies in an UPDATE, not yet judged.
#pragma once

#include <cstdint>
#include <span>

#include "bgp/wire/registry.hpp"

namespace anyvip::bgp::wire {

/// Spans point into the message.
//
// +-------+------+---------------+------ … ------+
// | flags | type | length, 1 | 2 | value         |
// +-------+------+---------------+------ … ------+
struct Attribute {
    std::uint8_t flags = 0;
    std::uint8_t type = 0;
    std::span<const std::uint8_t> value;
    std::span<const std::uint8_t> whole; ///< flags, type, length and value: NOTIFICATION data

    [[nodiscard]] constexpr bool is(AttributeType other) const {
        return type == static_cast<std::uint8_t>(other);
    }
};

} // namespace anyvip::bgp::wire
