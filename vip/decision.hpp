// SPDX-License-Identifier: Apache-2.0
// The one decision: from named conditions to a VIP's state, its reason, its address and its route.
// Nothing else decides.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bgp/route_intent.hpp"
#include "health/check.hpp"
#include "vip/config.hpp"
#include "vip/drain.hpp"
#include "vip/hold_down.hpp"

namespace anyvip::vip {

/// CONTRACT section 3, exactly these.
enum class VipState : std::uint8_t { Starting, Announced, Backup, Withdrawn, Draining, Drained };
[[nodiscard]] std::string_view to_string(VipState state);

/// One line of `explain`: a condition, its value, since when, and whether it stands in the way.
struct Condition {
    std::string name;
    std::string value;
    bool is_met = true;
    Instant since;
    std::string last_event; ///< what changed it last
    std::string remedy;     ///< what would have to change; empty when met
};

/// The health of a VIP: what its checks add up to.
enum class Verdict : std::uint8_t {
    Pending,    ///< a local check has had no verdict yet
    Up,         ///< enough local checks are up, no shared one is down
    SharedDown, ///< up, but something that all nodes share fails: backup
    Down,
};
[[nodiscard]] std::string_view to_string(Verdict verdict);

/// Good enough to serve.
[[nodiscard]] constexpr bool is_healthy(Verdict verdict) {
    return verdict == Verdict::Up || verdict == Verdict::SharedDown;
}

/// Where one address of a VIP is.
enum class Presence : std::uint8_t {
    Absent,
    Present,
    Restoring, ///< somebody took it away this very moment and it is being put back
};
[[nodiscard]] std::string_view to_string(Presence presence);

/// Everything that the decision about one VIP depends on.
struct Conditions {
    Verdict verdict = Verdict::Pending;
    bool was_up = false; ///< its health was up once: only then `on_down = "backup"` applies
    HoldDown hold_down = HoldDown::None;
    DrainStep drain = DrainStep::None;
    bool is_stopping = false;
    /// No packet can be on its way to it any more: never announced, or withdrawn for long enough.
    bool may_release = true;
    std::vector<Presence> addresses; ///< in the order of the configuration
    bool has_session = false;        ///< a session that can carry one of its prefixes
    /// There are such sessions, but each address that one of them could carry is absent.
    bool lacks_carried_address = false;
    bool is_sent = false; ///< one prefix at least has been sent to one peer
    std::string health_reason;
    std::string drain_reason;
    std::string address_problem;
    std::string session_problem;
};

/// All of it in one line, for logs and failed tests.
[[nodiscard]] std::string to_string(const Conditions& conditions);

/// How a prefix is announced.
enum class RouteMode : std::uint8_t { None, Normal, GracefulShutdown, Backup };
[[nodiscard]] std::string_view to_string(RouteMode mode);

struct Decision {
    VipState state = VipState::Starting;
    std::string reason; ///< one line that a person can read
    bool wants_address = false;
    RouteMode mode = RouteMode::None; ///< before the addresses have their say
    std::vector<RouteMode> routes;    ///< for each prefix, in the order of the configuration

    template <class Archive> void transfer(Archive& archive) {
        archive.choice(1, state, VipState::Drained);
        archive.field(2, reason);
        archive.field(3, wants_address);
        archive.choice(4, mode, RouteMode::Backup);
        archive.choices(5, routes, RouteMode::Backup);
    }
};

/// CONTRACT section 3. Session and address decide for each prefix, health for the whole VIP.
[[nodiscard]] Decision decide(const Conditions& conditions, const VipConfig& config);

/// What a VIP asks of its peers in this mode; `bandwidth`: link bandwidth in bytes a second.
[[nodiscard]] bgp::RouteIntent
make_intent(const VipConfig& config, RouteMode mode, std::optional<float> bandwidth);

} // namespace anyvip::vip
