// SPDX-License-Identifier: Apache-2.0
// How long a VIP that has fallen stays out: the configured `hold_down` and the damping of one that
// keeps falling (CONTRACT section 2).
#pragma once

#include <chrono>
#include <deque>
#include <optional>
#include <string_view>

#include "bgp/types.hpp"
#include "vip/config.hpp"

namespace anyvip::vip {

enum class HoldDown : std::uint8_t {
    None,
    Damping,  ///< only damping holds it back: announced as backup
    Unsteady, ///< damped, and not up for long enough yet to be worth a backup route
    Configured,
};
[[nodiscard]] std::string_view to_string(HoldDown hold_down);

/// Told of each rise and fall of one VIP's health. From the third fall within a minute on the
/// hold-down is at least 1 s and doubles up to 60 s; it halves for every minute up.
class HoldDownClock {
  public:
    void rose(Instant now);
    void fell(const VipConfig& config, Instant now);

    [[nodiscard]] HoldDown state(Instant now) const;
    /// When `state` changes without a rise or fall.
    [[nodiscard]] std::optional<Instant> next_deadline(Instant now) const;

    [[nodiscard]] bool is_up() const { return up_since_.has_value(); }

    /// What goes over at an upgrade in place (cmd/handover).
    template <class Archive> void transfer(Archive& archive) {
        archive.field(1, up_since_);
        archive.field(2, held_until_);
        archive.field(3, damped_until_);
        archive.field(4, penalty_);
        archive.field(5, falls_);
    }

  private:
    void damp(Instant now);

    std::optional<Instant> up_since_;
    Instant held_until_{};
    Instant damped_until_{};
    std::chrono::milliseconds penalty_{0};
    std::deque<Instant> falls_; // within the last minute
};

} // namespace anyvip::vip
