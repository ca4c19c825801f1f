// SPDX-License-Identifier: Apache-2.0
// Seeds that once failed, and what they found. They stay for ever.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace anyvip::sim {

struct Regression {
    std::uint64_t seed;
    std::string_view what;
};

inline constexpr std::array regressions{
    // While the kernel was slow to put a stolen address back, a session came up and was told of
    // the route; only sessions that have it already may keep it meanwhile.
    Regression{420, "no new announcement while an address is being put back"},
    // A VIP that had gone down a moment before was removed by a reload, and its address with it,
    // though the router had not taken in the withdraw yet.
    Regression{460, "a removed VIP that is already withdrawn keeps its address for its traffic"},
};

} // namespace anyvip::sim
