// SPDX-License-Identifier: Apache-2.0
// Rise and fall: one signed counter is the whole hysteresis.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string_view>

namespace anyvip::health {

enum class State : std::uint8_t { Unknown, Up, Down };
[[nodiscard]] std::string_view to_string(State state);

/// How many equal results in a row change the state.
struct Thresholds {
    std::uint32_t rise = 2;
    std::uint32_t fall = 3;
};

/// The streak is the number of equal results in a row, positive for successes, negative for
/// failures. It rises to Up from any state and falls to Down from any state; in between the state
/// stays.
class RiseFall {
  public:
    void succeed(Thresholds limits) {
        streak_ = streak_ > 0 ? saturate(streak_ + 1) : 1;
        if (streak_ >= limits.rise) {
            state_ = State::Up;
        }
    }

    void fail(Thresholds limits) {
        streak_ = streak_ < 0 ? saturate(streak_ - 1) : -1;
        if (-streak_ >= limits.fall) {
            state_ = State::Down;
        }
    }

    /// A verdict from elsewhere: a hard failure, starvation, a predecessor. Counting starts afresh.
    void force(State state) {
        state_ = state;
        streak_ = 0;
    }

    [[nodiscard]] State state() const { return state_; }

    [[nodiscard]] std::uint32_t successes() const {
        return static_cast<std::uint32_t>(std::max<std::int64_t>(streak_, 0));
    }

    [[nodiscard]] std::uint32_t failures() const {
        return static_cast<std::uint32_t>(std::max<std::int64_t>(-streak_, 0));
    }

    /// The last results contradict the state, or there is none yet.
    [[nodiscard]] bool is_changing() const {
        return state_ == State::Unknown || (state_ == State::Up && streak_ < 0) ||
               (state_ == State::Down && streak_ > 0);
    }

    template <class Archive> void transfer(Archive& archive) {
        archive.field(1, streak_);
        archive.choice(2, state_, State::Down);
        archive.require(streak_ == saturate(streak_), "a streak out of range");
    }

  private:
    static std::int64_t saturate(std::int64_t value) {
        constexpr std::int64_t limit = std::numeric_limits<std::uint32_t>::max();
        return std::clamp(value, -limit, limit);
    }

    std::int64_t streak_ = 0;
    State state_ = State::Unknown;
};

} // namespace anyvip::health
