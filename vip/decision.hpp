// SPDX-License-Identifier: Apache-2.0
// The one decision: from named conditions to a VIP's state, its reason, its address and its route.
// Nothing else decides.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bgp/route_intent.hpp"
#include "health/check.hpp"
#include "vip/config.hpp"

namespace anyvip::vip {

/// CONTRACT section 3, exactly these.
enum class VipState : std::uint8_t { Starting, Announced, Backup, Withdrawn, Draining, Drained };
[[nodiscard]] std::string_view to_string(VipState state);

/// One line of `explain`: a condition, its value, since when, and whether it stands in the way.
struct Condition {
    std::string name;
    std::string value;
    bool is_met = true;
    Instant since;
    std::string last_event; ///< what changed it last
    std::string remedy;     ///< what would have to change; empty when met
};

// The implementer of vip/ and cmd/agent adds: struct Conditions, struct Decision, Decision
// decide(const Conditions&, const VipConfig&).

} // namespace anyvip::vip
