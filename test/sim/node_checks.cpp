// SPDX-License-Identifier: Apache-2.0
// What must hold at a node after every turn, judged from what the operator, the services and the
// kernel know, not from what the agent says of itself.
#include <algorithm>

#include "test/sim/node.hpp"

namespace anyvip::sim {

using namespace std::chrono_literals;

namespace {

constexpr int rise = 2;
constexpr int fall = 3;

[[nodiscard]] bool is_expired(const DrainBook::Until& until, vip::WallTime now) {
    return until && *until <= now;
}

} // namespace

void Node::violated(const std::string& what) const {
    throw Violation("node " + std::to_string(index_) + ": " + what);
}

// ---- drains: the operator's book ----

bool DrainBook::holds(const vip::VipConfig& vip) const {
    return node || is_unreadable || std::ranges::any_of(vips, [&](const auto& item) {
               return item.first == vip.name || item.second.addresses == vip.addresses;
           });
}

void Node::drain(const vip::DrainRequest& request) {
    const vip::DrainReply reply = agent_->drain(request, now());
    around_.trace.line(now().monotonic,
                       "node " + std::to_string(index_) + " drain " +
                           (request.vips.empty() ? request.peer : request.vips.front()) + ": " +
                           std::to_string(reply.status) + " " + reply.error);
    if (reply.status == 200) {
        const auto until =
            request.until ? DrainBook::Until(now().wall + *request.until) : std::nullopt;
        // Of two drains that join the later end counts; none is for ever.
        const auto later = [](const DrainBook::Until& a, const DrainBook::Until& b) {
            return a && b ? std::max(a, b) : std::nullopt;
        };
        if (!request.peer.empty()) {
            const auto [place, is_new] = book_.peers.emplace(request.peer, until);
            place->second = is_new ? until : later(place->second, until);
        } else if (request.vips.empty()) {
            const DrainBook::Until end = book_.node ? later(*book_.node, until) : until;
            book_.node.emplace(end);
        }
        for (const std::string& name : request.vips) {
            const auto vip = std::ranges::find(config_.vips, name, &vip::VipConfig::name);
            const auto [place, is_new] =
                book_.vips.try_emplace(name, DrainBook::VipHold{until, vip->addresses});
            place->second.until = is_new ? until : later(place->second.until, until);
        }
    }
    turn();
}

void Node::undrain(const vip::UndrainRequest& request) {
    const vip::DrainReply reply = agent_->undrain(request, now());
    around_.trace.line(now().monotonic,
                       "node " + std::to_string(index_) + " undrain " +
                           (request.vips.empty() ? request.peer : request.vips.front()) + ": " +
                           std::to_string(reply.status) + " " + reply.error);
    if (!request.peer.empty()) {
        book_.peers.erase(request.peer);
    } else if (request.vips.empty()) {
        book_.node.reset();
        book_.vips.clear();
        book_.is_unreadable = false;
    }
    for (const std::string& name : request.vips) {
        book_.vips.erase(name);
        const auto vip = std::ranges::find(config_.vips, name, &vip::VipConfig::name);
        if (!book_.node && !book_.is_unreadable) { // held under a name that it had before
            std::erase_if(book_.vips, [&](const auto& item) {
                return item.second.addresses == vip->addresses;
            });
        }
        const bool is_held = book_.holds(*vip);
        if (is_held != (reply.status == 409)) {
            violated("undrain does not say truly whether another holder remains: " + reply.error);
        }
    }
    turn();
}

/// A VIP here keeps its addresses through all its names, and its drain goes along.
void Node::follow_drains(const cmd::Config& next) {
    std::map<std::string, DrainBook::VipHold> followed;
    for (const vip::VipConfig& vip : next.vips) {
        const auto before =
            std::ranges::find(config_.vips, vip.addresses, &vip::VipConfig::addresses);
        auto held = book_.vips.find(before == config_.vips.end() ? vip.name : before->name);
        if (held == book_.vips.end()) {
            held = std::ranges::find_if(book_.vips, [&](const auto& item) {
                return item.second.addresses == vip.addresses;
            });
        }
        if (held != book_.vips.end()) {
            followed.emplace(vip.name, held->second);
            book_.vips.erase(held);
        }
    }
    followed.merge(book_.vips); // those of VIPs that are gone
    book_.vips = std::move(followed);
}

void Node::note_expired_drain(const std::string& name) {
    bool is_known = false;
    if (book_.node && is_expired(*book_.node, now().wall)) {
        book_.node.reset();
        is_known = true;
    }
    const auto over = [&](const auto& item) { return is_expired(item.second, now().wall); };
    const auto vip_over = [&](const auto& item) {
        return is_expired(item.second.until, now().wall);
    };
    is_known = std::erase_if(book_.peers, over) > 0 || is_known;
    is_known = std::erase_if(book_.vips, vip_over) > 0 || is_known;
    // Several may end at one moment: the first event took them all from the book.
    last_expiry_ = is_known ? std::optional(now().monotonic) : last_expiry_;
    if (last_expiry_ != now().monotonic) {
        violated("a drain expires before its time: " + name);
    }
}

void Node::note_ended_drain(const std::string& vip_name) {
    if (book_.peers.erase(vip_name) > 0) {
        return; // of a router: no VIP is called as one
    }
    const auto vip = std::ranges::find(config_.vips, vip_name, &vip::VipConfig::name);
    if (book_.node) {
        book_.node.reset();
        return;
    }
    std::erase_if(book_.vips, [&](const auto& item) {
        return item.first == vip_name ||
               (vip != config_.vips.end() && item.second.addresses == vip->addresses);
    });
}

void Node::note_events() {
    for (const cmd::Event& event : agent_->take_events()) {
        around_.trace.line(event.at,
                           "node " + std::to_string(index_) + " " + event.event + " " + event.name +
                               ": " + event.reason);
        if (event.event == "drain.expired") {
            note_expired_drain(event.name);
        } else if (event.event == "drain.refused" && event.reason.starts_with("the drain ends")) {
            note_ended_drain(event.name);
        }
    }
}

void Node::note_drains() {
    for (const vip::VipConfig& vip : config_.vips) {
        if (!book_.holds(vip)) {
            drained_since_.erase(vip.name);
        } else if (unwritten_ == 0) {
            const bool is_with_node = book_.node.has_value();
            const auto place =
                drained_since_.try_emplace(vip.name, DrainedVip{now().monotonic, is_with_node})
                    .first;
            DrainedVip& drained = place->second;
            // Another holder takes over with its own time of GRACEFUL_SHUTDOWN, once begun.
            if (drained.is_with_node != is_with_node &&
                now().monotonic <= drained.since + config_.drain.gshut) {
                drained.since = now().monotonic;
            }
            drained.is_with_node = is_with_node;
        }
    }
    std::erase_if(drained_since_, [&](const auto& item) {
        return std::ranges::find(config_.vips, item.first, &vip::VipConfig::name) ==
               config_.vips.end();
    });
    std::erase_if(peers_drained_since_,
                  [&](const auto& item) { return !book_.peers.contains(item.first); });
    for (const auto& [name, until] : book_.peers) {
        if (unwritten_ == 0) {
            peers_drained_since_.try_emplace(name, now().monotonic);
        }
    }
}

/// What the agent would write to disk is what the operator asked for.
void Node::check_book() const {
    const vip::DrainState& state = agent_->drains();
    const auto has_same_keys = [](const auto& a, const auto& b) {
        return std::ranges::equal(
            a, b, [](const auto& x, const auto& y) { return x.first == y.first; });
    };
    if (state.node.has_value() != book_.node.has_value() ||
        !has_same_keys(state.vips, book_.vips) || !has_same_keys(state.peers, book_.peers) ||
        state.unreadable.empty() == book_.is_unreadable) {
        violated("the drains are not what the operator asked for");
    }
}

// ---- health ----

void Node::count_result(std::uint64_t id, const health::Result& result) {
    CheckModel& model = models_[labels_.at(id)];
    if (result.is_late || (result.outcome == health::Outcome::Error && result.is_our_fault)) {
        return;
    }
    if (result.outcome == health::Outcome::Pass) {
        model.streak = std::max(model.streak, 0) + 1;
    } else {
        model.streak = std::min(model.streak, 0) - 1;
    }
    const bool is_hard = result.is_hard && !model.is_inherited;
    if (model.streak >= rise) {
        model.state = health::State::Up;
        model.is_inherited = false;
    } else if (-model.streak >= fall || is_hard) {
        model.state = health::State::Down;
        model.is_inherited = false;
    }
    if (is_hard) {
        model.streak = 0;
    }
}

void Node::note_changed_checks(const cmd::Config& next) {
    for (auto& [label, model] : models_) {
        const std::string name = label.substr(0, label.find('@'));
        const auto before = std::ranges::find(config_.checks, name, &health::CheckConfig::name);
        const auto after = std::ranges::find(next.checks, name, &health::CheckConfig::name);
        if (before != config_.checks.end() && after != next.checks.end() && *before != *after) {
            model.streak = 0;
            model.is_inherited = model.state != health::State::Unknown;
        }
    }
}

health::State Node::modelled_health(const vip::VipConfig& vip) const {
    for (const std::string& check : vip.checks) {
        bool has_instance = false;
        for (const auto& [label, model] : models_) {
            const bool is_for_address =
                std::ranges::any_of(vip.addresses, [&](const Prefix& prefix) {
                    return label == check + "@" + to_string(prefix.address());
                });
            if (label != check && !is_for_address) {
                continue;
            }
            has_instance = true;
            if (model.state != health::State::Up) {
                return model.state;
            }
        }
        if (!has_instance) {
            return health::State::Unknown;
        }
    }
    return health::State::Up;
}

// ---- routes ----

const vip::VipConfig* Node::vip_of(const Prefix& prefix) const {
    const auto found = std::ranges::find_if(config_.vips, [&](const vip::VipConfig& vip) {
        return std::ranges::find(vip.addresses, prefix) != vip.addresses.end();
    });
    return found == config_.vips.end() ? nullptr : &*found;
}

bool Node::is_backup(const vip::VipConfig& vip, const Route& route) const {
    return route.local_pref == 0U || route.path_length > vip.prepend + vip.backup_prepend;
}

/// Asked for each prefix of an UPDATE at the moment when the kernel takes it.
void Node::check_announcement(const Prefix& prefix, const Route&, const Connection& on) const {
    if (on.is_stalled) {
        return; // decided before the socket stopped taking octets
    }
    if (!kernel_.contains(prefix) &&
        !(on.tap.table.contains(prefix) && adds_pending_.contains(prefix))) {
        violated("announced without its address: " + to_string(prefix));
    }
    if (is_stopping_) {
        violated("announced while stopping: " + to_string(prefix));
    }
}

void Node::check_removal(const Prefix& prefix) const {
    const auto owned = kernel_.find(prefix);
    if (owned == kernel_.end() || !owned->second) {
        violated("an address is taken off that is not ours: " + to_string(prefix));
    }
    for (const auto& [name, sockets] : sockets_) {
        for (const ConnectionPtr& connection : sockets.slots) {
            if (!connection || connection->is_stalled) {
                continue;
            }
            const Tap& tap = connection->tap;
            if (tap.table.contains(prefix)) {
                violated("an address is taken off while it is announced: " + to_string(prefix));
            }
            const auto withdrawn = tap.withdrawn_at.find(prefix);
            // Gone when the route was withdrawn, and added by an answer that came too late: nobody
            // has been served by it since.
            const auto added = added_at_.find(prefix);
            const bool is_late_arrival = withdrawn != tap.withdrawn_at.end() &&
                                         added != added_at_.end() &&
                                         added->second > withdrawn->second;
            const auto session = around_.routers.at(sockets.router)->established(index_);
            if (session && session->connection == connection && session->table.contains(prefix) &&
                withdrawn != tap.withdrawn_at.end() &&
                now().monotonic < withdrawn->second + config_.daemon.linger && !is_late_arrival) {
                violated("an address is taken off before the router knows of the withdraw: " +
                         to_string(prefix));
            }
        }
    }
}

void Node::check_turn() {
    for (const cmd::PeerEntry& peer : config_.peers) {
        for (const ConnectionPtr& connection : sockets_.at(peer.session.name).slots) {
            if (connection && connection->tap.has_update && !connection->is_stalled) {
                check_table(peer, *connection);
            }
        }
    }
}

void Node::check_table(const cmd::PeerEntry& peer, const Connection& connection) {
    if (connection.tap.table.empty()) {
        return;
    }
    if (is_stopping_) {
        violated("a stop has not withdrawn everything in its first turn");
    }
    const auto drained = peers_drained_since_.find(peer.session.name);
    if (drained != peers_drained_since_.end() &&
        now().monotonic >= drained->second + config_.drain.gshut) {
        violated("a drained peer still has routes: " + peer.session.name);
    }
    for (const auto& [prefix, route] : connection.tap.table) {
        const vip::VipConfig* vip = vip_of(prefix);
        if (vip == nullptr) {
            violated("a VIP that is not configured any more has a route: " + to_string(prefix));
        }
        check_route(*vip, peer, prefix, route);
    }
}

void Node::check_route(const vip::VipConfig& vip,
                       const cmd::PeerEntry& peer,
                       const Prefix& prefix,
                       const Route& route) const {
    if (!vip.peers.empty() && std::ranges::find(vip.peers, peer.session.name) == vip.peers.end()) {
        violated("announced to a peer that is not one of the VIP's: " + vip.name);
    }
    if (!kernel_.contains(prefix) && !adds_pending_.contains(prefix)) {
        violated("a route stays though its address is gone: " + to_string(prefix));
    }
    if (modelled_health(vip) != health::State::Up &&
        !(vip.on_down == vip::OnDown::Backup && is_backup(vip, route))) {
        violated("a VIP that is down has a route: " + vip.name);
    }
    const auto drained = drained_since_.find(vip.name);
    if (drained == drained_since_.end()) {
        return;
    }
    if (now().monotonic >= drained->second.since + config_.drain.gshut) {
        violated("a drained VIP has a route: " + vip.name);
    }
    if (!route.is_graceful_shutdown() && !is_backup(vip, route)) {
        violated("a VIP that drains is announced plainly: " + vip.name);
    }
}

/// When nothing is wrong any more: does this router have this VIP?
Node::Wanted Node::wants(const vip::VipConfig& vip, const cmd::PeerEntry& peer) const {
    const bool is_for_peer =
        vip.peers.empty() || std::ranges::find(vip.peers, peer.session.name) != vip.peers.end();
    if (!is_for_peer || book_.holds(vip) || book_.peers.contains(peer.session.name)) {
        return Wanted::No;
    }
    const bool is_up = std::ranges::all_of(vip.checks, [&](const std::string& name) {
        const auto service = services.find(name);
        return service == services.end() || service->second.mode == Service::Mode::Up;
    });
    if (is_up) {
        return Wanted::Yes;
    }
    return vip.on_down == vip::OnDown::Backup ? Wanted::Either : Wanted::No;
}

} // namespace anyvip::sim
