// SPDX-License-Identifier: Apache-2.0
// The decision over the whole table of its conditions, against CONTRACT section 3 said in another
// way.
#include <array>

#include <doctest/doctest.h>

#include "vip/decision.hpp"

namespace anyvip::vip {

namespace {

constexpr std::array verdicts{Verdict::Pending, Verdict::Up, Verdict::SharedDown, Verdict::Down};
constexpr std::array hold_downs{
    HoldDown::None, HoldDown::Damping, HoldDown::Unsteady, HoldDown::Configured};
constexpr std::array steps{
    DrainStep::None, DrainStep::GracefulShutdown, DrainStep::Withdrawn, DrainStep::Finished};
constexpr std::array presences{Presence::Absent, Presence::Present, Presence::Restoring};

template <class Visit> void for_all_conditions(const Visit& visit) {
    for (const Verdict verdict : verdicts) {
        for (const HoldDown hold_down : hold_downs) {
            for (const DrainStep drain : steps) {
                for (const Presence presence : presences) {
                    for (unsigned bits = 0; bits < 32; ++bits) {
                        Conditions conditions;
                        conditions.verdict = verdict;
                        conditions.hold_down = hold_down;
                        conditions.drain = drain;
                        conditions.addresses = {presence, Presence::Present};
                        conditions.was_up = (bits & 1U) != 0;
                        conditions.is_stopping = (bits & 2U) != 0;
                        conditions.may_release = (bits & 4U) != 0;
                        conditions.has_session = (bits & 8U) != 0;
                        conditions.is_sent = (bits & 16U) != 0;
                        conditions.health_reason = "health";
                        conditions.drain_reason = "drain";
                        visit(conditions);
                    }
                }
            }
        }
    }
}

[[nodiscard]] VipConfig config_with(OnDown on_down) {
    VipConfig config;
    config.name = "www";
    config.on_down = on_down;
    return config;
}

/// CONTRACT section 3, "A prefix is announced if and only if", before address and session.
[[nodiscard]] bool may_be_routed(const Conditions& now, const VipConfig& config) {
    if (now.verdict == Verdict::Pending || now.is_stopping) {
        return false;
    }
    if (now.drain == DrainStep::Withdrawn || now.drain == DrainStep::Finished) {
        return false;
    }
    const bool is_held =
        now.hold_down == HoldDown::Configured || now.hold_down == HoldDown::Unsteady;
    const bool is_last_resort = config.on_down == OnDown::Backup && now.was_up;
    return (is_healthy(now.verdict) && !is_held) || is_last_resort;
}

} // namespace

TEST_CASE("CONTRACT 3: announced if and only if its conditions hold, over the whole table") {
    for (const OnDown on_down : {OnDown::Withdraw, OnDown::Backup}) {
        const VipConfig config = config_with(on_down);
        for_all_conditions([&](const Conditions& now) {
            INFO(to_string(now));
            const Decision decision = decide(now, config);
            REQUIRE(decision.routes.size() == 2);
            const bool is_routed = may_be_routed(now, config);
            CHECK((decision.mode != RouteMode::None) == is_routed);
            CHECK((decision.routes[0] != RouteMode::None) ==
                  (is_routed && now.addresses[0] != Presence::Absent));
            CHECK((decision.routes[1] != RouteMode::None) == is_routed);
        });
    }
}

TEST_CASE("CONTRACT 3: how it is announced, over the whole table") {
    const VipConfig config = config_with(OnDown::Withdraw);
    for_all_conditions([&](const Conditions& now) {
        INFO(to_string(now));
        const Decision decision = decide(now, config);
        if (decision.mode == RouteMode::None) {
            return;
        }
        const bool is_plain = now.verdict == Verdict::Up && now.hold_down == HoldDown::None;
        CHECK((decision.mode == RouteMode::Backup) == !is_plain);
        CHECK((decision.mode == RouteMode::GracefulShutdown) ==
              (is_plain && now.drain == DrainStep::GracefulShutdown));
    });
}

TEST_CASE("CONTRACT 3: the state, over the whole table") {
    const VipConfig config = config_with(OnDown::Withdraw);
    for_all_conditions([&](const Conditions& now) {
        INFO(to_string(now));
        const Decision decision = decide(now, config);
        CHECK((decision.state == VipState::Drained) == (now.drain == DrainStep::Finished));
        CHECK((decision.state == VipState::Draining) ==
              (now.drain == DrainStep::GracefulShutdown || now.drain == DrainStep::Withdrawn));
        if (now.drain != DrainStep::None) {
            CHECK(decision.reason == "drain");
            return;
        }
        CHECK((decision.state == VipState::Starting) ==
              (now.verdict == Verdict::Pending && !now.is_stopping));
        const bool is_shown = decision.mode != RouteMode::None && now.is_sent;
        CHECK((decision.state == VipState::Announced || decision.state == VipState::Backup) ==
              is_shown);
        CHECK((decision.state == VipState::Backup) ==
              (is_shown && decision.mode == RouteMode::Backup));
        CHECK_FALSE(decision.reason.empty());
    });
}

TEST_CASE("CONTRACT 2: the address, by policy, over the whole table") {
    for (const AddressPolicy policy :
         {AddressPolicy::Hold, AddressPolicy::Follow, AddressPolicy::External}) {
        VipConfig config = config_with(OnDown::Withdraw);
        config.address_policy = policy;
        for_all_conditions([&](const Conditions& now) {
            INFO(to_string(now));
            const Decision decision = decide(now, config);
            if (policy == AddressPolicy::External) {
                CHECK_FALSE(decision.wants_address);
                return;
            }
            // Taken off only after it was withdrawn, for as long as packets may be on their way.
            if (decision.mode != RouteMode::None || !now.may_release) {
                CHECK(decision.wants_address);
            } else {
                CHECK(decision.wants_address ==
                      (policy == AddressPolicy::Hold && !now.is_stopping));
            }
        });
    }
}

TEST_CASE("a withdrawn VIP says what is missing") {
    const VipConfig config = config_with(OnDown::Withdraw);
    Conditions now;
    now.verdict = Verdict::Up;
    now.addresses = {Presence::Absent};
    now.address_problem = "address 203.0.113.10/32 is not on lo";
    now.session_problem = "no session is established: tor1";
    CHECK(decide(now, config).reason == "healthy, but address 203.0.113.10/32 is not on lo");
    now.addresses = {Presence::Present};
    CHECK(decide(now, config).reason == "healthy, but no session is established: tor1");
    now.has_session = true;
    now.session_problem = "no router is in use: tor1 (drained)";
    CHECK(decide(now, config).reason == "healthy, but no router is in use: tor1 (drained)");
    now.session_problem.clear();
    CHECK(decide(now, config).reason == "healthy, its route is about to be sent");
    now.lacks_carried_address = true; // another address is there, but no session can carry it
    CHECK(decide(now, config).reason == "healthy, but address 203.0.113.10/32 is not on lo");
    now.lacks_carried_address = false;
    now.hold_down = HoldDown::Configured;
    CHECK(decide(now, config).reason == "up again, but hold_down still runs");
    now.verdict = Verdict::Down;
    now.health_reason = "http check web: timeout after 1.0 s, 3 of 3";
    CHECK(decide(now, config).reason == "http check web: timeout after 1.0 s, 3 of 3");
}

TEST_CASE("the intent of each mode") {
    VipConfig config = config_with(OnDown::Backup);
    config.prepend = 1;
    config.med = 10;
    const bgp::RouteIntent plain = make_intent(config, RouteMode::Normal, 5.0F);
    CHECK(plain.prepend == 1);
    CHECK(plain.med == 10U);
    CHECK(plain.bandwidth_bytes_per_second == 5.0F);
    CHECK_FALSE(plain.is_draining);
    CHECK_FALSE(plain.is_backup);
    CHECK(make_intent(config, RouteMode::GracefulShutdown, {}).is_draining);
    const bgp::RouteIntent backup = make_intent(config, RouteMode::Backup, {});
    CHECK(backup.is_backup);
    CHECK(backup.prepend == 6);
    CHECK(backup.med == 10U);
    config.backup_med = 4294967294U;
    CHECK(make_intent(config, RouteMode::Backup, {}).med == 4294967294U);
}

} // namespace anyvip::vip
