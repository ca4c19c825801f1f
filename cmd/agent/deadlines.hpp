// SPDX-License-Identifier: Apache-2.0
// Many deadlines, of which only the due ones are touched.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <utility>

#include "bgp/types.hpp"

namespace anyvip::cmd {

/// Deadlines by object id, ordered by time; equal times by id, so that a run can be repeated.
class Deadlines {
  public:
    using Id = std::uint64_t;

    /// Moves the deadline of `id` from `current` (kept by the caller) to `next`. O(log n).
    void move(Id id, std::optional<Instant>& current, std::optional<Instant> next) {
        if (current == next) {
            return;
        }
        if (current) {
            queue_.erase({*current, id});
        }
        if (next) {
            queue_.emplace(*next, id);
        }
        current = next;
    }

    [[nodiscard]] std::optional<Instant> next() const {
        return queue_.empty() ? std::nullopt : std::optional(queue_.begin()->first);
    }

    /// The earliest object that is due. It stays in here until its owner moves it.
    [[nodiscard]] std::optional<Id> due(Instant now) const {
        if (queue_.empty() || queue_.begin()->first > now) {
            return std::nullopt;
        }
        return queue_.begin()->second;
    }

  private:
    std::set<std::pair<Instant, Id>> queue_;
};

/// The earlier of two deadlines that may not exist.
[[nodiscard]] constexpr std::optional<Instant> earlier(std::optional<Instant> a,
                                                       std::optional<Instant> b) {
    if (!a || (b && *b < *a)) {
        return b;
    }
    return a;
}

} // namespace anyvip::cmd
