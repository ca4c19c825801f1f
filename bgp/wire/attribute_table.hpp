// SPDX-License-Identifier: Apache-2.0
// The attribute table: everything that is known of a path attribute type in one row.
#pragma once

#include <cstdint>

#include "bgp/wire/attribute.hpp"
#include "bgp/wire/error.hpp"
#include "bgp/wire/update_judge.hpp"

namespace anyvip::bgp::wire {

/// From whom an attribute is taken at all; from others it is discarded unread.
enum class Scope : std::uint8_t {
    Everybody,
    Internal, ///< internal peers: RFC 7606 §7.5, §7.9, §7.10
    TwoOctet, ///< two-octet speakers: RFC 6793 §4.1
    WithRole, ///< where a role is configured (RFC 9234); unknown elsewhere
};

/// Lengths that an attribute can have.
struct LengthRule {
    std::uint16_t min_octets = 0;
    std::uint16_t max_octets = 0xFFFF;
    std::uint16_t multiple_of = 1;

    [[nodiscard]] constexpr bool allows(std::size_t octets) const {
        return octets >= min_octets && octets <= max_octets && octets % multiple_of == 0;
    }
};

struct AttributeRow {
    AttributeType type;
    std::uint8_t flags; ///< Optional and Transitive as they must be
    Severity on_error;  ///< wrong flags or length (RFC 7606 §7)
    Scope scope;
    LengthRule length;
    /// Judges the value and stores it in the Update; flags, scope and length are right.
    void (*read)(UpdateJudge& judge, const Attribute& attribute);
};

/// Nullptr for a type that is not understood on this session. Constant time.
[[nodiscard]] const AttributeRow* find_row(std::uint8_t type, const DecodeContext& context);

/// Judges one attribute by its row and reads it.
void judge_attribute(UpdateJudge& judge, const AttributeRow& row, const Attribute& attribute);

} // namespace anyvip::bgp::wire
