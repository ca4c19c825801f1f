// SPDX-License-Identifier: Apache-2.0
#include "health/service.hpp"

#include <algorithm>

namespace anyvip::health {

namespace {

struct Tally {
    std::uint32_t local = 0;
    std::uint32_t up = 0;
    std::uint32_t weight = 100;
    const Member* without_verdict = nullptr;
    const Member* failing = nullptr; ///< first local one
    const Member* demoting = nullptr;
};

/// A check that is down for a shared reason only proves that the service answers: it counts as up.
bool is_up(const Member& member) {
    return member.state == State::Up || member.is_demoted;
}

Tally tally(std::span<const Member> members) {
    Tally result;
    const auto keep_first = [](const Member*& slot, const Member& member) {
        slot = slot != nullptr ? slot : &member;
    };
    for (const Member& member : members) {
        const bool is_local = member.scope == Scope::Local;
        if (member.state == State::Down && (!is_local || member.is_demoted)) {
            keep_first(result.demoting, member);
        }
        if (!is_local) {
            continue;
        }
        ++result.local;
        if (member.state == State::Unknown) {
            keep_first(result.without_verdict, member);
        } else if (is_up(member)) {
            ++result.up;
            result.weight = std::min(result.weight, member.weight);
        } else {
            keep_first(result.failing, member);
        }
    }
    return result;
}

/// Worst last.
int badness(const Member& member) {
    if (member.state == State::Up) {
        return 0;
    }
    if (member.is_demoted) {
        return 1;
    }
    return member.state == State::Down ? 2 : 3;
}

} // namespace

Member member_of(const Check& check) {
    return {.state = check.state(),
            .scope = check.config().scope,
            .is_demoted = check.is_demoted(),
            .weight = check.weight(),
            .name = check.config().name,
            .reason = check.reason()};
}

Member conjunction_of(std::string_view name, std::span<const Member> instances) {
    if (instances.empty()) {
        return {.state = State::Up, .name = name, .reason = "no address uses it"};
    }
    const auto worst = std::ranges::max_element(instances, {}, badness);
    Member whole = *worst;
    whole.name = name;
    whole.weight = std::ranges::min(instances, {}, &Member::weight).weight;
    return whole;
}

ServiceHealth evaluate(std::span<const Member> members, std::uint32_t require) {
    const Tally found = tally(members);
    const std::uint32_t needed = require == 0 ? found.local : std::min(require, found.local);
    ServiceHealth health{.weight = found.weight};

    if (found.without_verdict != nullptr) {
        health.state = State::Unknown;
        health.in_the_way = found.without_verdict->name;
        health.reason = "check " + std::string(health.in_the_way) + " has no verdict yet";
        return health;
    }
    if (found.up < needed) {
        health.state = State::Down;
        health.in_the_way = found.failing->name;
        health.reason = found.failing->reason;
        if (require != 0) {
            health.reason = std::to_string(found.up) + " of " + std::to_string(needed) +
                            " required checks up; " + health.reason;
        }
        return health;
    }
    health.state = State::Up;
    if (found.demoting != nullptr) {
        health.is_demoted = true;
        health.in_the_way = found.demoting->name;
        health.reason = found.demoting->reason;
    } else if (found.local == 0) {
        health.reason = "no local check";
    } else if (found.up == found.local) {
        health.reason = "all checks up";
    } else {
        health.reason =
            std::to_string(found.up) + " checks up, " + std::to_string(needed) + " required";
    }
    return health;
}

} // namespace anyvip::health
