// SPDX-License-Identifier: Apache-2.0
// The end of traffic as arithmetic on a few times.
#include "vip/traffic_end.hpp"

#include <algorithm>

namespace anyvip::vip {

namespace {

/// Counts that are further apart than this have missed what came between.
constexpr std::chrono::seconds longest_step{1};

} // namespace

void TrafficWatch::measured(Instant now) {
    if (measured_at && now > *measured_at + longest_step) {
        counted_since = now;
    }
    measured_at = now;
}

bool TrafficWatch::is_silent(const LingerLimits& limits) const {
    if (!acknowledged_at || !measured_at) {
        return false;
    }
    const Instant quiet_since = std::max({*acknowledged_at,
                                          last_packet_at.value_or(Instant::min()),
                                          counted_since.value_or(Instant::min())});
    return *measured_at >= quiet_since + limits.silence;
}

bool TrafficWatch::has_ended(const LingerLimits& limits, Instant now) const {
    if (!withdrawn_at || now >= *withdrawn_at + limits.linger) {
        return true;
    }
    return is_silent(limits) && now >= *acknowledged_at + limits.linger_min;
}

bool TrafficWatch::has_quiet_flows(std::chrono::milliseconds idle) const {
    return flows.flows == 0 || flows.least_idle >= idle;
}

bool TrafficWatch::is_drained(const LingerLimits& limits,
                              std::chrono::milliseconds idle,
                              Instant now) const {
    if (!withdrawn_at || !acknowledged_at || !flows_counted_at ||
        *flows_counted_at < *acknowledged_at) {
        return false;
    }
    const bool is_quiet = measured_at ? is_silent(limits) : now >= *withdrawn_at + limits.linger;
    return is_quiet && has_quiet_flows(idle);
}

std::optional<Instant> TrafficWatch::next_deadline(const LingerLimits& limits, Instant now) const {
    if (!withdrawn_at) {
        return std::nullopt;
    }
    std::optional<Instant> next;
    const auto consider = [&](Instant at) {
        if (at > now && (!next || at < *next)) {
            next = at;
        }
    };
    consider(*withdrawn_at + limits.linger);
    if (acknowledged_at) {
        consider(*acknowledged_at + limits.linger_min);
    }
    return next;
}

} // namespace anyvip::vip
