// SPDX-License-Identifier: Apache-2.0
#include "cmd/agent/withdraw_watch.hpp"

#include <algorithm>

namespace anyvip::cmd {

void WithdrawWatch::caused(const PeerSet& peers, Instant cause) {
    for (const auto& record : peers.all()) {
        if (record->peer.has_unwritten_withdrawals()) {
            waiting_.emplace(record->entry.session.name, cause);
        }
    }
}

std::optional<Instant> WithdrawWatch::written(const PeerSet& peers) {
    std::optional<Instant> earliest;
    std::erase_if(waiting_, [&](const auto& waiting) {
        const auto found = std::ranges::find_if(peers.all(), [&](const auto& record) {
            return record->entry.session.name == waiting.first;
        });
        if (found == peers.all().end() || !(*found)->peer.is_established()) {
            return true;
        }
        if ((*found)->peer.has_unwritten_withdrawals()) {
            return false;
        }
        earliest = earlier(earliest, waiting.second);
        return true;
    });
    return earliest;
}

} // namespace anyvip::cmd
