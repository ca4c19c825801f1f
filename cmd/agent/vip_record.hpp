// SPDX-License-Identifier: Apache-2.0
// All that the agent knows of one VIP.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cmd/agent/address_set.hpp"
#include "cmd/agent/check_set.hpp"
#include "cmd/agent/peer_set.hpp"
#include "cmd/agent/track.hpp"
#include "health/service.hpp"
#include "vip/bandwidth.hpp"
#include "vip/decision.hpp"
#include "vip/hold_down.hpp"
#include "vip/traffic_end.hpp"

namespace anyvip::cmd {

/// The conditions of a whole VIP of which `explain` tells since when they are as they are. Those of
/// an address or a router are kept there.
enum class Tracked : std::uint8_t { Health, HoldDown, Drain, Stop };
inline constexpr std::size_t tracked_count = 4;

/// One prefix at one router. What has changed it is found in what else is tracked.
struct RouteTrack {
    enum class Step : std::uint8_t { NotWanted, Waiting, Sent };
    Step step = Step::NotWanted;
    Instant since;

    template <class Archive> void transfer(Archive& archive) {
        archive.choice(1, step, Step::Sent);
        archive.field(2, since);
    }
};

/// One drain of one VIP.
struct VipDrain {
    vip::DrainStep step = vip::DrainStep::None;
    DrainOutcome outcome = DrainOutcome::None;
    Instant since;
    std::string reason;      ///< who holds it, and why
    bool is_refused = false; ///< `keep_last` has ended it, and `reason` says so
    /// Finished with traffic left, and a drain has joined since: how long that one waits.
    std::optional<Instant> waits_until;

    /// Withdrawn, and its traffic has not ended yet, whether or not anybody waits for that.
    [[nodiscard]] bool has_traffic_left() const {
        return step == vip::DrainStep::Withdrawn ||
               (step == vip::DrainStep::Finished && outcome != DrainOutcome::Ended);
    }

    /// … and somebody does.
    [[nodiscard]] bool is_waiting() const {
        return step == vip::DrainStep::Withdrawn ||
               (step == vip::DrainStep::Finished && outcome == DrainOutcome::Running);
    }

    template <class Archive> void transfer(Archive& archive) {
        archive.choice(1, step, vip::DrainStep::Finished);
        archive.choice(2, outcome, DrainOutcome::Cancelled);
        archive.field(3, since);
        archive.field(4, reason);
        archive.field(5, is_refused);
        archive.field(6, waits_until);
    }
};

/// The verdict of a VIP at a reload.
struct Inherited {
    health::State state = health::State::Unknown;

    template <class Archive> void transfer(Archive& archive) {
        archive.choice(1, state, health::State::Down);
    }
};

struct VipRecord {
    std::uint64_t id = 0;
    vip::VipConfig config;
    std::vector<AddressSlot*> addresses;                   ///< as configured
    std::vector<std::vector<const CheckInstance*>> checks; ///< as configured, by name
    std::vector<PeerRecord*> peers;                        ///< those it is announced to

    health::ServiceHealth health;
    /// Checks that a reload gave it, with the verdict that it had then: counts until their own.
    std::map<std::string, Inherited> inherited;
    vip::HoldDownClock hold_down;
    bool was_up = false;
    std::optional<Instant> up_since; ///< as the plain route it can be: start of `slow_start`

    vip::BandwidthRamp ramp;
    std::optional<float> bandwidth;
    std::array<bgp::RouteIntentPtr, 4> intents; ///< by RouteMode, made when needed

    VipDrain drain;
    vip::TrafficWatch traffic;
    bool is_wanted = false;  ///< one of its prefixes is given to the peers
    bool is_exposed = false; ///< … and a router in use may know it
    Instant exposed_since;
    bool has_traffic = false; ///< a packet was seen since then
    bool has_told_stray = false;
    bool wants_flows = false;
    bool wants_packets = false;
    std::optional<std::uint64_t> flows; ///< last count, whatever it was asked for
    Instant flows_at;

    vip::Conditions conditions;
    vip::Decision decision;
    Instant since;                                    ///< of decision.state
    vip::VipState reported = vip::VipState::Starting; ///< by the last event
    std::array<Track, tracked_count> tracks;
    std::vector<RouteTrack> routes; ///< of each peer, each address

    bool is_dirty = false;
    std::optional<Instant> deadline;

    /// What goes over at an upgrade in place; the rest follows from the configuration, or is
    /// decided again in the next turn. Counting begins anew: `wants_flows` and `wants_packets` are
    /// false.
    template <class Archive> void transfer(Archive& archive) {
        archive.field(1, hold_down);
        archive.field(2, was_up);
        archive.field(3, up_since);
        archive.field(4, ramp);
        archive.field(5, bandwidth);
        archive.field(6, drain);
        archive.field(7, traffic);
        archive.field(8, is_wanted);
        archive.field(9, is_exposed);
        archive.field(10, exposed_since);
        archive.field(11, has_traffic);
        archive.field(12, has_told_stray);
        archive.field(13, flows);
        archive.field(14, flows_at);
        archive.field(15, decision);
        archive.field(16, since);
        archive.choice(17, reported, vip::VipState::Drained);
        archive.field(18, tracks);
        archive.field(19, inherited);
        archive.field(20, routes);
    }

    /// `routes` of before, with the peers and addresses of then, becomes that of now.
    void follow(const std::vector<PeerRecord*>& old_peers,
                const std::vector<AddressSlot*>& old_addresses);
};

struct Cause {
    Instant since;
    std::string last_event;
};

/// Of the state of one of its prefixes at one of its routers, by their places.
[[nodiscard]] Cause cause_of(const VipRecord& record,
                             const PeerRecord& peer,
                             std::size_t peer_index,
                             std::size_t address);

/// What counts for this VIP instead of the state of one of its checks, as long as that has no
/// verdict of its own (CONTRACT section 5).
[[nodiscard]] std::optional<health::State>
stand_in_for(const VipRecord& record, const std::string& name, const health::Check& check);

} // namespace anyvip::cmd
