// SPDX-License-Identifier: Apache-2.0
// By which nodes know one another: the large community ASN:1:router_id on every route.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "bgp/session/peer.hpp"

namespace anyvip::cmd {

/// Who announced a path: (AS number, BGP identifier).
using Mark = std::pair<std::uint32_t, std::uint32_t>;

[[nodiscard]] Mark mark_of(const bgp::Speaker& speaker);

/// `selves`: as whom routers know us. Only a mark of an AS that is in the path, or of ours on iBGP,
/// is one: others use such numbers too.
[[nodiscard]] std::vector<Mark> marks_of(const bgp::ObservedPath& path,
                                         std::span<const bgp::Speaker> selves);

[[nodiscard]] bool is_ours(const Mark& mark, std::span<const bgp::Speaker> selves);

} // namespace anyvip::cmd
