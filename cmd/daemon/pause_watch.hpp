// SPDX-License-Identifier: Apache-2.0
// Notices that the loop came to its work late: what expires then looks like the fault of others,
// unless somebody says so.
#pragma once

#include <optional>
#include <string>

#include "bgp/types.hpp"

namespace anyvip::cmd {

class PauseWatch {
  public:
    /// `suspended`: for how long the machine has slept since its boot, as at the start.
    explicit PauseWatch(Duration suspended) : suspended_(suspended) {}

    /// At each turn. `due`: when the timer that was armed last should have fired, never before the
    /// moment at which it was armed; nullopt: it has. Returns what to tell: once for a time in
    /// which the loop is late again and again.
    [[nodiscard]] std::optional<std::string>
    look(std::optional<Instant> due, Instant now, Duration suspended);

    /// The longest time by which it was late.
    [[nodiscard]] Duration longest() const { return longest_; }

  private:
    Duration suspended_;
    Duration longest_{0};
    bool is_told_ = false;
};

} // namespace anyvip::cmd
