// SPDX-License-Identifier: Apache-2.0
// `anyvip explain`: every condition of CONTRACT section 3 with its value, since when, what changed
// it last, and what would have to change. What stands in the way comes first.
#include <algorithm>
#include <chrono>

#include "cmd/agent/impl.hpp"

namespace anyvip::cmd {

namespace {

using namespace std::chrono_literals;

constexpr auto traffic_expected_within = 60s;

[[nodiscard]] const Track& track_of(const VipRecord& record, Tracked tracked) {
    return record.tracks[static_cast<std::size_t>(tracked)];
}

[[nodiscard]] std::string check_remedy(const health::Check& check) {
    const std::uint32_t rise = check.config().schedule.rise;
    return "check " + check.config().name + " must pass " + std::to_string(rise) +
           " times in a row (" + std::to_string(check.successes_in_row()) + " so far)";
}

void explain_checks(const VipRecord& record, std::vector<vip::Condition>& conditions) {
    for (std::size_t i = 0; i < record.checks.size(); ++i) {
        for (const CheckInstance* instance : record.checks[i]) {
            const health::Check& check = instance->check;
            const auto stand_in = stand_in_for(record, record.config.checks[i], check);
            const bool is_up = stand_in.value_or(check.state()) == health::State::Up;
            const std::string reason =
                stand_in ? "the verdict from before the reload, until its own" : check.reason();
            conditions.push_back(
                {"check " + instance->label,
                 std::string(health::to_string(stand_in.value_or(check.state()))) +
                     (reason.empty() ? "" : ": " + reason),
                 is_up,
                 check.since(),
                 check.transitions().empty() ? "" : check.transitions().back().reason,
                 is_up ? "" : check_remedy(check)});
        }
    }
}

void explain_addresses(const VipRecord& record, std::vector<vip::Condition>& conditions) {
    const bool is_external = record.config.address_policy == vip::AddressPolicy::External;
    for (const AddressSlot* slot : record.addresses) {
        const vip::Presence presence = slot->held.presence();
        const std::string& problem = slot->held.problem();
        const bool is_met = presence != vip::Presence::Absent;
        std::string remedy;
        if (!is_met && is_external) {
            remedy = "somebody else must put it on " + slot->interface + " (address_policy)";
        } else if (!is_met && record.decision.wants_address) {
            remedy = problem.empty() ? "the kernel must confirm it" : "end its cause: " + problem;
        } else if (!is_met) {
            remedy = "it follows the announcement (address_policy)";
        }
        conditions.push_back({"address " + to_string(slot->prefix),
                              std::string(vip::to_string(presence)) + " on " + slot->interface +
                                  (problem.empty() ? "" : ": " + problem),
                              is_met,
                              slot->track.since,
                              slot->track.last_event,
                              std::move(remedy)});
    }
}

[[nodiscard]] vip::Condition explain_session(const PeerRecord& peer,
                                             const bgp::PeerStatus& status) {
    const bool is_met = status.state == bgp::SessionState::Established;
    std::string remedy;
    if (!peer.refused.empty()) {
        remedy = peer.refused;
    } else if (!is_met) {
        remedy = "the session must be Established";
        if (peer.entry.bfd && peer.entry.bfd->strict && peer.bfd != BfdState::Up) {
            remedy = "BFD must be up first (strict)";
        }
    }
    std::string last;
    if (status.last_error) {
        last = (status.last_error->sent ? "sent " : "") + status.last_error->name +
               (status.last_error->message.empty() ? "" : ": " + status.last_error->message);
    }
    return {"session " + peer.entry.session.name,
            std::string(bgp::to_string(status.state)),
            is_met,
            status.since,
            std::move(last),
            std::move(remedy)};
}

[[nodiscard]] vip::Condition explain_route(const VipRecord& record,
                                           const PeerRecord& peer,
                                           std::size_t peer_index,
                                           std::size_t address) {
    const Prefix& prefix = record.addresses[address]->prefix;
    const bool is_sent = peer.peer.is_advertised(prefix);
    const bool is_wanted =
        record.decision.routes.size() > address &&
        limited(record.decision.routes[address], peer.use) != vip::RouteMode::None;
    Cause cause = cause_of(record, peer, peer_index, address);
    return {"route " + to_string(prefix) + " to " + peer.entry.session.name,
            is_sent     ? "sent"
            : is_wanted ? "waits to be sent"
                        : "not wanted",
            is_sent,
            cause.since,
            std::move(cause.last_event),
            is_sent     ? ""
            : is_wanted ? "the router must read what waits for it"
                        : "the conditions above must be met"};
}

void explain_peer(const VipRecord& record,
                  std::size_t peer_index,
                  std::vector<vip::Condition>& conditions) {
    const PeerRecord& peer = *record.peers[peer_index];
    const bgp::PeerStatus status = peer.peer.status();
    const std::string& name = peer.entry.session.name;
    conditions.push_back(explain_session(peer, status));
    if (peer.use != PeerUse::Open) {
        conditions.push_back(
            {"peer " + name + " in use",
             peer.use_track.value,
             false,
             peer.use_track.since,
             peer.use_track.last_event,
             peer.is_held ? "anyvip undrain --peer " + name : "its session must be back"});
    }
    if (status.state != bgp::SessionState::Established) {
        return;
    }
    for (std::size_t i = 0; i < record.addresses.size(); ++i) {
        const Family family = record.addresses[i]->prefix.family();
        const std::string& problem = status.family_problem[static_cast<std::size_t>(family)];
        if (peer.peer.can_announce(family)) {
            conditions.push_back(explain_route(record, peer, peer_index, i));
        } else {
            conditions.push_back({std::string(to_string(family)) + " to " + name,
                                  problem.empty() ? "not negotiated" : problem,
                                  false,
                                  status.since,
                                  "session Established",
                                  family_remedy(peer.entry, status, family)});
        }
    }
}

void explain_traffic(const VipRecord& record,
                     Instant now,
                     std::vector<vip::Condition>& conditions) {
    if (record.has_told_stray && record.traffic.withdrawn_at && !record.is_exposed) {
        conditions.push_back(
            {"traffic",
             std::to_string(record.traffic.packets) + " packets have arrived since the withdraw",
             false,
             record.traffic.last_packet_at.value_or(now),
             "",
             "look for a static or stale route on a router"});
    }
    if (record.is_exposed && record.traffic.measured_at && !record.has_traffic &&
        now >= record.exposed_since + traffic_expected_within) {
        conditions.push_back({"traffic",
                              "nothing has come in its first 60 s",
                              false,
                              record.exposed_since,
                              "",
                              "look at the routers' import filters and multipath"});
    }
}

// The answers' way back; without it a VIP is announced and silent.
void explain_default_routes(const std::vector<DefaultRouteView>& routes,
                            std::vector<vip::Condition>& conditions) {
    for (const DefaultRouteView& route : routes) {
        vip::NextHops installed;
        for (const DefaultRouteView::Hop& hop : route.next_hops) {
            if (hop.is_installed) {
                installed.insert(hop.next_hop);
            }
        }
        std::string value = to_string(installed);
        value += route.is_last ? "; no router offers it any more, the last one stays" : "";
        value += route.problem.empty() ? "" : "; " + route.problem;
        value += route.hidden_by.empty() ? "" : "; hidden by " + route.hidden_by;
        std::string remedy;
        if (!route.problem.empty()) {
            remedy = "end its cause: " + route.problem;
        } else if (!route.hidden_by.empty()) {
            remedy = "remove that route, give it a greater metric, or lower default_route_metric";
        }
        conditions.push_back({"default route " + to_string(route.key),
                              std::move(value),
                              route.problem.empty() && route.hidden_by.empty(),
                              route.since,
                              route.last_event,
                              std::move(remedy)});
    }
}

// A router that was meant to send one and does not.
void explain_offers(const PeerSet& peers,
                    const VipRecord& record,
                    std::vector<vip::Condition>& conditions) {
    for (const DefaultRouteOffer& offer : DefaultRoutes::offers(peers)) {
        const bool is_of_family = std::ranges::any_of(record.addresses, [&](const auto* slot) {
            return slot->prefix.family() == offer.family;
        });
        const auto peer = std::ranges::find_if(peers.all(), [&](const auto& other) {
            return other->entry.session.name == offer.peer;
        });
        if (is_of_family && !offer.next_hop && peer != peers.all().end()) {
            const Track& track = (*peer)->offer_tracks[static_cast<std::size_t>(offer.family)];
            conditions.push_back(
                {"default route " + to_string(vip::default_prefix(offer.family)) + " from " +
                     offer.peer,
                 offer.problem,
                 false,
                 track.since,
                 track.last_event,
                 "the router must send one with a next hop on a connected subnet"});
        }
    }
}

} // namespace

std::vector<vip::Condition> Agent::Impl::explain(const VipRecord& record) const {
    const auto simple = [&](std::string name, Tracked tracked, bool is_met, std::string remedy) {
        const Track& track = track_of(record, tracked);
        return vip::Condition{std::move(name),
                              track.value,
                              is_met,
                              track.since,
                              track.last_event,
                              is_met ? "" : std::move(remedy)};
    };
    const vip::Conditions& now = record.conditions;
    std::vector<vip::Condition> conditions;
    conditions.push_back(simple(
        "not stopping", Tracked::Stop, !now.is_stopping, "the daemon must be started again"));
    conditions.push_back(
        simple("not drained",
               Tracked::Drain,
               now.drain == vip::DrainStep::None,
               file_holds ? "remove " + config.daemon.drain_file : "anyvip undrain"));
    conditions.push_back(simple(
        "health", Tracked::Health, now.verdict == vip::Verdict::Up, "the checks below must be up"));
    explain_checks(record, conditions);
    conditions.push_back(simple("no hold-down",
                                Tracked::HoldDown,
                                now.hold_down == vip::HoldDown::None,
                                "it ends by itself while the checks stay up"));
    explain_addresses(record, conditions);
    for (std::size_t i = 0; i < record.peers.size(); ++i) {
        explain_peer(record, i, conditions);
    }
    explain_default_routes(default_routes.routes(peers), conditions);
    explain_offers(peers, record, conditions);
    explain_traffic(record, last_turn, conditions);
    if (!file_refusal.empty()) {
        conditions.push_back({"drain file",
                              "exists, but is refused: " + file_refusal,
                              true,
                              drain_file_refused.since,
                              drain_file_refused.last_event,
                              ""});
    }
    if (!file_problem.empty()) {
        conditions.push_back({"drain file",
                              "cannot be looked at: " + file_problem + "; it counts as " +
                                  (file_exists ? "present" : "absent") + ", as seen last",
                              false,
                              drain_file_hidden.since,
                              drain_file_hidden.last_event,
                              "end its cause: " + file_problem});
    }
    std::ranges::stable_partition(
        conditions, [](const vip::Condition& condition) { return !condition.is_met; });
    return conditions;
}

// A verdict keeps the evidence that led to it; what the check says by now may be another story.
std::string Agent::Impl::latest_evidence(const VipRecord& record) const {
    const health::Check* in_the_way = nullptr;
    for (const health::State state : {health::State::Unknown, health::State::Down}) {
        for (const auto& instances : record.checks) {
            for (const CheckInstance* instance : instances) {
                if (in_the_way == nullptr && instance->check.state() == state) {
                    in_the_way = &instance->check;
                }
            }
        }
    }
    if (in_the_way == nullptr) {
        return {};
    }
    if (!in_the_way->last()) {
        return "its first run has not ended";
    }
    const health::Result& last = in_the_way->last()->result;
    const health::Schedule& schedule = in_the_way->config().schedule;
    if (last.outcome == health::Outcome::Pass) {
        return "passed " + std::to_string(in_the_way->successes_in_row()) + " of " +
               std::to_string(schedule.rise);
    }
    if (in_the_way->reason().find(last.detail) != std::string::npos) {
        return {};
    }
    return last.detail + (in_the_way->state() == health::State::Unknown
                              ? ", " + std::to_string(in_the_way->failures_in_row()) + " of " +
                                    std::to_string(schedule.fall)
                              : "");
}

} // namespace anyvip::cmd
