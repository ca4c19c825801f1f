// SPDX-License-Identifier: Apache-2.0
// Virtual time: what happens next, and the record of what has happened.
#pragma once

#include <cstdint>
#include <cstdio>
#include <functional>
#include <queue>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bgp/types.hpp"
#include "test/support/raw_bgp.hpp"

namespace anyvip::sim {

/// A broken invariant ends the run.
struct Violation : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// Events in order of time; equal times in the order in which they were asked for.
class Scheduler {
  public:
    [[nodiscard]] Instant now() const { return now_; }

    void at(Instant when, std::function<void()> what) {
        queue_.push({std::max(when, now_), ++last_, std::move(what)});
    }

    void after(Duration wait, std::function<void()> what) { at(now_ + wait, std::move(what)); }

    /// Runs all that happens until then.
    void run_until(Instant end) {
        while (!queue_.empty() && queue_.top().when <= end) {
            // The top cannot be moved from, and what it does may push.
            const std::function<void()> what = queue_.top().what;
            now_ = queue_.top().when;
            queue_.pop();
            ++steps_;
            what();
        }
        now_ = end;
    }

    [[nodiscard]] std::uint64_t steps() const { return steps_; }

  private:
    struct Item {
        Instant when;
        std::uint64_t number;
        std::function<void()> what;

        friend bool operator<(const Item& a, const Item& b) {
            return std::pair(a.when, a.number) > std::pair(b.when, b.number);
        }
    };

    Instant now_{std::chrono::hours(1000)};
    std::uint64_t last_ = 0;
    std::uint64_t steps_ = 0;
    std::priority_queue<Item> queue_;
};

/// Everything that is observable in a run, as one number (FNV-1a) and, when asked, as text.
class Trace {
  public:
    explicit Trace(bool is_printed) : is_printed_(is_printed) {}

    void line(Instant now, std::string_view text, std::span<const std::uint8_t> octets = {}) {
        mix(static_cast<std::uint64_t>(now.time_since_epoch().count()));
        for (const char c : text) {
            mix_octet(static_cast<std::uint8_t>(c));
        }
        for (const std::uint8_t octet : octets) {
            mix_octet(octet);
        }
        if (is_printed_) {
            const auto at = now.time_since_epoch() - std::chrono::hours(1000);
            std::printf("%11.6f %.*s %s\n",
                        std::chrono::duration<double>(at).count(),
                        static_cast<int>(text.size()),
                        text.data(),
                        test::raw::to_hex(octets).c_str());
        }
    }

    [[nodiscard]] std::uint64_t hash() const { return hash_; }

  private:
    void mix_octet(std::uint8_t octet) { hash_ = (hash_ ^ octet) * 0x100000001B3U; }

    void mix(std::uint64_t value) {
        for (unsigned shift = 0; shift < 64; shift += 8) {
            mix_octet(static_cast<std::uint8_t>(value >> shift));
        }
    }

    bool is_printed_;
    std::uint64_t hash_ = 0xCBF29CE484222325U;
};

} // namespace anyvip::sim
