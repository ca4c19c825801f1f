// SPDX-License-Identifier: Apache-2.0
// Routers: administration, events, use. The reload's part is in peer_reload.cpp.
#include "cmd/agent/peer_set.hpp"

#include <algorithm>

#include "cmd/agent/overload.hpp"

namespace anyvip::cmd {

namespace {

constexpr std::string_view out_by_drain = "drained";

[[nodiscard]] std::string families_text(const std::vector<Family>& families) {
    std::string text;
    for (const Family family : families) {
        text += (text.empty() ? "" : ",") + std::string(to_string(family));
    }
    return text;
}

} // namespace

vip::RouteMode limited(vip::RouteMode mode, PeerUse use) {
    switch (use) {
    case PeerUse::Open:
        return mode;
    case PeerUse::GracefulShutdown:
        return mode == vip::RouteMode::Normal ? vip::RouteMode::GracefulShutdown : mode;
    case PeerUse::Withdrawn:
        break;
    }
    return vip::RouteMode::None;
}

bool is_leaving(const PeerRecord& record, std::chrono::milliseconds gshut, Instant now) {
    switch (record.use) {
    case PeerUse::Open:
        return record.is_up && gshut.count() == 0;
    case PeerUse::GracefulShutdown:
        return record.is_up && record.use_until && now >= *record.use_until;
    case PeerUse::Withdrawn:
        break;
    }
    return false;
}

std::string_view to_string(BfdState state) {
    switch (state) {
    case BfdState::Off:
        return "off";
    case BfdState::AdminDown:
        return "admin_down";
    case BfdState::Down:
        return "down";
    case BfdState::Init:
        return "init";
    case BfdState::Up:
        return "up";
    }
    return "";
}

bool waits_for_bfd(const PeerRecord& record) {
    return record.entry.bfd && record.entry.bfd->strict && record.bfd != BfdState::Up &&
           record.bfd != BfdState::AdminDown && !record.is_bfd_admin_down;
}

void PeerSet::start(PeerRecord& record, Instant now) {
    if (!record.refused.empty()) {
        return;
    }
    if (waits_for_bfd(record)) {
        record.peer.defer();
    } else {
        record.peer.start(now);
    }
}

void PeerSet::bfd_state(std::string_view name,
                        BfdState state,
                        std::string_view diagnostic,
                        Instant now) {
    if (PeerRecord* record = find(name)) {
        bfd_state(*record, state, diagnostic, now);
    }
}

void PeerSet::bfd_state(PeerRecord& record,
                        BfdState state,
                        std::string_view diagnostic,
                        Instant now) {
    if (record.bfd == state) {
        return;
    }
    const BfdState before = std::exchange(record.bfd, state);
    const std::string& name = record.entry.session.name;
    if (state == BfdState::Up) {
        record.bfd_was_up = true;
        outbox_.event(now, "bfd.up", name, "BFD session up");
    } else if (before == BfdState::Up) {
        outbox_.event(
            now, "bfd.down", name, std::string(diagnostic.empty() ? to_string(state) : diagnostic));
    }
    const bool is_strict = record.entry.bfd && record.entry.bfd->strict;
    if (is_strict && (state == BfdState::Up || state == BfdState::AdminDown)) {
        start(record, now);
    }
    if (state == BfdState::Off) {
        record.bfd_was_up = false; // the next BFD session begins with Down, and that is no fall
    }
    if (state == BfdState::Down) {
        bfd_down(record, before, now);
    }
}

// RFC 5882 §4.2: only Down counts, AdminDown does not; and only after it was Up, because a router
// may begin with BFD after BGP.
void PeerSet::bfd_down(PeerRecord& record, BfdState before, Instant now) {
    const bool has_fallen =
        before != BfdState::AdminDown && std::exchange(record.bfd_was_up, false);
    if (record.is_bfd_admin_down) {
        return;
    }
    const bool is_established = record.peer.is_established();
    if (waits_for_bfd(record) && (has_fallen || !is_established)) {
        // BGP may have been the first to end: nothing is tried again before BFD is up.
        record.peer.stop(bgp::wire::Cease::BfdDown, {}, now);
        start(record, now);
    } else if (has_fallen && is_established) {
        record.peer.reset(bgp::wire::Cease::BfdDown, {}, now);
    }
}

void PeerSet::bfd_admin_down(std::string_view name, bool is_admin_down, Instant now) {
    PeerRecord* record = find(name);
    if (record == nullptr || record->is_bfd_admin_down == is_admin_down) {
        return;
    }
    record->is_bfd_admin_down = is_admin_down;
    if (is_admin_down && record->entry.bfd && record->entry.bfd->strict) {
        start(*record, now);
    }
}

void PeerSet::refused(std::string_view name, std::string_view reason, Instant now) {
    PeerRecord* record = find(name);
    if (record == nullptr || record->refused == reason) {
        return;
    }
    record->refused = reason;
    if (reason.empty()) {
        start(*record, now);
        return;
    }
    // Anybody on a link can send a Router Advertisement: it must not end a session that works.
    if (!record->peer.is_established()) {
        record->peer.stop(bgp::wire::Cease::OtherConfigurationChange, {}, now);
    }
    outbox_.event(
        now, "peer.refused", record->entry.session.name, std::string(reason), {{"level", "error"}});
}

void PeerSet::hold(const std::set<std::string>& names) {
    for (const auto& record : peers_) {
        record->is_held = names.contains(record->entry.session.name);
    }
}

void PeerSet::advance(std::chrono::milliseconds gshut, Instant now) {
    advance_resets(now);
    for (const auto& record : peers_) {
        advance_use(*record, gshut, now);
    }
}

void PeerSet::advance_use(PeerRecord& record, std::chrono::milliseconds gshut, Instant now) {
    const bool is_reset_next = !resets_.empty() && !resets_.front().give_up_at &&
                               resets_.front().peer == record.entry.session.name;
    const PeerUse before = record.use;
    if (!record.is_held && !is_reset_next) {
        record.use = PeerUse::Open;
    } else if (record.use == PeerUse::Open && record.is_up && gshut.count() > 0) {
        record.use = PeerUse::GracefulShutdown;
        record.use_until = now + gshut;
    } else if (record.use == PeerUse::Open || !record.is_up ||
               (record.use_until && now >= *record.use_until)) {
        record.use = PeerUse::Withdrawn;
    }
    if (record.use != PeerUse::GracefulShutdown) {
        record.use_until.reset();
    }
    is_use_changed_ = is_use_changed_ || record.use != before;
    if (record.use == PeerUse::Open) {
        record.use_track.note("in use",
                              record.use_track.value == out_by_drain ? "anyvip undrain --peer"
                                                                     : "its session was reset",
                              now);
    } else if (record.is_held) {
        record.use_track.note(out_by_drain, "anyvip drain --peer", now);
    } else {
        record.use_track.note(
            "about to be reset", "the new configuration: " + resets_.front().keys, now);
    }
}

std::string family_remedy(const PeerEntry& entry, const bgp::PeerStatus& status, Family family) {
    const auto index = static_cast<std::size_t>(family);
    const std::string name(to_string(family));
    if (!entry.session.families.at(index)) {
        return "add " + name + " to families in its [[peer]]";
    }
    if (!status.families.at(index)) {
        return "activate this address family for the neighbour on the router, or leave it out of "
               "families in [[peer]] and of the VIPs for it";
    }
    if (status.family_problem.at(index).starts_with("no usable next hop")) {
        return "set next_hop_" + name +
               " in its [[peer]] to an address of this node that the "
               "router reaches";
    }
    return "the router must send UPDATEs that are in order; anyvip reset " + entry.session.name +
           " begins anew";
}

void PeerSet::collect_events(Instant now) {
    for (const auto& record : peers_) {
        collect(*record, now);
    }
    for (const auto& record : removed_) {
        collect(*record, now);
    }
}

void PeerSet::collect(PeerRecord& record, Instant now) {
    const std::string& name = record.entry.session.name;
    for (const bgp::PeerEvent& event : record.peer.take_events()) {
        std::visit(Overload{[&](const bgp::PeerUp& up) { session_up(record, up, now); },
                            [&](const bgp::PeerDown& down) {
                                record.is_up = false;
                                record.bfd_was_up = false;
                                is_session_changed_ = true;
                                outbox_.event(now, "peer.down", name, down.reason);
                                if (!record.refused.empty()) {
                                    record.peer.stop(
                                        bgp::wire::Cease::OtherConfigurationChange, {}, now);
                                } else if (waits_for_bfd(record)) {
                                    record.peer.stop(bgp::wire::Cease::BfdDown, {}, now);
                                    start(record, now);
                                }
                            },
                            [&](const bgp::PeerNotice& notice) {
                                outbox_.event(now,
                                              "peer.notice",
                                              name,
                                              notice.text,
                                              {{"level", notice.is_warning ? "warning" : "info"}});
                            },
                            // Paths are asked for when somebody drains; nothing hangs on them
                            // between.
                            [](const bgp::PathsChanged&) {}},
                   event);
    }
}

void PeerSet::session_up(PeerRecord& record, const bgp::PeerUp& up, Instant now) {
    record.is_up = true;
    record.bfd_was_up = record.bfd == BfdState::Up;
    is_session_changed_ = true;
    drop_needless_reset(record);
    outbox_.event(now,
                  "peer.up",
                  record.entry.session.name,
                  "Established",
                  {{"hold_time_s", std::to_string(up.hold_time.count())},
                   {"families", families_text(up.families)}});
}

void PeerSet::allow_end_of_rib(Instant now) {
    if (std::exchange(is_end_of_rib_allowed_, true)) {
        return;
    }
    for (const auto& record : peers_) {
        record->peer.allow_end_of_rib(now);
    }
}

void PeerSet::watch(const std::set<Prefix>& prefixes) {
    for (const auto& record : peers_) {
        std::set<Prefix> watched = prefixes;
        if (record->entry.default_route) {
            watched.insert(vip::default_prefix(Family::Ipv4));
            watched.insert(vip::default_prefix(Family::Ipv6));
        }
        record->peer.watch(std::move(watched));
    }
}

void PeerSet::flush(Instant now) {
    for (const auto& record : peers_) {
        record->peer.flush(now);
    }
}

void PeerSet::tick(Instant now) {
    for (const auto& record : peers_) {
        record->peer.tick(now);
    }
    for (const auto& record : removed_) {
        record->peer.tick(now);
    }
}

void PeerSet::stop_all(std::string_view message, Instant now) {
    for (const auto& record : peers_) {
        record->peer.stop(bgp::wire::Cease::AdministrativeShutdown, message, now);
    }
}

bool PeerSet::all_acknowledged() const {
    return std::ranges::all_of(peers_, [](const auto& record) {
        return !record->peer.is_established() || record->peer.withdrawals_acknowledged();
    });
}

bool PeerSet::has_established() const {
    return std::ranges::any_of(peers_,
                               [](const auto& record) { return record->peer.is_established(); });
}

std::optional<Instant> PeerSet::next_deadline() const {
    std::optional<Instant> next;
    for (const auto& record : peers_) {
        next = earlier(next, earlier(record->peer.next_deadline(), record->use_until));
    }
    for (const auto& record : removed_) {
        next = earlier(next, record->peer.next_deadline());
    }
    return resets_.empty() ? next : earlier(next, resets_.front().give_up_at);
}

PeerRecord* PeerSet::find(std::string_view name) {
    const auto found = std::ranges::find_if(
        peers_, [&](const auto& record) { return record->entry.session.name == name; });
    return found == peers_.end() ? nullptr : found->get();
}

bgp::Peer* PeerSet::find_peer(std::string_view name) {
    if (PeerRecord* record = find(name)) {
        return &record->peer;
    }
    const auto found = std::ranges::find_if(
        removed_, [&](const auto& record) { return record->entry.session.name == name; });
    return found == removed_.end() ? nullptr : &(*found)->peer;
}

void PeerSet::gone(std::string_view name) {
    std::erase_if(removed_, [&](const auto& record) { return record->entry.session.name == name; });
}

} // namespace anyvip::cmd
