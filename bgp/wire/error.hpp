// SPDX-License-Identifier: Apache-2.0
// What is wrong with a received message: the NOTIFICATION it deserves and how hard to react (RFC
// 7606).
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace anyvip::bgp::wire {

/// Ordered by strength, the strongest of several errors decides (RFC 7606 §3 h).
enum class Severity : std::uint8_t { None, Discard, TreatAsWithdraw, AfiSafiDisable, Reset };

/// Which rule was broken; one named factory below builds each, so this list is the error catalogue
/// and the list of counters (metrics and `anyvip peers NAME`). Extend freely; every rule needs a
/// line in the bad-input table.
struct Error {
    std::uint8_t code = 0;    ///< NOTIFICATION error code
    std::uint8_t subcode = 0; ///< NOTIFICATION error subcode
    Severity severity = Severity::Reset;
    std::string_view
        rule; ///< static name of the rule, for counters: "attribute-flags", "hold-time"…
    std::vector<std::uint8_t> data; ///< NOTIFICATION data; bounded by the message it came from
    std::string detail;             ///< for the operator, one line
    friend bool operator==(const Error&, const Error&) = default;
};

} // namespace anyvip::bgp::wire
