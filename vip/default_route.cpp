// SPDX-License-Identifier: Apache-2.0
// Asking, being refused, being robbed, asking again: as for addresses.
#include "vip/default_route.hpp"

#include <algorithm>
#include <array>
#include <utility>

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

Prefix default_prefix(Family family) {
    return family == Family::Ipv4 ? Prefix()
                                  : Prefix::of(IpAddress::v6(std::array<std::uint8_t, 16>{}), 0);
}

std::string to_string(const NextHop& next_hop) {
    return to_string(next_hop.address) + " dev " + next_hop.interface;
}

std::string to_string(const NextHops& next_hops) {
    std::string text;
    for (const NextHop& next_hop : next_hops) {
        text += (text.empty() ? "via " : ", ") + to_string(next_hop);
    }
    return text.empty() ? "none" : text;
}

std::string to_string(const DefaultRouteKey& key) {
    return to_string(default_prefix(key.family)) + " metric " + std::to_string(key.metric);
}

void HeldRoute::want(NextHops next_hops) {
    if (next_hops == wanted_) {
        return;
    }
    wanted_ = std::move(next_hops);
    asked_.reset();
    if (!is_contested_) { // the cause of a refusal may have gone with the next hop
        retry_at_.reset();
        problem_.clear();
    }
}

HeldRoute::Change HeldRoute::observed(NextHops present, Instant now) {
    const NextHops before = std::exchange(present_, std::move(present));
    if (present_ == before && present_ != wanted_) {
        return Change::Nothing;
    }
    const bool was_asked = asked_.has_value();
    if (present_ == wanted_) {
        asked_.reset();
        retry_at_.reset();
        is_contested_ = false;
        pause_ = 0ms;
        problem_.clear();
        return present_ == before ? Change::Nothing : Change::Changed;
    }
    const bool is_robbed = std::ranges::any_of(before, [&](const NextHop& next_hop) {
        return wanted_.contains(next_hop) && !present_.contains(next_hop);
    });
    if (was_asked || !is_robbed) {
        return Change::Changed;
    }
    taken_away(now);
    return Change::TakenAway;
}

void HeldRoute::taken_away(Instant now) {
    removals_.push_back(now);
    while (removals_.front() + contest_window <= now) {
        removals_.pop_front();
    }
    is_contested_ = removals_.size() > tolerated_removals;
    if (!is_contested_) {
        retry_at_.reset();
        return;
    }
    retry_at_ = now + contest_pause;
    problem_ = "it was taken away " + std::to_string(removals_.size()) +
               " times in 10 s; put back after a pause";
}

void HeldRoute::failed(std::string_view reason, Instant now) {
    asked_.reset();
    problem_ = reason;
    pause_ = std::clamp(pause_ * 2, first_pause, longest_pause);
    retry_at_ = now + pause_;
}

std::optional<NextHops> HeldRoute::next_step(Instant now) {
    if (asked_ || wanted_ == present_ || (retry_at_ && now < *retry_at_)) {
        return std::nullopt;
    }
    retry_at_.reset();
    is_contested_ = false;
    asked_ = wanted_;
    answer_by_ = now + answer_limit;
    return asked_;
}

void HeldRoute::tick(Instant now) {
    if (asked_ && now >= answer_by_) {
        failed("the kernel did not answer", now);
    }
}

std::optional<Instant> HeldRoute::next_deadline() const {
    if (asked_) {
        return answer_by_;
    }
    return wanted_ == present_ ? std::nullopt : retry_at_;
}

} // namespace anyvip::vip
