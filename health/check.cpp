// SPDX-License-Identifier: Apache-2.0
#include "health/check.hpp"

#include <algorithm>
#include <utility>

namespace anyvip::health {

namespace {

/// Jitter of every interval, to both sides, so that checks that fell into step fall out of it.
constexpr std::int64_t jitter_permille = 30;
constexpr std::int64_t lead_permille = 20;

/// A result that says something about the service. Starvation, ours or the host's, does not.
bool is_countable(const Result& result) {
    return !result.is_late && !(result.outcome == Outcome::Error && result.is_our_fault);
}

bool is_weight_zero(const Result& result) {
    return result.outcome == Outcome::Pass && result.weight == 0U;
}

std::uint64_t next_random(std::uint64_t& state) { // splitmix64
    state += 0x9E3779B97F4A7C15U;
    std::uint64_t value = state;
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9U;
    value = (value ^ (value >> 27)) * 0x94D049BB133111EBU;
    return value ^ (value >> 31);
}

/// Uniform in [0, limit).
Duration random_below(std::uint64_t& state, Duration limit) {
    const auto range = static_cast<std::uint64_t>(std::max<Duration::rep>(limit.count(), 1));
    return Duration(static_cast<Duration::rep>(next_random(state) % range));
}

template <typename T> void push_bounded(std::vector<T>& entries, T entry) {
    if (entries.size() == history_limit) {
        entries.erase(entries.begin());
    }
    entries.push_back(std::move(entry));
}

/// "1.5 s"
std::string in_seconds(Duration duration) {
    const auto tenths = std::chrono::duration_cast<std::chrono::milliseconds>(duration) / 100;
    return std::to_string(tenths.count() / 10) + "." + std::to_string(tenths.count() % 10) + " s";
}

} // namespace

std::string_view to_string(State state) {
    switch (state) {
    case State::Unknown:
        return "unknown";
    case State::Up:
        return "up";
    case State::Down:
        return "down";
    }
    return "unknown";
}

Check::Check(CheckConfig config, std::uint64_t seed, double spread, Instant now)
    : config_(std::move(config)), random_(seed), since_(now), started_at_(now), next_run_(now),
      last_counted_(now) {
    const Duration interval = config_.schedule.interval;
    next_run_ += Duration(static_cast<Duration::rep>(static_cast<double>(interval.count()) *
                                                     std::clamp(spread, 0.0, 1.0)));
    due_ = next_run_;
    decided_by_ = next_run_ + config_.schedule.timeout;
    reason_ = describe("no verdict yet");
}

bool Check::wants_run(Instant now) const {
    // What decides at a moment of its own has nothing to gain from an earlier one.
    const bool is_regular = next_run_ == due_ && !is_changing();
    const Duration lead =
        std::min<Duration>(config_.schedule.interval * lead_permille / 1000, longest_lead);
    return !is_running_ && now + (is_regular ? lead : Duration{}) >= next_run_;
}

void Check::started(Instant now) {
    is_running_ = true;
    is_demanded_ = false;
    started_at_ = now;
    if (!is_deciding_) { // later than it was to be, or earlier
        decided_by_ = now + config_.schedule.timeout;
    }
    if (std::exchange(is_triggered_, false)) {
        last_extra_ = now;
    }
}

bool Check::finished(const Result& result, Instant now) {
    if (!std::exchange(is_running_, false)) {
        return false; // of a run that `reconfigure` has forgotten
    }
    remember(result, now);
    const bool is_grace_over = grace_ends_ && now >= *grace_ends_;
    if (is_countable(result)) {
        last_counted_ = now;
        is_deciding_ = false;
        count(result, now);
        schedule_next(now);
    } else {
        // One new run decides, and as often as that is starved too, no faster than this.
        next_run_ = std::max(now, started_at_ + config_.schedule.fast_interval);
        if (!std::exchange(is_deciding_, true)) {
            decided_by_ = next_run_ + config_.schedule.timeout;
        }
    }
    if (grace_ends_ && *grace_ends_ > now) {
        next_run_ = std::min(next_run_, *grace_ends_); // the run that decides
    }
    if (is_triggered_) {
        merge_trigger(now);
    }
    if (judged() == state_ && is_judged_demoted() == is_demoted_) {
        return false;
    }
    std::string evidence = is_weight_zero(result) ? "weight 0" : result.detail;
    if (is_grace_over && service_.state() == State::Down) {
        evidence += ", and hard_fail_grace is over";
    }
    return settle(std::move(evidence), now);
}

void Check::trigger(Instant now) {
    is_triggered_ = true;
    if (!is_running_) {
        merge_trigger(now);
    }
}

void Check::demand(Instant now) {
    is_demanded_ = true;
    trigger(now);
}

bool Check::tick(Instant now) {
    if (service_.state() != State::Down && now >= starved_at()) {
        service_.force(State::Down);
        is_inherited_ = false;
        grace_ends_.reset();
        return settle("starved: no run could end for " + in_seconds(now - last_counted_), now);
    }
    return false;
}

std::optional<Instant> Check::next_deadline() const {
    std::optional<Instant> earliest;
    const auto consider = [&](Instant candidate) {
        earliest = earliest ? std::min(*earliest, candidate) : candidate;
    };
    if (!is_running_) {
        consider(next_run_);
    }
    if (service_.state() != State::Down) {
        consider(starved_at());
    }
    return earliest;
}

void Check::reconfigure(CheckConfig config, Instant now) {
    if (config == config_) {
        return;
    }
    config_ = std::move(config);
    service_.force(service_.state());
    demotion_.force(demotion_.state());
    is_inherited_ = state_ != State::Unknown;
    is_running_ = false;
    grace_ends_.reset();
    last_counted_ = now;
    // Soon, but not all checks of a big reload in the same turn of the loop.
    const Instant soon = now + random_below(random_, config_.schedule.fast_interval);
    next_run_ = std::min(std::max(next_run_, now), soon);
    due_ = next_run_;
    is_deciding_ = false;
    decided_by_ = next_run_ + config_.schedule.timeout;
}

void Check::adopt(Verdict verdict, Instant now) {
    service_.force(verdict.is_demoted ? State::Up : verdict.state);
    demotion_.force(verdict.is_demoted ? State::Down : verdict.state);
    if (verdict.state == State::Down && !verdict.is_demoted) {
        demotion_.force(State::Up);
    }
    is_inherited_ = verdict.state != State::Unknown;
    is_demoted_ = verdict.is_demoted;
    state_ = verdict.state;
    since_ = now;
    reason_ = std::move(verdict.reason);
}

bool Check::has_own_verdict() const {
    return state_ != State::Unknown && !is_inherited_;
}

Verdict Check::verdict() const {
    return {.state = state_, .is_demoted = is_demoted_, .reason = reason_};
}

State Check::state() const {
    return state_;
}

Instant Check::since() const {
    return since_;
}

bool Check::is_running() const {
    return is_running_;
}

const std::string& Check::reason() const {
    return reason_;
}

std::uint32_t Check::weight() const {
    return weight_;
}

std::uint32_t Check::shown_weight() const {
    const bool is_zero =
        state_ == State::Down && !is_demoted_ && last_ && is_weight_zero(last_->result);
    return is_zero ? 0 : weight_;
}

bool Check::is_shared() const {
    return config_.scope == Scope::Shared || is_demoted_;
}

bool Check::is_demoted() const {
    return is_demoted_;
}

const CheckConfig& Check::config() const {
    return config_;
}

const std::optional<Check::LastRun>& Check::last() const {
    return last_;
}

const std::vector<Transition>& Check::transitions() const {
    return transitions_;
}

const std::vector<Check::LastRun>& Check::history() const {
    return history_;
}

std::uint32_t Check::successes_in_row() const {
    return std::min(service_.successes(), demotion_.successes());
}

std::uint32_t Check::failures_in_row() const {
    return std::max(service_.failures(), demotion_.failures());
}

void Check::remember(const Result& result, Instant now) {
    const bool repeats = last_ && last_->result.outcome == result.outcome &&
                         last_->result.detail == result.detail &&
                         last_->result.is_late == result.is_late;
    const std::uint64_t times = repeats ? last_->times + 1 : 1;
    if (last_) {
        last_->result = result; // reuses the strings' memory
        last_->at = now;
        last_->times = times;
        last_->started_at = started_at_;
    } else {
        last_ = LastRun{.result = result, .at = now, .times = times, .started_at = started_at_};
    }
    if (repeats && !history_.empty()) {
        history_.back().at = now;
        history_.back().started_at = started_at_;
        history_.back().times = times;
        history_.back().result.took = result.took;
        return;
    }
    LastRun entry = *last_;
    entry.result.output = std::string();
    push_bounded(history_, std::move(entry));
}

void Check::count(const Result& result, Instant now) {
    const bool is_pass = result.outcome == Outcome::Pass && !is_weight_zero(result);
    if (is_pass) {
        weight_ = std::min(result.weight.value_or(100), 100U);
        service_.succeed(thresholds());
        demotion_.succeed(thresholds());
        grace_ends_.reset();
    } else if (result.is_shared_only) {
        service_.succeed(thresholds());
        demotion_.fail(thresholds());
        grace_ends_.reset();
    } else {
        count_failure(result, now);
    }
    judge_mixed_demotion();
    if (service_.successes() >= config_.schedule.rise ||
        service_.failures() >= config_.schedule.fall) {
        is_inherited_ = false;
    }
}

void Check::count_failure(const Result& result, Instant now) {
    // A verdict that came from before a reload yields only to an own rise or fall: a slip of the
    // pen in the new file is no dead service.
    const bool is_hard = result.is_hard && config_.schedule.hard_fail && !is_inherited_;
    if (grace_ends_ && now >= *grace_ends_) {
        // Decided by what was seen, not by the clock: we may have slept through the grace.
        service_.force(State::Down);
    } else if (!is_hard || service_.state() == State::Down) {
        service_.fail(thresholds());
    } else if (config_.schedule.hard_fail_grace.count() == 0 || service_.state() != State::Up) {
        service_.force(State::Down);
    } else if (!grace_ends_) {
        grace_ends_ = now + config_.schedule.hard_fail_grace;
    }
    if (service_.state() == State::Down) {
        grace_ends_.reset();
    }
}

/// Servers of one service with different certificates give results that neither rise nor fall. They
/// prove the service alive, and that it is not in order: that is demoted, not unknown for ever.
void Check::judge_mixed_demotion() {
    if (demotion_.state() != State::Unknown || service_.state() != State::Up) {
        mixed_ = 0;
    } else if (++mixed_ >= config_.schedule.rise + config_.schedule.fall) {
        demotion_.force(State::Down);
        mixed_ = 0;
    }
}

void Check::schedule_next(Instant now) {
    const Duration interval =
        is_changing() ? config_.schedule.fast_interval : config_.schedule.interval;
    next_run_ = std::max(now, started_at_ + jittered(interval));
    due_ = next_run_;
    decided_by_ = next_run_ + config_.schedule.timeout;
}

void Check::merge_trigger(Instant now) {
    const bool is_at_once = !last_extra_ || is_demanded_;
    const Instant earliest =
        is_at_once ? now : std::max(now, *last_extra_ + config_.schedule.fast_interval);
    next_run_ = std::min(next_run_, earliest);
}

bool Check::settle(std::string evidence, Instant now) {
    state_ = judged();
    is_demoted_ = is_judged_demoted();
    since_ = now;
    const bool is_up = state_ == State::Up;
    const std::uint32_t streak = is_up ? successes_in_row() : failures_in_row();
    if (streak > 0) { // a forced verdict counts nothing
        const Schedule& schedule = config_.schedule;
        evidence += ", " + std::to_string(streak) + " of " +
                    std::to_string(is_up ? schedule.rise : schedule.fall);
    }
    reason_ = describe(evidence);
    push_bounded(transitions_, Transition{.at = now, .to = state_, .reason = reason_});
    return true;
}

State Check::judged() const {
    return service_.state() == State::Up ? demotion_.state() : service_.state();
}

bool Check::is_judged_demoted() const {
    return service_.state() == State::Up && demotion_.state() == State::Down;
}

bool Check::is_changing() const {
    return is_inherited_ || grace_ends_ || service_.is_changing() ||
           (service_.state() == State::Up && demotion_.is_changing());
}

Duration Check::jittered(Duration interval) {
    const Duration width = interval * (2 * jitter_permille) / 1000;
    return interval - width / 2 + random_below(random_, width);
}

Instant Check::starved_at() const {
    const Duration runs =
        config_.schedule.fall * (config_.schedule.interval + config_.schedule.timeout);
    // With a small `fall` that may end before the next run can, which is jittered and may take its
    // whole timeout: it, and if it was late the one that decides, have their time.
    return std::max(last_counted_ + std::max<Duration>(runs, least_starvation),
                    decided_by_ + run_end_slack);
}

std::string Check::describe(std::string_view evidence) const {
    std::string line(type_name(config_.target));
    line.append(" check ").append(config_.name).append(": ").append(evidence);
    return line;
}

Thresholds Check::thresholds() const {
    return {.rise = config_.schedule.rise, .fall = config_.schedule.fall};
}

} // namespace anyvip::health
