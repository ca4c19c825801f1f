// SPDX-License-Identifier: Apache-2.0
// How often to ask the kernel again for what somebody wants there: after silence, after a refusal,
// and when another program takes it away time and again (CONTRACT section 3).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

#include "bgp/types.hpp"

namespace anyvip::vip {

class Insistence {
  public:
    /// From now on an answer is due.
    void asked(Instant now);
    /// It is as it shall be: the next refusal is the first again.
    void succeeded();
    void refused(Instant now);
    /// Another program took it away. Returns true when it does so too often: then only a pause
    /// keeps both from a fight.
    [[nodiscard]] bool robbed(Instant now);

    /// The cause of a pause may have gone.
    void end_pause() { retry_at_.reset(); }

    [[nodiscard]] bool is_pausing(Instant now) const { return retry_at_ && now < *retry_at_; }

    [[nodiscard]] bool is_overdue(Instant now) const { return now >= answer_by_; }

    [[nodiscard]] Instant answer_by() const { return answer_by_; }

    [[nodiscard]] std::optional<Instant> retry_at() const { return retry_at_; }

    /// Removals by others within the last 10 s.
    [[nodiscard]] std::size_t removals() const { return removals_.size(); }

    /// Members of the owner in an upgrade in place (cmd/handover), four tags from `first`.
    template <class Archive> void transfer(Archive& archive, std::uint8_t first) {
        archive.field(first, answer_by_);
        archive.field(static_cast<std::uint8_t>(first + 1), retry_at_);
        archive.field(static_cast<std::uint8_t>(first + 2), pause_);
        archive.field(static_cast<std::uint8_t>(first + 3), removals_);
    }

  private:
    Instant answer_by_{};
    std::optional<Instant> retry_at_;
    std::chrono::milliseconds pause_{0};
    std::deque<Instant> removals_;
};

} // namespace anyvip::vip
