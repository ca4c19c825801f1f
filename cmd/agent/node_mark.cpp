// SPDX-License-Identifier: Apache-2.0
#include "cmd/agent/node_mark.hpp"

#include <algorithm>

namespace anyvip::cmd {

Mark mark_of(const bgp::Speaker& speaker) {
    return {speaker.asn.value, speaker.router_id.value};
}

std::vector<Mark> marks_of(const bgp::ObservedPath& path, std::span<const bgp::Speaker> selves) {
    std::vector<Mark> marks;
    for (const bgp::LargeCommunity& community : path.large_communities) {
        const auto is_of_its_as = [&](const bgp::Speaker& self) {
            return self.asn.value == community.global;
        };
        const bool is_plausible =
            std::ranges::any_of(selves, is_of_its_as) ||
            std::ranges::find(path.as_path, bgp::Asn{community.global}) != path.as_path.end();
        if (community.local1 == 1 && is_plausible) {
            marks.emplace_back(community.global, community.local2);
        }
    }
    return marks;
}

bool is_ours(const Mark& mark, std::span<const bgp::Speaker> selves) {
    return std::ranges::any_of(selves,
                               [&](const bgp::Speaker& self) { return mark == mark_of(self); });
}

} // namespace anyvip::cmd
