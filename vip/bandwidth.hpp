// SPDX-License-Identifier: Apache-2.0
// The link bandwidth a VIP announces: capacity times weight, ramped up after coming up, in steps.
#pragma once

#include <cstdint>
#include <optional>

#include "bgp/types.hpp"
#include "vip/config.hpp"

namespace anyvip::vip {

/// Remembers what was announced last, because changes below `bandwidth_step` are not worth it:
/// every change reshuffles flows on most routers.
class BandwidthRamp {
  public:
    /// Bytes a second to announce now; nullopt: the VIP has no bandwidth. `up_since`: start of the
    /// ramp.
    [[nodiscard]] std::optional<float> update(const VipConfig& config,
                                              std::uint32_t weight_percent,
                                              std::optional<Instant> up_since,
                                              Instant now);
    /// When the ramp takes its next step.
    [[nodiscard]] std::optional<Instant>
    next_deadline(const VipConfig& config, std::optional<Instant> up_since, Instant now) const;

    /// What goes over at an upgrade in place (cmd/handover).
    template <class Archive> void transfer(Archive& archive) {
        archive.field(1, announced_);
        archive.field(2, ramp_percent_);
    }

  private:
    std::optional<double> announced_;
    std::uint32_t ramp_percent_ = 100;
};

} // namespace anyvip::vip
