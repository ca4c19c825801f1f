// SPDX-License-Identifier: Apache-2.0
// Ramp and step of the link bandwidth.
#include "vip/bandwidth.hpp"

#include <algorithm>
#include <cmath>

namespace anyvip::vip {

namespace {

/// Share of the ramp in percent, in whole steps, never 0: weight 0 would mean no traffic for ever.
[[nodiscard]] std::uint32_t
ramp_percent(const VipConfig& config, std::optional<Instant> up_since, Instant now) {
    if (config.slow_start.count() <= 0 || !up_since || now >= *up_since + config.slow_start) {
        return 100;
    }
    const std::uint32_t step = std::clamp(config.bandwidth_step_percent, 1U, 100U);
    const auto elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(now - *up_since);
    const auto percent =
        static_cast<std::uint32_t>(elapsed.count() * 100 / config.slow_start.count());
    return std::max(step, percent / step * step);
}

} // namespace

std::optional<float> BandwidthRamp::update(const VipConfig& config,
                                           std::uint32_t weight_percent,
                                           std::optional<Instant> up_since,
                                           Instant now) {
    if (!config.bandwidth_bits_per_second) {
        announced_.reset();
        return std::nullopt;
    }
    const std::uint32_t ramp = ramp_percent(config, up_since, now);
    const double wanted =
        *config.bandwidth_bits_per_second / 8.0 * weight_percent / 100.0 * ramp / 100.0;
    const double least = announced_.value_or(0.0) * config.bandwidth_step_percent / 100.0;
    // The ramp goes in steps itself; its last one may be small, and must reach the whole.
    if (!announced_ || ramp != ramp_percent_ || std::abs(wanted - *announced_) >= least) {
        announced_ = wanted;
    }
    ramp_percent_ = ramp;
    return static_cast<float>(*announced_);
}

std::optional<Instant> BandwidthRamp::next_deadline(const VipConfig& config,
                                                    std::optional<Instant> up_since,
                                                    Instant now) const {
    if (!config.bandwidth_bits_per_second || !up_since || config.slow_start.count() <= 0 ||
        now >= *up_since + config.slow_start) {
        return std::nullopt;
    }
    const std::uint32_t step = std::clamp(config.bandwidth_step_percent, 1U, 100U);
    const std::uint32_t next = std::min(ramp_percent(config, up_since, now) + step, 100U);
    // Rounded up to the millisecond in which the whole step has been reached.
    return *up_since + (config.slow_start * next + std::chrono::milliseconds(99)) / 100;
}

} // namespace anyvip::vip
