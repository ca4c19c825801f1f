// SPDX-License-Identifier: Apache-2.0
// Asking, being refused, being robbed, asking again.
#include "vip/address.hpp"

#include <algorithm>

namespace anyvip::vip {

namespace {

using namespace std::chrono_literals;

constexpr auto contest_window = 10s;
constexpr std::size_t tolerated_removals = 3;
constexpr auto contest_pause = 10s;
// The kernel answers within the same turn; longer silence is a lost answer.
constexpr auto answer_limit = 1s;
// The wanted state is back within a second of the cause's end.
constexpr std::chrono::milliseconds first_pause = 250ms;
constexpr std::chrono::milliseconds longest_pause = 1s;

} // namespace

void HeldAddress::take_over(Instant now) {
    is_restoring_ = true;
    answer_by_ = now + answer_limit;
}

HeldAddress::Change HeldAddress::observed(bool is_present, bool is_owned, Instant now) {
    const bool was_present = is_present_;
    const bool was_owned = is_owned_;
    const Step asked = asked_;
    is_present_ = is_present;
    is_owned_ = is_owned;
    if (is_present) {
        is_restoring_ = false;
        problem_.clear();
        pause_ = 0ms;
        asked_ = asked == Step::Add ? Step::Nothing : asked;
        return was_present && was_owned == is_owned_ ? Change::Nothing : Change::Changed;
    }
    asked_ = asked == Step::Remove && !is_owned ? Step::Nothing : asked;
    if (is_owned) {
        // Nobody took it: the interface is down, and so is what could be reached through it.
        is_restoring_ = false;
        problem_ = "the interface is down";
        return Change::Changed;
    }
    if (!was_present) {
        // The kernel says so when another try makes sense: the interface has appeared.
        if (asked == Step::Nothing) {
            retry_at_.reset();
        }
        return Change::Changed;
    }
    if (asked == Step::Remove || !is_wanted_) {
        return Change::Changed;
    }
    taken_away(now);
    return Change::TakenAway;
}

void HeldAddress::taken_away(Instant now) {
    asked_ = Step::Nothing;
    removals_.push_back(now);
    while (removals_.front() + contest_window <= now) {
        removals_.pop_front();
    }
    if (removals_.size() <= tolerated_removals) {
        is_restoring_ = true;
        answer_by_ = now + answer_limit;
        retry_at_.reset();
        return;
    }
    is_restoring_ = false;
    retry_at_ = now + contest_pause;
    problem_ = "another program removed it " + std::to_string(removals_.size()) +
               " times in 10 s; put back after a pause";
}

void HeldAddress::failed(std::string_view reason, Instant now) {
    asked_ = Step::Nothing;
    is_restoring_ = false;
    problem_ = reason;
    pause_ = std::clamp(pause_ * 2, first_pause, longest_pause);
    retry_at_ = now + pause_;
}

HeldAddress::Step HeldAddress::next_step(Instant now) {
    if (asked_ != Step::Nothing || (retry_at_ && now < *retry_at_)) {
        return Step::Nothing;
    }
    if (is_wanted_ && !is_present_) {
        asked_ = Step::Add;
    } else if (!is_wanted_ && is_owned_) {
        asked_ = Step::Remove;
    } else {
        return Step::Nothing;
    }
    retry_at_.reset();
    answer_by_ = now + answer_limit;
    return asked_;
}

bool HeldAddress::tick(Instant now) {
    if ((asked_ != Step::Nothing || is_restoring_) && now >= answer_by_) {
        failed("the kernel did not answer", now);
        return true;
    }
    return retry_at_ && now >= *retry_at_;
}

std::optional<Instant> HeldAddress::next_deadline() const {
    if (asked_ != Step::Nothing || is_restoring_) {
        return answer_by_;
    }
    const bool needs_retry = is_wanted_ ? !is_present_ : is_owned_;
    return needs_retry ? retry_at_ : std::nullopt;
}

Presence HeldAddress::presence() const {
    if (is_present_) {
        return Presence::Present;
    }
    return is_restoring_ ? Presence::Restoring : Presence::Absent;
}

} // namespace anyvip::vip
