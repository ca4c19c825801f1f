// SPDX-License-Identifier: Apache-2.0
// Who counts as a router of the link.
#include "bgp/net/router_table.hpp"

#include <algorithm>

#include "bgp/limits.hpp"

namespace anyvip::bgp::net {
namespace {

using namespace std::chrono_literals;

/// How long a router counts that was heard once, when there is another one.
constexpr std::chrono::seconds shortest_lifetime = 30s;
constexpr std::chrono::seconds longest_lifetime = 1800s;
/// After that it must have been silent for so many of its intervals, and at least so long: answers
/// to solicitations come faster than its usual advertisements.
constexpr int silent_intervals = 3;
/// RFC 4861 §6.2.4: the first three advertisements come faster than the later ones.
constexpr int telling_gaps = 3;
constexpr std::chrono::seconds shortest_silence = 30s;

} // namespace

void RouterTable::heard(const IpAddress& router, std::chrono::seconds lifetime, Instant now) {
    if (routers_.size() < limits::routers_on_link || routers_.contains(router)) {
        const auto [place, is_new] = routers_.try_emplace(router);
        Router& entry = place->second;
        const Duration gap = now - entry.last;
        // An outage is no interval.
        if (!is_new && !entry.is_in_doubt && gap <= longest_lifetime) {
            entry.interval = std::max(entry.interval, gap);
            ++entry.gaps;
        }
        // Said once or, as RFC 4861 §6.2.5 allows, three times.
        entry.is_in_doubt = lifetime == 0s && entry.lifetime > 0s;
        entry.lifetime = std::max(entry.lifetime, lifetime);
        entry.last = now;
        entry.until = now + std::clamp(lifetime, shortest_lifetime, longest_lifetime);
    }
    std::erase_if(routers_,
                  [&](const auto& one) { return one.first != router && is_gone(one.second, now); });
}

bool RouterTable::is_gone(const Router& router, Instant now) {
    if (router.is_in_doubt || router.gaps < telling_gaps) {
        return router.is_in_doubt || router.until <= now;
    }
    return now - router.last >
           std::max<Duration>(silent_intervals * router.interval, shortest_silence);
}

void RouterTable::link_lost() {
    for (auto& [address, router] : routers_) {
        router.is_in_doubt = true;
    }
}

std::optional<IpAddress> RouterTable::lone() const {
    return routers_.size() == 1 ? std::optional(routers_.begin()->first) : std::nullopt;
}

bool RouterTable::is_in_doubt() const {
    return std::ranges::all_of(routers_,
                               [](const auto& router) { return router.second.is_in_doubt; });
}

std::string RouterTable::names() const {
    std::string text;
    for (const auto& [address, router] : routers_) {
        text += (text.empty() ? "" : ", ") + to_string(address);
    }
    return text;
}

std::map<IpAddress, Instant> RouterTable::lifetimes() const {
    std::map<IpAddress, Instant> all;
    for (const auto& [address, router] : routers_) {
        all.emplace(address, router.until);
    }
    return all;
}

void RouterTable::restore(const std::map<IpAddress, Instant>& lifetimes, Instant now) {
    routers_.clear();
    for (const auto& [address, until] : lifetimes) {
        routers_[address] = {.until = until, .last = now, .lifetime = {}, .is_in_doubt = false};
    }
}

} // namespace anyvip::bgp::net
