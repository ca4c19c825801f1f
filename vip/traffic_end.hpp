// SPDX-License-Identifier: Apache-2.0
// When has the traffic for a withdrawn VIP ended? From the withdraw, its acknowledgement by the
// routers and the packets that still arrive.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "bgp/types.hpp"
#include "vip/drain.hpp"

namespace anyvip::vip {

/// `linger`, `silence` and `linger_min` of [daemon].
struct LingerLimits {
    std::chrono::milliseconds linger{5000};
    std::chrono::milliseconds silence{500};
    std::chrono::milliseconds linger_min{1000};
};

/// Times of one withdraw and what was measured since.
struct TrafficWatch {
    std::optional<Instant> withdrawn_at;
    std::optional<Instant> acknowledged_at; ///< by all routers
    std::optional<Instant> measured_at;     ///< last count of packets; nullopt: nobody counts
    std::optional<Instant> last_packet_at;
    std::optional<Instant> counted_since; ///< the counts have no gap since then; nullopt: no gap
    std::optional<Instant> flows_counted_at;
    FlowCount flows;
    std::uint64_t packets = 0; ///< since the withdraw

    /// What arrives was counted at this moment.
    void measured(Instant now);
    /// No packet for `silence` after the acknowledgement, as far as anybody counts.
    [[nodiscard]] bool is_silent(const LingerLimits& limits) const;
    /// Serving on can end: silent and for at least `linger_min`, or for `linger` in all.
    [[nodiscard]] bool has_ended(const LingerLimits& limits, Instant now) const;
    /// Every flow that was left at the last count has been silent for `idle`.
    [[nodiscard]] bool has_quiet_flows(std::chrono::milliseconds idle) const;
    /// A drain is over: silent, and every flow left has been silent for `idle`. Without anybody who
    /// counts packets, `linger` after the withdraw stands for silence.
    [[nodiscard]] bool
    is_drained(const LingerLimits& limits, std::chrono::milliseconds idle, Instant now) const;
    /// When to look again without news.
    [[nodiscard]] std::optional<Instant> next_deadline(const LingerLimits& limits,
                                                       Instant now) const;

    template <class Archive> void transfer(Archive& archive) {
        archive.field(1, withdrawn_at);
        archive.field(2, acknowledged_at);
        archive.field(3, measured_at);
        archive.field(4, last_packet_at);
        archive.field(5, flows_counted_at);
        archive.field(6, flows);
        archive.field(7, packets);
        archive.field(8, counted_since);
    }
};

} // namespace anyvip::vip
