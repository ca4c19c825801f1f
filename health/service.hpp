// SPDX-License-Identifier: Apache-2.0
// From the checks of one VIP to its health: all, any or a number of them (CONTRACT section 3).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "health/check.hpp"

namespace anyvip::health {

/// What a VIP needs to know of one of its checks.
struct Member {
    State state = State::Unknown;
    Scope scope = Scope::Local;
    bool is_demoted = false; ///< Down, but the service itself answers: may only demote
    std::uint32_t weight = 100;
    std::string_view name{};
    std::string_view reason{}; ///< lives as long as the check
};

[[nodiscard]] Member member_of(const Check& check);

/// The conjunction NAME of its instances NAME@ADDRESS: the worst of them, the lowest weight.
/// Without instances: up.
[[nodiscard]] Member conjunction_of(std::string_view name, std::span<const Member> instances);

struct ServiceHealth {
    State state = State::Unknown;
    /// Up, but a shared check (or one that may only demote) fails: announce as backup.
    bool is_demoted = false;
    std::uint32_t weight = 100; ///< the lowest of the local checks that are up
    std::string_view
        in_the_way{};     ///< name of the first check that keeps it from plainly up; or empty
    std::string reason{}; ///< one line: "all checks up", "check web has no verdict yet"
};

/// `require`: how many local checks must be up; 0: all. More than there are means all. Unknown
/// while any local check has no verdict. Shared checks are not counted, and one without a verdict
/// stands in nobody's way. Linear.
[[nodiscard]] ServiceHealth evaluate(std::span<const Member> members, std::uint32_t require);

} // namespace anyvip::health
