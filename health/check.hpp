// SPDX-License-Identifier: Apache-2.0
// One check under virtual time: when to run, how results become up and down. Pure; the probe itself
// is the shell's.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "health/config.hpp"
#include "health/result.hpp"

namespace anyvip::health {

enum class State : std::uint8_t { Unknown, Up, Down };
[[nodiscard]] std::string_view to_string(State state);

/// A change of state, for events and `checks NAME`.
struct Transition {
    Instant at;
    State to = State::Unknown;
    std::string reason; ///< "http check web: timeout after 1.0 s, 3 of 3"
};

/// Results and rule in, verdict out. A run never overlaps another: `wants_run` is true at most once
/// until `finished`.
class Check {
  public:
    /// `spread` in [0,1): where in the first interval the first run is placed (0: at once).
    Check(CheckConfig config, std::uint64_t seed, double spread, Instant now);

    /// A run is due now; the caller starts the probe and calls `started`.
    [[nodiscard]] bool wants_run(Instant now) const;
    void started(Instant now);
    /// Result of the run that was started last. Late and starved results are not counted but run
    /// again at once. Returns true when the state changed.
    bool finished(const Result& result, Instant now);
    /// Something may have happened (socket destroyed, pidfd, inotify, `anyvip check NAME`): run at
    /// once, or again at once when one is running. Bounded: at most one extra run for each
    /// `fast_interval`, later triggers are merged.
    void trigger(Instant now);
    /// Deadlines other than runs: hard_fail_grace, starved. Returns true when the state changed.
    bool tick(Instant now);
    [[nodiscard]] std::optional<Instant> next_deadline() const;

    /// Reload: takes over the present verdict until own rise or fall is reached (CONTRACT section
    /// 5).
    void reconfigure(CheckConfig config, Instant now);

    [[nodiscard]] State state() const;
    [[nodiscard]] Instant since() const;
    [[nodiscard]] bool is_running() const;
    /// One line why it is in its state.
    [[nodiscard]] const std::string& reason() const;
    [[nodiscard]] std::uint32_t weight() const; ///< 100 unless the last results said otherwise
    [[nodiscard]] bool is_shared() const;       ///< scope, or the last result was shared only
    [[nodiscard]] const CheckConfig& config() const;

    struct LastRun {
        Result result;
        Instant at;
    };

    [[nodiscard]] const std::optional<LastRun>& last() const;
    [[nodiscard]] const std::deque<Transition>& transitions() const; ///< last 16
    [[nodiscard]] const std::deque<LastRun>& history() const;        ///< last 16
    [[nodiscard]] std::uint32_t successes_in_row() const;
    [[nodiscard]] std::uint32_t failures_in_row() const;

  private:
    // To be completed by the implementer of health/.
};

} // namespace anyvip::health
