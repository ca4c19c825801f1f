// SPDX-License-Identifier: Apache-2.0
// How many changes a user may ask for: a script gone wild must not fill log and disk, or flap
// routes.
#pragma once

#include <cstdint>
#include <map>

#include "cmd/agent/agent.hpp"
#include "cmd/daemon/limits.hpp"

namespace anyvip::cmd {

/// Each user has his own share, so that one who is refused locks nobody else out.
class ChangeRate {
  public:
    /// Counts it when it is allowed: limits::api_changes at once, one more every
    /// limits::api_change_interval.
    [[nodiscard]] bool allows(std::uint32_t user, Instant now) {
        std::erase_if(spent_until_, [now](const auto& entry) { return entry.second <= now; });
        Instant& spent_until = spent_until_.try_emplace(user, now).first->second;
        if (spent_until + limits::api_change_interval >
            now + limits::api_changes * limits::api_change_interval) {
            return false;
        }
        spent_until += limits::api_change_interval;
        return true;
    }

  private:
    std::map<std::uint32_t, Instant> spent_until_; ///< only who has asked lately
};

} // namespace anyvip::cmd
