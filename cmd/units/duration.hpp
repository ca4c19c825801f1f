// SPDX-License-Identifier: Apache-2.0
// Durations as text with a unit, the same in the configuration, on the command line and in the API.
// Header only, so that the command need not link the TOML parser for it.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace anyvip::cmd {

struct DurationUnit {
    std::string_view name;
    std::chrono::microseconds length;
};

/// Smallest first.
inline constexpr std::array<DurationUnit, 6> duration_units{{
    {"us", std::chrono::microseconds(1)},
    {"ms", std::chrono::milliseconds(1)},
    {"s", std::chrono::seconds(1)},
    {"m", std::chrono::minutes(1)},
    {"h", std::chrono::hours(1)},
    {"d", std::chrono::days(1)},
}};

/// The longest duration that is accepted: beyond it is a mistake, and sums of these never overflow.
inline constexpr std::chrono::microseconds longest_duration = std::chrono::days(3660);

/// A whole number and a unit: "50us", "300ms", "3s", "5m", "1h", "2d"; at most ten years. The error
/// says what is wrong.
[[nodiscard]] inline std::expected<std::chrono::microseconds, std::string>
parse_duration(std::string_view text) {
    const auto wrong = [&](std::string_view what) {
        return std::unexpected('"' + std::string(text) + "\" " + std::string(what));
    };
    const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
    if (digits == 0) {
        return wrong(R"(is not a duration; write a number and a unit, such as "300ms" or "3s")");
    }
    if (digits == text.size()) {
        return wrong(R"(has no unit; write for example "300ms", "3s", "5m" or "1h")");
    }
    std::uint64_t count = 0;
    for (const char digit : text.substr(0, digits)) {
        count = count * 10 + static_cast<std::uint64_t>(digit - '0');
        if (count > static_cast<std::uint64_t>(longest_duration.count())) {
            return wrong("is longer than ten years");
        }
    }
    const std::string_view name = text.substr(digits);
    for (const DurationUnit& unit : duration_units) {
        if (unit.name != name) {
            continue;
        }
        const auto length = static_cast<std::uint64_t>(unit.length.count());
        if (count > static_cast<std::uint64_t>(longest_duration.count()) / length) {
            return wrong("is longer than ten years");
        }
        return std::chrono::microseconds(count * length);
    }
    return wrong(R"(is not a whole number with one of the units ms, s, m, h, d)");
}

/// With the greatest unit that leaves a whole number, days excepted: "1500ms", "0s", "48h".
[[nodiscard]] inline std::string format_duration(std::chrono::microseconds duration) {
    if (duration == duration.zero()) {
        return "0s";
    }
    DurationUnit chosen = duration_units.front();
    for (const DurationUnit& unit : duration_units) {
        if (unit.length <= std::chrono::hours(1) && duration % unit.length == duration.zero()) {
            chosen = unit;
        }
    }
    return std::to_string(duration / chosen.length) + std::string(chosen.name);
}

} // namespace anyvip::cmd
