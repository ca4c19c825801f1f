// SPDX-License-Identifier: Apache-2.0
// One check under virtual time: when to run, how results become up and down. Pure; the probe itself
// is the shell's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "health/config.hpp"
#include "health/result.hpp"
#include "health/rise_fall.hpp"

namespace anyvip::health {

/// A change of state, for events and `checks NAME`.
struct Transition {
    Instant at{};
    State to = State::Unknown;
    std::string reason; ///< "http check web: timeout after 1.0 s, 3 of 3"

    template <class Archive> void transfer(Archive& archive) {
        archive.field(1, at);
        archive.choice(2, to, State::Down);
        archive.field(3, reason);
    }
};

/// What a check hands to its successor at a reload or an upgrade.
struct Verdict {
    State state = State::Unknown;
    bool is_demoted = false; ///< Down, but only for failures that are shared only
    std::string reason{};
};

/// How many transitions and how many distinct results a check remembers.
inline constexpr std::size_t history_limit = 16;

/// Without a countable run for this long, or for fall x (interval + timeout) if that is longer, a
/// check is starved.
inline constexpr std::chrono::seconds least_starvation{10};

/// A run that takes its whole timeout ends this much later, at most, when nobody is starved.
inline constexpr std::chrono::milliseconds run_end_slack{100};

/// A regular run may begin 2 % of its interval early, and at most this much: whoever is awake looks
/// so far ahead, so that one wake-up serves several checks.
inline constexpr std::chrono::milliseconds longest_lead{25};

/// Results and rule in, verdict out. A run never overlaps another: `wants_run` is true at most once
/// until `finished`. A run whose result repeats the one before it allocates nothing.
class Check {
  public:
    /// `spread` in [0,1): where in the first interval the first run is placed (0: at once).
    Check(CheckConfig config, std::uint64_t seed, double spread, Instant now);

    /// A run is due now, or may be taken along; the caller starts the probe and calls `started`.
    [[nodiscard]] bool wants_run(Instant now) const;
    void started(Instant now);
    /// Result of the run that was started last. Late and starved results are not counted but run
    /// again at once. Returns true when the state changed, or whether it is shared.
    bool finished(const Result& result, Instant now);
    /// Something may have happened (socket destroyed, pidfd, inotify): run at once, or again at
    /// once when one is running. Bounded: at most one extra run for each `fast_interval`, later
    /// triggers are merged.
    void trigger(Instant now);
    /// Somebody waits for a run that begins from now on (`anyvip check NAME`): without a pause.
    void demand(Instant now);
    /// Deadlines other than runs: starved. Returns true when the state changed.
    bool tick(Instant now);
    /// Of the next run, or of `tick`, whichever is earlier.
    [[nodiscard]] std::optional<Instant> next_deadline() const;

    /// Reload: keeps the present verdict until own rise or fall is reached (CONTRACT section 5). A
    /// run under way is forgotten: the caller cancels its probe.
    void reconfigure(CheckConfig config, Instant now);
    /// Reload and upgrade: a new check takes over a verdict until its own rise or fall is reached.
    void adopt(Verdict verdict, Instant now);
    [[nodiscard]] Verdict verdict() const;
    /// Reached by its own runs since it was made or changed; false while it only took one over.
    [[nodiscard]] bool has_own_verdict() const;

    [[nodiscard]] State state() const;
    [[nodiscard]] Instant since() const;
    [[nodiscard]] bool is_running() const;
    /// One line why it is in its state.
    [[nodiscard]] const std::string& reason() const;
    [[nodiscard]] std::uint32_t weight() const; ///< 100 unless the last passes said otherwise
    /// As it is shown: 0 when it is down and has said so. `weight` stays, for routes that count it.
    [[nodiscard]] std::uint32_t shown_weight() const;
    [[nodiscard]] bool is_shared() const;  ///< scope, or it is down for shared failures only
    [[nodiscard]] bool is_demoted() const; ///< down, but for shared failures only
    [[nodiscard]] const CheckConfig& config() const;

    struct LastRun {
        Result result{};
        Instant at{};
        /// How many runs in a row ended so (same outcome and detail); `at` is the last of them.
        std::uint64_t times = 1;
        Instant started_at{}; ///< of the run that ended at `at`

        template <class Archive> void transfer(Archive& archive) {
            archive.field(1, result);
            archive.field(2, at);
            archive.field(3, times);
            archive.field(4, started_at);
        }
    };

    [[nodiscard]] const std::optional<LastRun>& last() const;
    [[nodiscard]] const std::vector<Transition>& transitions() const; ///< last 16, oldest first
    /// Last 16 distinct results, oldest first, without `output`; equal ones in a row are one entry.
    [[nodiscard]] const std::vector<LastRun>& history() const;
    [[nodiscard]] std::uint32_t successes_in_row() const;
    [[nodiscard]] std::uint32_t failures_in_row() const;

    /// What goes over at an upgrade in place (cmd/handover): everything but the configuration. A
    /// run under way does not; it is made again at once.
    template <class Archive> void transfer(Archive& archive) {
        archive.field(1, random_);
        archive.field(2, service_);
        archive.field(3, demotion_);
        archive.choice(4, state_, State::Down);
        archive.field(5, is_demoted_);
        archive.field(6, is_inherited_);
        archive.field(7, since_);
        archive.field(8, reason_);
        archive.field(9, weight_);
        archive.field(10, is_running_);
        archive.field(11, is_triggered_);
        archive.field(12, started_at_);
        archive.field(13, next_run_);
        archive.field(14, last_extra_);
        archive.field(15, last_counted_);
        archive.field(16, grace_ends_);
        archive.field(17, last_);
        archive.field(18, history_);
        archive.field(19, transitions_);
        archive.field(20, mixed_);
        archive.field(21, due_);
        archive.field(22, decided_by_);
        archive.field(23, is_deciding_);
        archive.field(24, is_demanded_);
        if constexpr (Archive::is_loading) {
            if (std::exchange(is_running_, false)) {
                next_run_ = started_at_;
            }
        }
    }

  private:
    void remember(const Result& result, Instant now);
    void count(const Result& result, Instant now);
    void count_failure(const Result& result, Instant now);
    void judge_mixed_demotion();
    void schedule_next(Instant now);
    void merge_trigger(Instant now);
    bool settle(std::string evidence, Instant now);
    [[nodiscard]] State judged() const;
    [[nodiscard]] bool is_judged_demoted() const;
    [[nodiscard]] bool is_changing() const;
    [[nodiscard]] Duration jittered(Duration interval);
    [[nodiscard]] Instant starved_at() const;
    [[nodiscard]] std::string describe(std::string_view evidence) const;
    [[nodiscard]] Thresholds thresholds() const;

    CheckConfig config_;
    std::uint64_t random_;

    // The service itself, and what may only demote it (a certificate that ends soon): a real
    // failure says nothing of the second, a demoting one proves the first alive.
    RiseFall service_;
    RiseFall demotion_;
    std::uint32_t mixed_ = 0; // results that left the second one without a verdict
    State state_ = State::Unknown;
    bool is_demoted_ = false;
    bool is_inherited_ = false; // the verdict is not our own yet
    Instant since_;
    std::string reason_;
    std::uint32_t weight_ = 100;

    bool is_running_ = false;
    bool is_triggered_ = false; // the next run, or the one after this, is an extra one
    bool is_demanded_ = false;  // … and somebody waits for it
    Instant started_at_;
    Instant next_run_;
    Instant due_; // of the first run after the last counted result
    std::optional<Instant> last_extra_;
    Instant last_counted_;
    // When the run has to have ended that decides: the next one, or the one after if that was late.
    Instant decided_by_;
    bool is_deciding_ = false;          // the next one has ended, and was not counted
    std::optional<Instant> grace_ends_; // the first countable result from then on decides

    std::optional<LastRun> last_;
    std::vector<LastRun> history_;
    std::vector<Transition> transitions_;
};

} // namespace anyvip::health
