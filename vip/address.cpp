// SPDX-License-Identifier: Apache-2.0
// Asking, being refused, being robbed, asking again.
#include "vip/address.hpp"

namespace anyvip::vip {

void HeldAddress::take_over(Instant now) {
    is_restoring_ = true;
    insistence_.asked(now);
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
        insistence_.succeeded();
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
            insistence_.end_pause();
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
    is_restoring_ = !insistence_.robbed(now);
    if (is_restoring_) {
        insistence_.asked(now);
        return;
    }
    problem_ = "another program removed it " + std::to_string(insistence_.removals()) +
               " times in 10 s; put back after a pause";
}

void HeldAddress::failed(std::string_view reason, Instant now) {
    asked_ = Step::Nothing;
    is_restoring_ = false;
    problem_ = reason;
    insistence_.refused(now);
}

HeldAddress::Step HeldAddress::next_step(Instant now) {
    if (asked_ != Step::Nothing || insistence_.is_pausing(now)) {
        return Step::Nothing;
    }
    if (is_wanted_ && !is_present_) {
        asked_ = Step::Add;
    } else if (!is_wanted_ && is_owned_) {
        asked_ = Step::Remove;
    } else {
        return Step::Nothing;
    }
    insistence_.asked(now);
    return asked_;
}

bool HeldAddress::tick(Instant now) {
    if ((asked_ != Step::Nothing || is_restoring_) && insistence_.is_overdue(now)) {
        failed("the kernel did not answer", now);
        return true;
    }
    return insistence_.retry_at() && !insistence_.is_pausing(now);
}

std::optional<Instant> HeldAddress::next_deadline() const {
    if (asked_ != Step::Nothing || is_restoring_) {
        return insistence_.answer_by();
    }
    const bool needs_retry = is_wanted_ ? !is_present_ : is_owned_;
    return needs_retry ? insistence_.retry_at() : std::nullopt;
}

Presence HeldAddress::presence() const {
    if (is_present_) {
        return Presence::Present;
    }
    return is_restoring_ ? Presence::Restoring : Presence::Absent;
}

} // namespace anyvip::vip
