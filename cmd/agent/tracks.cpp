// SPDX-License-Identifier: Apache-2.0
// What `explain` remembers between two looks: for each condition since when, and by what. What
// belongs to a route is small, because there are many; its cause is found when it is asked for.
#include <algorithm>
#include <array>

#include "cmd/agent/impl.hpp"

namespace anyvip::cmd {

namespace {

[[nodiscard]] std::string event_of(const AddressSlot& slot) {
    switch (slot.held.presence()) {
    case vip::Presence::Present:
        return (slot.held.is_owned() ? "put on " : "somebody else put it on ") + slot.interface;
    case vip::Presence::Restoring:
        return "another program removed it; it is put back";
    case vip::Presence::Absent:
        break;
    }
    return slot.held.problem().empty() ? "taken off" : slot.held.problem();
}

[[nodiscard]] RouteTrack::Step
step_of(const VipRecord& record, const PeerRecord& peer, std::size_t address) {
    if (limited(record.decision.routes[address], peer.use) == vip::RouteMode::None) {
        return RouteTrack::Step::NotWanted;
    }
    return peer.peer.is_advertised(record.addresses[address]->prefix) ? RouteTrack::Step::Sent
                                                                      : RouteTrack::Step::Waiting;
}

void note_routes(VipRecord& record, Instant now) {
    record.routes.resize(record.peers.size() * record.addresses.size(), {});
    std::size_t place = 0;
    for (const PeerRecord* peer : record.peers) {
        for (std::size_t i = 0; i < record.addresses.size(); ++i) {
            RouteTrack& track = record.routes[place++];
            const RouteTrack::Step step = step_of(record, *peer, i);
            if (track.step != step) {
                track = {step, now};
            }
        }
    }
}

} // namespace

void Agent::Impl::note_tracks(VipRecord& record, Instant now) {
    const auto note = [&](Tracked tracked, std::string_view value, std::string_view event) {
        record.tracks[static_cast<std::size_t>(tracked)].note(value, event, now);
    };
    const vip::Conditions& conditions = record.conditions;
    note(Tracked::Health, vip::to_string(conditions.verdict), conditions.health_reason);
    note(Tracked::HoldDown, vip::to_string(conditions.hold_down), conditions.health_reason);
    note(Tracked::Drain,
         conditions.drain == vip::DrainStep::None ? "not drained"
                                                  : std::string_view(conditions.drain_reason),
         conditions.drain == vip::DrainStep::None ? "undrained"
                                                  : std::string_view(conditions.drain_reason));
    note(Tracked::Stop, conditions.is_stopping ? "stopping" : "running", "stop");
    for (AddressSlot* slot : record.addresses) {
        if (const std::string_view presence = vip::to_string(slot->held.presence());
            slot->track.value != presence) {
            slot->track.note(presence, event_of(*slot), now);
        }
    }
    note_routes(record, now);
}

void Agent::Impl::note_drain_file(Instant now) {
    // Empty is how both begin, and a value that can come back.
    drain_file_refused.note(
        file_refusal.empty() ? "no" : std::string_view(file_refusal), file_refusal, now);
    drain_file_hidden.note(
        file_problem.empty() ? "no" : std::string_view(file_problem), file_problem, now);
}

// Peers and addresses of the VIP have changed: what stays keeps its time.
void VipRecord::follow(const std::vector<PeerRecord*>& old_peers,
                       const std::vector<AddressSlot*>& old_addresses) {
    const std::vector<RouteTrack> before = std::exchange(routes, {});
    for (const PeerRecord* peer : peers) {
        const auto old_peer = std::ranges::find(old_peers, peer);
        for (const AddressSlot* slot : addresses) {
            const auto old_slot = std::ranges::find(old_addresses, slot);
            const auto place =
                static_cast<std::size_t>(old_peer - old_peers.begin()) * old_addresses.size() +
                static_cast<std::size_t>(old_slot - old_addresses.begin());
            const bool is_old = old_peer != old_peers.end() && old_slot != old_addresses.end() &&
                                place < before.size();
            routes.push_back(is_old ? before[place] : RouteTrack{});
        }
    }
}

// The latest of what came before the route was as it is.
Cause cause_of(const VipRecord& record,
               const PeerRecord& peer,
               std::size_t peer_index,
               std::size_t address) {
    const bgp::PeerStatus status = peer.peer.status();
    const std::size_t place = peer_index * record.addresses.size() + address;
    const RouteTrack track = place < record.routes.size() ? record.routes[place] : RouteTrack{};
    Cause cause{std::max(track.since, status.since), ""};
    Instant latest{};
    const auto consider = [&](Instant at, const std::string& event) {
        if (!event.empty() && at <= cause.since && at >= latest) {
            latest = at;
            cause.last_event = event;
        }
    };
    for (const Track& condition : record.tracks) {
        consider(condition.since, condition.last_event);
    }
    consider(record.addresses[address]->track.since, record.addresses[address]->track.last_event);
    consider(peer.use_track.since, peer.use_track.last_event);
    consider(status.since, "session Established");
    return cause;
}

} // namespace anyvip::cmd
