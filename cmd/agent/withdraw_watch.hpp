// SPDX-License-Identifier: Apache-2.0
// How long withdraws take: from what caused them to the moment at which the kernel has their last
// octet.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "cmd/agent/peer_set.hpp"

namespace anyvip::cmd {

class WithdrawWatch {
  public:
    /// The withdraws that the peers have to write now and had not before were caused at this
    /// moment.
    void caused(const PeerSet& peers, Instant cause);

    /// The peers were told what was sent. The earliest cause of what the kernel has taken since the
    /// last call; nullopt: no withdraw. Those of a session that has ended went with it.
    [[nodiscard]] std::optional<Instant> written(const PeerSet& peers);

  private:
    std::map<std::string, Instant> waiting_; ///< by peer: the cause of the oldest one
};

} // namespace anyvip::cmd
