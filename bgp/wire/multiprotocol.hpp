// SPDX-License-Identifier: Apache-2.0
// MP_REACH_NLRI and MP_UNREACH_NLRI as received (RFC 4760, RFC 2545, RFC 8950, RFC 7606 §7.11).
#pragma once

#include <optional>
#include <string_view>

#include "bgp/wire/attribute.hpp"
#include "bgp/wire/update_judge.hpp"

namespace anyvip::bgp::wire {

/// Values of at least 5 and 3 octets.
void read_mp_reach(UpdateJudge& judge, const Attribute& attribute);
void read_mp_unreach(UpdateJudge& judge, const Attribute& attribute);

/// One of both whose flags or length are wrong. Without AFI and SAFI there is no family to disable,
/// and the session is reset (RFC 4760 §7).
void multiprotocol_header_fault(UpdateJudge& judge,
                                const Attribute& attribute,
                                std::string_view detail);

/// AFI and SAFI of one of both, however little else of it is there.
[[nodiscard]] std::optional<AfiSafi> family_of(const Attribute& attribute);

} // namespace anyvip::bgp::wire
