// SPDX-License-Identifier: Apache-2.0
// `drain` and `undrain` as operators ask for them: checked as a whole, refused as a whole, written
// to disk before anything else happens.
#include <algorithm>
#include <chrono>

#include "cmd/agent/impl.hpp"

namespace anyvip::cmd {

namespace {

constexpr unsigned bad_request = 400;
constexpr unsigned not_found = 404;
constexpr unsigned conflict = 409;

[[nodiscard]] vip::DrainReply failure(unsigned status, std::string error) {
    vip::DrainReply reply;
    reply.status = status;
    reply.error = std::move(error);
    return reply;
}

[[nodiscard]] vip::Hold make_hold(const vip::DrainRequest& request, Now now) {
    vip::Hold hold;
    hold.since = now.wall;
    if (request.until) {
        hold.until = now.wall + *request.until;
    }
    hold.reason = request.reason;
    hold.author = request.author;
    return hold;
}

/// "1 h 5 min 3 s", rounded up.
[[nodiscard]] std::string length_text(vip::WallTime::duration length) {
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(length).count();
    std::string text;
    const auto add = [&](std::int64_t count, std::string_view unit) {
        if (count > 0) {
            text += (text.empty() ? "" : " ") + std::to_string(count) + " " + std::string(unit);
        }
    };
    add(seconds / 3600, "h");
    add(seconds / 60 % 60, "min");
    add(seconds % 60, "s");
    return text.empty() ? "0 s" : text;
}

/// The first few, and how many more.
[[nodiscard]] std::string names_of(const std::vector<const VipRecord*>& records) {
    constexpr std::size_t most_named = 5;
    std::string names;
    for (std::size_t i = 0; i < std::min(records.size(), most_named); ++i) {
        names += (i == 0 ? "" : ", ") + records[i]->config.name;
    }
    return records.size() <= most_named
               ? names
               : names + " and " + std::to_string(records.size() - most_named) + " more";
}

[[nodiscard]] std::string end_of(const vip::Hold& hold, Now now) {
    return hold.until ? "it ends in " + length_text(*hold.until - now.wall)
                      : "it ends with `anyvip undrain`";
}

} // namespace

vip::DrainReply Agent::Impl::drain(const vip::DrainRequest& request, Now now) {
    if (stopping != Stop::None) {
        return failure(conflict, "the daemon is stopping");
    }
    if (!request.peer.empty()) {
        return request.vips.empty()
                   ? drain_peer(request, now)
                   : failure(bad_request, "a drain is of VIPs or of a peer, not of both");
    }
    std::vector<std::string> names = request.vips;
    for (const std::string& name : names) {
        if (find_vip(name) == nullptr) {
            return failure(not_found, "no VIP is named " + name);
        }
    }
    const bool is_node = names.empty();
    if (is_node) {
        for (const VipRecord* record : order) {
            names.push_back(record->config.name);
        }
    }
    const std::vector<std::string> asked = names;
    // What is held already is no question any more.
    std::erase_if(names, [&](const std::string& name) {
        return holder_of(find_vip(name)->config, drains).has_value();
    });
    vip::DrainReply reply;
    const std::optional<Refusal> refusal = refuses_any(names);
    if (refusal && !request.force) {
        return failure(conflict,
                       refusal->vip + ": " + refusal->reason + "; nothing was drained (--force)");
    }
    if (refusal) {
        reply.notes.push_back(refusal->vip + ": " + refusal->reason + "; forced");
    }
    reply.changed = names;
    if (request.dry_run) {
        reply.notes.emplace_back("dry run: nothing was changed");
        return reply;
    }
    const vip::DrainState before = drains;
    forget_drains(names);
    hold(request, make_hold(request, now));
    for (const std::string& name : asked) {
        wait_again(*find_vip(name), request.deadline, now.monotonic);
    }
    const auto note_end = [&](const std::string& what, const vip::Hold& held) {
        reply.notes.push_back(what + " is drained already; joined: " + end_of(held, now));
    };
    if (is_node && before.node) {
        note_end("the node", *drains.node);
    } else if (is_node && reply.changed.empty()) {
        reply.notes.push_back("each VIP is drained already; the node is drained too from now on: " +
                              end_of(*drains.node, now));
    }
    for (const std::string& name : request.vips) {
        if (before.vips.contains(name) || reply.changed.empty()) {
            note_end(name, drains.vips.at(name).hold);
        }
    }
    persist();
    return reply;
}

// How the drain before this one ended says nothing about this one.
void Agent::Impl::forget_drains(const std::vector<std::string>& names) {
    for (const std::string& name : names) {
        VipDrain& drain = find_vip(name)->drain;
        if (drain.step == vip::DrainStep::None) {
            drain.outcome = DrainOutcome::None;
            drain.reason.clear();
        }
    }
}

void Agent::Impl::hold(const vip::DrainRequest& request, const vip::Hold& hold) {
    const auto note_run = [&](const HolderKey& key, bool is_new) {
        HolderRun& run = runs[key];
        if (is_new) {
            run = {};
        }
        run.deadline = request.deadline ? request.deadline : run.deadline;
        run.is_forced = run.is_forced || request.force;
    };
    if (request.vips.empty()) {
        note_run({HolderKey::Kind::Node, {}}, !drains.node);
        if (drains.node) {
            join(*drains.node, hold);
        } else {
            drains.node = hold;
        }
    }
    for (const std::string& name : request.vips) {
        const bool is_new = !drains.vips.contains(name);
        note_run({HolderKey::Kind::Vip, name}, is_new);
        vip::DrainState::VipHold& held = drains.vips[name];
        held.addresses = addresses_of(find_vip(name)->config);
        if (is_new) {
            held.hold = hold;
        } else {
            join(held.hold, hold);
        }
    }
}

vip::DrainReply Agent::Impl::drain_peer(const vip::DrainRequest& request, Now now) {
    const std::string& peer = request.peer;
    if (peers.find(peer) == nullptr) {
        return failure(not_found, "no peer is named " + peer);
    }
    vip::DrainReply reply;
    const bool is_new = !drains.peers.contains(peer);
    if (is_new) {
        const std::optional<Refusal> refusal = refuses_peer(peer, false);
        if (refusal && !request.force) {
            return failure(conflict,
                           refusal->vip + ": no other router has its routes, and " +
                               refusal->reason + "; nothing was drained (--force)");
        }
        reply.changed.push_back(peer);
        if (const std::string names = names_of(only_at(peer)); !names.empty()) {
            reply.notes.push_back("no other router has the routes of " + names +
                                  ": out of service here while " + peer + " is drained");
        }
        if (refusal) {
            reply.notes.push_back(refusal->vip + ": " + refusal->reason + "; forced");
        }
    } else {
        reply.notes.push_back(peer + " is drained already; joined");
    }
    if (request.dry_run) {
        reply.notes.emplace_back("dry run: nothing was changed");
        return reply;
    }
    if (is_new) {
        forced_peers.erase(peer);
        peer_refusals.erase(peer);
    }
    if (request.force) {
        forced_peers.insert(peer);
    }
    const vip::Hold hold = make_hold(request, now);
    if (is_new) {
        drains.peers.emplace(peer, hold);
    } else {
        join(drains.peers.at(peer), hold);
        reply.notes.back() += ": " + end_of(drains.peers.at(peer), now);
    }
    persist();
    return reply;
}

/// The VIPs that no other router in use announces.
std::vector<const VipRecord*> Agent::Impl::only_at(const std::string& peer) const {
    std::vector<const VipRecord*> found;
    for (const VipRecord* record : order) {
        const auto has_route = [&](const PeerRecord* router) {
            return std::ranges::any_of(record->addresses, [&](const AddressSlot* slot) {
                return router->peer.is_advertised(slot->prefix);
            });
        };
        bool is_here = false;
        bool is_elsewhere = false;
        for (const PeerRecord* router : record->peers) {
            const std::string& name = router->entry.session.name;
            is_here = is_here || (name == peer && has_route(router));
            is_elsewhere =
                is_elsewhere || (name != peer && !drains.peers.contains(name) && has_route(router));
        }
        if (is_here && !is_elsewhere) {
            found.push_back(record);
        }
    }
    return found;
}

vip::DrainReply Agent::Impl::undrain(const vip::UndrainRequest& request, Now) {
    if (!request.peer.empty()) {
        return request.vips.empty()
                   ? undrain_peer(request)
                   : failure(bad_request, "an undrain is of VIPs or of a peer, not of both");
    }
    for (const std::string& name : request.vips) {
        if (find_vip(name) == nullptr && !drains.vips.contains(name)) {
            return failure(not_found, "no VIP is named " + name);
        }
    }
    vip::DrainReply reply;
    const vip::DrainState before = drains;
    if (request.vips.empty()) {
        undrain_all(reply);
    } else {
        undrain_vips(request, reply);
    }
    if (drains == before) {
        reply.notes.emplace_back("nothing was drained");
    } else {
        persist();
    }
    name_drain_file(reply);
    return reply;
}

// CONTRACT section 3: any undrain while the file exists exits with 1 and names it.
void Agent::Impl::name_drain_file(vip::DrainReply& reply) const {
    if (!file_exists) {
        return;
    }
    reply.status = conflict;
    reply.error = "the file " + config.daemon.drain_file + " exists" +
                  (file_holds             ? " and drains the node"
                   : file_refusal.empty() ? " and is about to drain the node"
                                          : " and would drain the node, but " + file_refusal);
}

void Agent::Impl::undrain_all(vip::DrainReply& reply) {
    for (const VipRecord* record : order) {
        const auto holder = holder_of(record->config, drains);
        if (holder && holder->kind != HolderKey::Kind::File) {
            reply.changed.push_back(record->config.name);
        }
    }
    drains.node.reset();
    drains.vips.clear();
    drains.unreadable.clear();
}

void Agent::Impl::undrain_vips(const vip::UndrainRequest& request, vip::DrainReply& reply) {
    for (const std::string& name : request.vips) {
        const VipRecord* record = find_vip(name);
        if (drains.vips.erase(name) > 0) {
            reply.changed.push_back(name);
        }
        auto holder = record == nullptr ? std::nullopt : holder_of(record->config, drains);
        while (holder && holder->kind == HolderKey::Kind::Vip) {
            // Held under a name that it had before.
            drains.vips.erase(holder->vip);
            if (reply.changed.empty() || reply.changed.back() != name) {
                reply.changed.push_back(name);
            }
            holder = holder_of(record->config, drains);
        }
        if (holder) {
            reply.status = conflict;
            reply.error = name + " stays out of service: " + describe(*holder);
        }
    }
}

vip::DrainReply Agent::Impl::undrain_peer(const vip::UndrainRequest& request) {
    vip::DrainReply reply;
    if (drains.peers.erase(request.peer) > 0) {
        reply.changed.push_back(request.peer);
        persist();
    } else if (peers.find(request.peer) == nullptr) {
        return failure(not_found, "no peer is named " + request.peer);
    } else {
        reply.notes.push_back(request.peer + " was not drained");
    }
    name_drain_file(reply);
    return reply;
}

std::string Agent::why_drain_ended(const vip::DrainRequest& request) const {
    const vip::DrainState& drains = impl_->drains;
    constexpr std::string_view unknown = ": the drain has ended already";
    if (!request.peer.empty()) {
        if (drains.peers.contains(request.peer) || impl_->peers.find(request.peer) == nullptr) {
            return {};
        }
        const auto refused = impl_->peer_refusals.find(request.peer);
        return refused == impl_->peer_refusals.end() ? request.peer + std::string(unknown)
                                                     : refused->second;
    }
    if (request.vips.empty() && drains.node) {
        return {};
    }
    for (const VipRecord* record : impl_->order) {
        const std::string& name = record->config.name; // asked for by another: renamed, and held
        const bool is_asked =
            request.vips.empty() || std::ranges::find(request.vips, name) != request.vips.end();
        if (is_asked && !impl_->holder_of(record->config, drains)) {
            return record->drain.reason.empty() ? name + std::string(unknown)
                                                : record->drain.reason;
        }
    }
    // Each VIP is held by others; those that come later are not.
    return request.vips.empty() ? impl_->config.node.name + std::string(unknown) : std::string();
}

} // namespace anyvip::cmd
