// SPDX-License-Identifier: Apache-2.0
// A [[vip]] and the [drain] table of the configuration, validated (CONTRACT section 2).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bgp/types.hpp"

namespace anyvip::vip {

enum class AddressPolicy : std::uint8_t { Hold, Follow, External };
enum class OnDown : std::uint8_t { Withdraw, Backup };

struct VipConfig {
    std::string name;
    std::vector<Prefix> addresses;
    std::vector<std::string> checks; ///< names; none: always up
    /// How many local checks must be up; 0: all of them. "any" is 1.
    std::uint32_t require = 0;
    std::vector<std::string> peers; ///< names; none: all
    std::string interface = "lo";
    AddressPolicy address_policy = AddressPolicy::Hold;
    OnDown on_down = OnDown::Withdraw;
    std::uint32_t backup_prepend = 5;
    std::optional<std::uint32_t> backup_med;
    std::vector<bgp::Community> communities;
    std::vector<bgp::ExtendedCommunity> extended_communities;
    std::vector<bgp::LargeCommunity> large_communities;
    std::uint32_t prepend = 0;
    std::optional<std::uint32_t> med;
    std::optional<double> bandwidth_bits_per_second;
    std::uint32_t bandwidth_step_percent = 10;
    std::chrono::milliseconds slow_start{0};
    std::chrono::milliseconds hold_down{0};
    bool damping = true;
    friend bool operator==(const VipConfig&, const VipConfig&) = default;
};

enum class KeepLast : std::uint8_t { Auto, Always, Never };

struct DrainConfig {
    std::chrono::milliseconds gshut{1000};
    std::chrono::milliseconds deadline{300000};
    std::chrono::milliseconds idle{5000};
    KeepLast keep_last = KeepLast::Auto;
    friend bool operator==(const DrainConfig&, const DrainConfig&) = default;
};

} // namespace anyvip::vip
