// SPDX-License-Identifier: Apache-2.0
// Damping arithmetic.
#include "vip/hold_down.hpp"

#include <algorithm>
#include <initializer_list>

namespace anyvip::vip {

namespace {

using namespace std::chrono_literals;

constexpr auto window = std::chrono::minutes(1);
constexpr std::size_t tolerated_falls = 2;
constexpr std::chrono::milliseconds least_penalty = 1s;
constexpr std::chrono::milliseconds greatest_penalty = 60s;
// A service that flaps faster than this would otherwise alternate between backup and withdrawn,
// one UPDATE for each flap, which is what damping is there to prevent.
constexpr auto steady_after = 500ms;

} // namespace

std::string_view to_string(HoldDown hold_down) {
    switch (hold_down) {
    case HoldDown::None:
        return "none";
    case HoldDown::Damping:
        return "damping";
    case HoldDown::Unsteady:
        return "damping, not steady yet";
    case HoldDown::Configured:
        return "hold_down";
    }
    return "";
}

void HoldDownClock::rose(Instant now) {
    up_since_ = now;
}

void HoldDownClock::fell(const VipConfig& config, Instant now) {
    held_until_ = now + config.hold_down;
    if (config.damping) {
        damp(now);
    }
    up_since_.reset();
}

void HoldDownClock::damp(Instant now) {
    for (auto up = up_since_.value_or(now); penalty_ > 0ms && up + window <= now; up += window) {
        penalty_ /= 2;
        if (penalty_ < least_penalty) {
            penalty_ = 0ms;
        }
    }
    falls_.push_back(now);
    while (falls_.front() + window <= now) {
        falls_.pop_front();
    }
    if (falls_.size() > tolerated_falls) {
        penalty_ = std::clamp(penalty_ * 2, least_penalty, greatest_penalty);
    }
    damped_until_ = now + penalty_;
}

HoldDown HoldDownClock::state(Instant now) const {
    if (now < held_until_) {
        return HoldDown::Configured;
    }
    if (now < damped_until_) {
        return up_since_ && now >= *up_since_ + steady_after ? HoldDown::Damping
                                                             : HoldDown::Unsteady;
    }
    return HoldDown::None;
}

std::optional<Instant> HoldDownClock::next_deadline(Instant now) const {
    std::optional<Instant> next;
    const Instant steady = up_since_ ? *up_since_ + steady_after : damped_until_;
    for (const Instant at : {held_until_, damped_until_, std::min(steady, damped_until_)}) {
        if (at > now && (!next || at < *next)) {
            next = at;
        }
    }
    return next;
}

} // namespace anyvip::vip
