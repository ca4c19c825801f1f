// SPDX-License-Identifier: Apache-2.0
// `drain` and `undrain` as operators ask for them: checked as a whole, refused as a whole, written
// to disk before anything else happens.
#include <algorithm>

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

/// A second drain joins the first: it keeps since when and by whom, and takes a new end or reason.
void join(vip::Hold& hold, const vip::Hold& later) {
    hold.until = later.until ? later.until : hold.until;
    hold.reason = later.reason.empty() ? hold.reason : later.reason;
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
    hold(request, make_hold(request, now));
    if (reply.changed.empty()) {
        reply.notes.emplace_back("already drained; joined");
    }
    persist();
    return reply;
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
        held.addresses.clear();
        for (const Prefix& prefix : find_vip(name)->config.addresses) {
            held.addresses.push_back(to_string(prefix));
        }
        if (is_new) {
            held.hold = hold;
        } else {
            join(held.hold, hold);
        }
    }
}

vip::DrainReply Agent::Impl::drain_peer(const vip::DrainRequest& request, Now now) {
    if (peers.find(request.peer) == nullptr) {
        return failure(not_found, "no peer is named " + request.peer);
    }
    vip::DrainReply reply;
    const bool is_new = !drains.peers.contains(request.peer);
    if (is_new) {
        reply.changed.push_back(request.peer);
    } else {
        reply.notes.emplace_back("already drained; joined");
    }
    if (request.dry_run) {
        reply.notes.emplace_back("dry run: nothing was changed");
        return reply;
    }
    const vip::Hold hold = make_hold(request, now);
    if (is_new) {
        drains.peers.emplace(request.peer, hold);
    } else {
        join(drains.peers.at(request.peer), hold);
    }
    persist();
    return reply;
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
    if (file_exists) {
        reply.status = conflict;
        reply.error = "the file " + config.daemon.drain_file + " exists and drains the node";
    }
    return reply;
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
        if (holder && holder->kind == HolderKey::Kind::Vip) {
            // Held under the name that it had before.
            drains.vips.erase(holder->vip);
            reply.changed.push_back(name);
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
        return reply;
    }
    if (peers.find(request.peer) == nullptr) {
        return failure(not_found, "no peer is named " + request.peer);
    }
    reply.notes.push_back(request.peer + " was not drained");
    return reply;
}

} // namespace anyvip::cmd
