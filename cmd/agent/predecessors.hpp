// SPDX-License-Identifier: Apache-2.0
// Which peer, check or VIP of a new configuration is one of the old, under whatever name (CONTRACT
// section 5). What a reload does and what it says of it both ask here.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cmd/agent/config.hpp"

namespace anyvip::cmd {

/// For each element of the new list the place of its predecessor in the old one; nullopt: it is
/// new. Nothing is the predecessor of two: the same name counts first, then what else makes two of
/// them the same.
using Predecessors = std::vector<std::optional<std::size_t>>;

/// The same router, whatever its name.
[[nodiscard]] bool is_same_router(const PeerEntry& a, const PeerEntry& b);
[[nodiscard]] Predecessors predecessors(const std::vector<const PeerEntry*>& before,
                                        const std::vector<PeerEntry>& after);

/// Whatever their order; by that a VIP with another name is the same.
[[nodiscard]] bool has_same_addresses(const vip::VipConfig& a, const vip::VipConfig& b);
[[nodiscard]] Predecessors predecessors(const std::vector<const vip::VipConfig*>& before,
                                        const std::vector<vip::VipConfig>& after);

/// The old names, by the new ones, of checks that are otherwise what they were.
[[nodiscard]] std::map<std::string, std::string>
renamed_checks(const std::vector<health::CheckConfig>& before,
               const std::vector<health::CheckConfig>& after);

/// Pointers to all elements, in their order.
template <typename T> [[nodiscard]] std::vector<const T*> pointers_to(const std::vector<T>& all) {
    std::vector<const T*> pointers;
    pointers.reserve(all.size());
    for (const T& element : all) {
        pointers.push_back(&element);
    }
    return pointers;
}

} // namespace anyvip::cmd
