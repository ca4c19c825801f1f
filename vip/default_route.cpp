// SPDX-License-Identifier: Apache-2.0
// Asking, being refused, being robbed, asking again: as for addresses.
#include "vip/default_route.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace anyvip::vip {

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
    // The cause of a refusal may have gone with the next hop, and nobody fights over what is to go.
    if (!is_contested_ || wanted_.empty()) {
        insistence_.end_pause();
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
        insistence_.end_pause();
        insistence_.succeeded();
        is_contested_ = false;
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
    is_contested_ = insistence_.robbed(now);
    if (is_contested_) {
        problem_ = "it was taken away " + std::to_string(insistence_.removals()) +
                   " times in 10 s; put back after a pause";
    }
}

void HeldRoute::failed(std::string_view reason, Instant now) {
    asked_.reset();
    problem_ = reason;
    insistence_.refused(now);
}

std::optional<NextHops> HeldRoute::next_step(Instant now) {
    if (asked_ || wanted_ == present_ || insistence_.is_pausing(now)) {
        return std::nullopt;
    }
    is_contested_ = false;
    asked_ = wanted_;
    insistence_.asked(now);
    return asked_;
}

void HeldRoute::tick(Instant now) {
    if (asked_ && insistence_.is_overdue(now)) {
        failed("the kernel did not answer", now);
    }
}

std::optional<Instant> HeldRoute::next_deadline() const {
    if (asked_) {
        return insistence_.answer_by();
    }
    return wanted_ == present_ ? std::nullopt : insistence_.retry_at();
}

} // namespace anyvip::vip
