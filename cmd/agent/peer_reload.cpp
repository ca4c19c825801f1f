// SPDX-License-Identifier: Apache-2.0
// What a new configuration means for the routers: new, gone, renamed, changed, reset.
#include <algorithm>
#include <iterator>

#include "cmd/agent/peer_set.hpp"
#include "cmd/agent/predecessors.hpp"

namespace anyvip::cmd {

namespace {

using namespace std::chrono_literals;

/// The next session is reset when the one before is back, or after this long.
constexpr auto reset_patience = 30s;

constexpr const char* asn_key = "node.asn";

} // namespace

std::vector<std::string> reset_keys(const PeerEntry& before, const PeerEntry& after) {
    std::vector<std::string> keys = bgp::Peer::needs_reset(before.session, after.session);
    const auto check = [&](bool is_changed, std::string_view key) {
        if (is_changed && std::ranges::find(keys, key) == keys.end()) {
            keys.emplace_back(key);
        }
    };
    check(before.address != after.address || before.scope != after.scope, "address");
    check(before.interface != after.interface, "interface");
    check(before.port != after.port, "port");
    check(before.listen_port != after.listen_port, "listen_port");
    check(before.local_address != after.local_address, "local_address");
    check(before.ttl_security != after.ttl_security, "ttl_security");
    check(before.password != after.password, "password");
    check(before.password_file != after.password_file, "password_file");
    check(before.tcp_ao != after.tcp_ao, "tcp_ao");
    return keys;
}

std::vector<std::string> reset_keys(const bgp::Speaker& before, const bgp::Speaker& after) {
    return before == after ? std::vector<std::string>{} : std::vector<std::string>{asn_key};
}

bgp::PeerConfig PeerSet::session_config(const PeerEntry& entry) const {
    bgp::PeerConfig session = entry.session;
    if (has_node_mark_) {
        // By it other nodes know who else announces a VIP.
        session.policy.node_mark = speaker_.router_id;
    }
    return session;
}

void PeerSet::replace(const Config& config, Instant now) {
    speaker_ = speaker_of(config.node);
    has_node_mark_ = config.daemon.node_mark;
    const bool is_first = last_id_ == 0;
    std::vector<std::unique_ptr<PeerRecord>> before = std::exchange(peers_, {});
    std::vector<const PeerEntry*> entries;
    entries.reserve(before.size());
    for (const auto& record : before) {
        entries.push_back(&record->entry);
    }
    const Predecessors places = predecessors(entries, config.peers);
    for (std::size_t i = 0; i < places.size(); ++i) {
        if (places[i]) {
            peers_.push_back(std::move(before[*places[i]]));
            reconfigure(*peers_.back(), config.peers[i], now);
            continue;
        }
        const std::uint64_t seed = seed_ + ++last_id_;
        peers_.push_back(std::make_unique<PeerRecord>(
            config.peers[i], session_config(config.peers[i]), speaker_, seed, now));
        if (is_end_of_rib_allowed_) {
            peers_.back()->peer.allow_end_of_rib(now);
        }
        start(*peers_.back(), now);
        if (!is_first) {
            outbox_.outputs.emplace_back(PeerAdded{config.peers[i].session.name});
        }
    }
    for (auto& record : before) {
        if (record) {
            remove(std::move(record), now);
        }
    }
    is_use_changed_ = true;
}

void PeerSet::remove(std::unique_ptr<PeerRecord> record, Instant now) {
    const std::string& name = record->entry.session.name;
    std::erase_if(resets_, [&](const Reset& reset) { return reset.peer == name; });
    record->peer.stop(bgp::wire::Cease::PeerDeconfigured, {}, now);
    outbox_.outputs.emplace_back(PeerRemoved{name});
    removed_.push_back(std::move(record));
}

void PeerSet::reconfigure(PeerRecord& record, const PeerEntry& entry, Instant now) {
    std::vector<std::string> keys = reset_keys(record.peer.speaker(), speaker_);
    std::ranges::move(reset_keys(record.entry, entry), std::back_inserter(keys));
    const std::string old_name = record.entry.session.name;
    record.entry = entry;
    if (old_name != entry.session.name) {
        outbox_.outputs.emplace_back(PeerRenamed{old_name, entry.session.name});
        for (Reset& reset : resets_) {
            if (reset.peer == old_name) {
                reset.peer = entry.session.name;
            }
        }
    }
    record.peer.set_speaker(speaker_);
    const bgp::PeerConfig session = session_config(entry);
    if (session != record.peer.config()) {
        record.peer.reconfigure(session, now);
    }
    if (!entry.bfd) {
        record.is_bfd_admin_down = false;
        bfd_state(record, BfdState::Off, "BFD is switched off", now);
    }
    if (waits_for_bfd(record) && !record.peer.is_established()) {
        record.peer.stop(bgp::wire::Cease::BfdDown, {}, now);
    }
    start(record, now); // it may no longer have to wait for BFD
    drop_needless_reset(record);
    if (keys.empty()) {
        return;
    }
    std::string text;
    for (const std::string& key : keys) {
        text += (text.empty() ? "" : ", ") + key;
    }
    if (!record.peer.is_established()) {
        // Nothing to protect: whatever attempt is under way starts anew with the new values.
        record.peer.reset(bgp::wire::Cease::OtherConfigurationChange, {}, now);
        return;
    }
    const bool is_queued = std::ranges::any_of(resets_, [&](const Reset& reset) {
        return reset.peer == entry.session.name && !reset.give_up_at;
    });
    if (!is_queued) {
        resets_.push_back({entry.session.name, text, std::nullopt});
    }
}

bool PeerSet::is_reset_pending(std::string_view name) const {
    const bool is_queued = std::ranges::any_of(
        resets_, [&](const Reset& reset) { return reset.peer == name && !reset.give_up_at; });
    return is_queued && std::ranges::any_of(peers_, [&](const auto& record) {
               return record->entry.session.name == name && record->is_up;
           });
}

/// Whom the router knows us as, or will at the next OPEN, is right already.
bool PeerSet::is_needless(const Reset& reset, const PeerRecord& record) const {
    return reset.keys == asn_key && record.peer.speaker() == speaker_;
}

/// The session has begun anew meanwhile, or the former AS number has come back.
void PeerSet::drop_needless_reset(const PeerRecord& record) {
    std::erase_if(resets_, [&](const Reset& reset) {
        return reset.peer == record.entry.session.name && !reset.give_up_at &&
               record.peer.is_established() && is_needless(reset, record);
    });
}

void PeerSet::advance_resets(Instant now) {
    while (!resets_.empty()) {
        Reset& reset = resets_.front();
        PeerRecord* record = find(reset.peer);
        if (record == nullptr) {
            resets_.pop_front();
            continue;
        }
        if (reset.give_up_at) {
            if (!record->is_up && now < *reset.give_up_at) {
                return;
            }
            resets_.pop_front();
            is_use_changed_ = true;
            continue;
        }
        if (record->is_up &&
            (record->use != PeerUse::Withdrawn || !record->peer.withdrawals_acknowledged())) {
            return;
        }
        if (!is_needless(reset, *record)) {
            record->is_up = false;
            record->peer.reset(bgp::wire::Cease::OtherConfigurationChange, {}, now);
            outbox_.event(now,
                          "peer.notice",
                          reset.peer,
                          "session reset by the new configuration: " + reset.keys,
                          {{"level", "info"}});
        }
        reset.give_up_at = now + reset_patience;
        is_use_changed_ = true;
    }
}

} // namespace anyvip::cmd
