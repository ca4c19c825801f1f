// SPDX-License-Identifier: Apache-2.0
// `keep_last`: the guard against taking the last node out, asked when a drain is asked for and once
// more right before the withdraw.
#include <algorithm>

#include "cmd/agent/impl.hpp"

namespace anyvip::cmd {

std::optional<std::string> Agent::Impl::refuses(const VipRecord& record, bool is_second) const {
    if (config.drain.keep_last == vip::KeepLast::Never || !record.is_exposed) {
        return std::nullopt;
    }
    std::vector<const bgp::Peer*> routers;
    routers.reserve(record.peers.size());
    for (const PeerRecord* peer : record.peers) {
        routers.push_back(&peer->peer);
    }
    // Not yet as many as addresses after a reload: what is new is announced by nobody.
    const std::size_t decided = std::min(record.addresses.size(), record.decision.routes.size());
    for (std::size_t i = 0; i < decided; ++i) {
        if (record.decision.routes[i] == vip::RouteMode::None) {
            continue;
        }
        const Prefix& prefix = record.addresses[i]->prefix;
        const OthersView view = others_of(prefix, routers, record.config);
        switch (view.others) {
        case Others::Seen:
            break;
        case Others::None:
            return "no other node announces " + to_string(prefix);
        case Others::Leaving:
            if (is_second && view.has_lowest_mark) {
                return "all other nodes that announce " + to_string(prefix) +
                       " drain too, and this one has the lowest mark";
            }
            // The one with the lowest mark stays.
            if (is_second) {
                break;
            }
            [[fallthrough]];
        case Others::Unknown:
            if (config.drain.keep_last == vip::KeepLast::Always) {
                return "it is unknown whether another node announces " + to_string(prefix);
            }
            break;
        }
    }
    return std::nullopt;
}

std::optional<Refusal> Agent::Impl::refuses_any(const std::vector<std::string>& names) const {
    for (const std::string& name : names) {
        const auto found = by_name.find(name);
        if (found == by_name.end()) {
            continue;
        }
        if (auto reason = refuses(*found->second, false)) {
            return Refusal{name, std::move(*reason)};
        }
    }
    return std::nullopt;
}

std::optional<Refusal> Agent::Impl::refuses_peer(const std::string& peer, bool is_second) const {
    for (const VipRecord* record : only_at(peer)) {
        if (holder_of(record->config, drains)) {
            continue; // it goes out of service anyway
        }
        if (auto reason = refuses(*record, is_second)) {
            return Refusal{record->config.name, std::move(*reason)};
        }
    }
    return std::nullopt;
}

void Agent::Impl::advance_holders(Now now) {
    std::set<HolderKey> asking;
    for (auto& [key, run] : runs) {
        if (!run.is_confirmed && run.gshut_until && now.monotonic >= *run.gshut_until) {
            run.is_confirmed = true;
            asking.insert(key);
        }
    }
    if (asking.empty()) {
        return;
    }
    ask_again(
        [&](VipRecord& record, const HolderKey& key) {
            if (!asking.contains(key)) {
                return false;
            }
            mark(record);
            return true;
        },
        now.monotonic);
}

// `keep_last` for the second time, right before the withdraw.
void Agent::Impl::ask_again(const std::function<bool(VipRecord&, const HolderKey&)>& leaves_now,
                            Instant now) {
    std::map<HolderKey, Refusal> refused;
    for (VipRecord* record : order) {
        const std::optional<HolderKey> holder = holder_of(record->config, effective);
        if (!holder || !leaves_now(*record, *holder) || refused.contains(*holder)) {
            continue;
        }
        const auto run = runs.find(*holder);
        if (run == runs.end() || run->second.is_forced) {
            continue;
        }
        if (auto reason = refuses(*record, true)) {
            refused.emplace(*holder, Refusal{record->config.name, std::move(*reason)});
        }
    }
    for (const auto& [key, refusal] : refused) {
        cancel(key, refusal, now);
    }
}

void Agent::Impl::cancel(const HolderKey& key, const Refusal& refusal, Instant now) {
    const std::string text = "the drain ends: " + refusal.vip + ": " + refusal.reason;
    std::vector<VipRecord*> held;
    for (VipRecord* record : order) {
        if (holder_of(record->config, effective) == key) {
            held.push_back(record);
        }
    }
    outbox.event(now, "drain.refused", refusal.vip, text, {{"level", "warning"}});
    switch (key.kind) {
    case HolderKey::Kind::Node:
        drains.node.reset();
        effective.node.reset();
        break;
    case HolderKey::Kind::Vip:
        drains.vips.erase(key.vip);
        effective.vips.erase(key.vip);
        break;
    case HolderKey::Kind::File:
        file_holds = false;
        file_refusal = refusal.vip + ": " + refusal.reason;
        file_retry_at = now + file_retry_pause;
        break;
    case HolderKey::Kind::Unreadable:
        break; // nothing is announced, so nothing can be the last
    }
    for (VipRecord* record : held) {
        record->drain.reason = text;
        record->drain.is_refused = true;
        // Whatever step it was in: who waits for it hears that it is in service. Another holder may
        // keep it out all the same.
        if (!holder_of(record->config, effective)) {
            record->drain.outcome = DrainOutcome::Cancelled;
        }
    }
    // The other node has gone or goes: being back at once matters more than being on disk first.
    for (vip::DrainState& state : unwritten) {
        state = drains;
    }
    runs.erase(key);
    persist();
}

// The same for the routers that leave in this turn: whose GRACEFUL_SHUTDOWN has lasted long enough,
// or that are not announced with it.
void Agent::Impl::ask_again_for_peers(Instant now) {
    if (stopping != Stop::None) {
        return;
    }
    std::vector<std::string> names;
    for (const auto& [name, hold] : effective.peers) {
        names.push_back(name);
    }
    for (const std::string& name : names) {
        const PeerRecord* record = peers.find(name);
        const bool is_asked = record != nullptr && !forced_peers.contains(name) &&
                              is_leaving(*record, config.drain.gshut, now);
        if (is_asked) {
            if (const auto refusal = refuses_peer(name, true)) {
                cancel_peer(name, *refusal, now);
            }
        }
    }
}

void Agent::Impl::cancel_peer(const std::string& name, const Refusal& refusal, Instant now) {
    const std::string text = "the drain ends: " + refusal.vip + ": " + refusal.reason;
    outbox.event(now, "drain.refused", name, text, {{"level", "warning"}});
    peer_refusals[name] = text;
    drains.peers.erase(name);
    effective.peers.erase(name);
    for (vip::DrainState& state : unwritten) {
        state.peers.erase(name);
    }
    persist();
}

} // namespace anyvip::cmd
