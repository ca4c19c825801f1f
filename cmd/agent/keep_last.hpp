// SPDX-License-Identifier: Apache-2.0
// Does another node announce this prefix? From the paths that routers show us (CONTRACT section 3).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "bgp/session/peer.hpp"
#include "vip/config.hpp"

namespace anyvip::cmd {

enum class Others : std::uint8_t {
    Unknown,
    None,    ///< known: ADD-PATH, End-of-RIB, our own path shown and no other
    Leaving, ///< other nodes are seen, and all of them drain
    Seen,
};
[[nodiscard]] std::string_view to_string(Others others);

struct OthersView {
    Others others = Others::Unknown;
    bool has_lowest_mark = false; ///< Leaving: ours is below the marks of all that are seen
};

/// What one router shows of one prefix.
struct PathFacts {
    const std::map<std::uint32_t, bgp::ObservedPath>* paths = nullptr; ///< nullptr: none
    bool has_add_path = false;
    bool has_end_of_rib = false;
    std::vector<IpAddress> own_addresses;    ///< next hops that are ours
    std::vector<IpAddress> router_addresses; ///< or the router's own
};

/// `selves`: as whom routers know us, this one first; they differ while a reload with another AS
/// number resets one session after the other.
[[nodiscard]] OthersView judge_paths(const PathFacts& facts,
                                     std::span<const bgp::Speaker> selves,
                                     const vip::VipConfig& config);

/// All routers together.
[[nodiscard]] OthersView others_of(const Prefix& prefix,
                                   const std::vector<const bgp::Peer*>& peers,
                                   const vip::VipConfig& config);

} // namespace anyvip::cmd
