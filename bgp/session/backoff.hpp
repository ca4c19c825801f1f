// SPDX-License-Identifier: Apache-2.0
// How long to wait before the next attempt: short pauses while a router does not answer, a growing
// back-off when it answers with an error.
#pragma once

#include <algorithm>
#include <optional>
#include <random>

#include "bgp/limits.hpp"
#include "bgp/session/peer.hpp"
#include "bgp/types.hpp"

namespace anyvip::bgp {

/// RFC 4271 §10: timers are spread by a factor between 0.75 and 1.
class Jitter {
  public:
    explicit Jitter(std::uint64_t seed)
        : random_(static_cast<std::minstd_rand::result_type>(seed ^ (seed >> 32))) {
        random_.discard(4); // the first numbers of small seeds are small
    }

    [[nodiscard]] Duration operator()(Duration full) {
        // Integers only: floating-point distributions differ between standard libraries.
        const auto span = std::minstd_rand::max() - std::minstd_rand::min();
        const auto part = static_cast<Duration::rep>(random_() - std::minstd_rand::min());
        const Duration quarter = full / 4;
        return full - quarter +
               Duration{quarter.count() / static_cast<Duration::rep>(span) * part +
                        quarter.count() % static_cast<Duration::rep>(span) * part /
                            static_cast<Duration::rep>(span)};
    }

  private:
    std::minstd_rand random_;
};

/// Pause after a refused, failed or silent attempt: constant for a while, then growing with the
/// outage, so that a router that comes back after two minutes is found in a fraction of a second.
class ConnectPause {
  public:
    [[nodiscard]] Duration next(const PeerConfig& config, Instant now) {
        if (!failing_since_) {
            failing_since_ = now;
        }
        const Duration first = config.connect_retry;
        const auto beyond =
            std::max<Duration>(Duration::zero(), now - *failing_since_ - limits::connect_patience);
        const auto grown =
            first + first / limits::connect_growth.count() *
                        std::chrono::duration_cast<std::chrono::seconds>(beyond).count();
        return std::min<Duration>(grown, std::max(config.connect_retry, config.connect_retry_max));
    }

    void forget() { failing_since_.reset(); }

    template <class Archive> void transfer(Archive& archive) { archive.field(1, failing_since_); }

  private:
    std::optional<Instant> failing_since_;
};

/// Back-off after a NOTIFICATION or a protocol error.
class Backoff {
  public:
    [[nodiscard]] Duration next() {
        const Duration wait = next_;
        next_ = std::min<Duration>(next_ * 2, limits::backoff_last);
        return wait;
    }

    /// A session ended that was Established for this long.
    void was_established(Duration duration) {
        if (duration >= limits::backoff_forgotten) {
            next_ = limits::backoff_first;
        }
    }

    void forget() { next_ = limits::backoff_first; }

    template <class Archive> void transfer(Archive& archive) { archive.field(1, next_); }

  private:
    Duration next_ = limits::backoff_first;
};

} // namespace anyvip::bgp
