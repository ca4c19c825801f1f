// SPDX-License-Identifier: Apache-2.0
#include "cmd/agent/exposure.hpp"

#include <algorithm>

namespace anyvip::cmd {

bool is_routed(const vip::Decision& decision) {
    return std::ranges::any_of(decision.routes,
                               [](vip::RouteMode mode) { return mode != vip::RouteMode::None; });
}

bool can_carry(const VipRecord& record, const PeerRecord& peer) {
    return peer.peer.is_established() &&
           std::ranges::any_of(record.addresses, [&](const AddressSlot* slot) {
               return peer.peer.can_announce(slot->prefix.family());
           });
}

bool is_sent(const VipRecord& record) {
    return std::ranges::any_of(record.peers, [&](const PeerRecord* peer) {
        return peer->peer.is_established() && peer->use != PeerUse::Withdrawn &&
               std::ranges::any_of(record.addresses, [&](const AddressSlot* slot) {
                   return peer->peer.is_advertised(slot->prefix);
               });
    });
}

bool is_unsent(const VipRecord& record) {
    for (const PeerRecord* peer : record.peers) {
        if (!peer->peer.is_established() || peer->use == PeerUse::Withdrawn) {
            continue;
        }
        for (std::size_t i = 0; i < record.addresses.size(); ++i) {
            const Prefix& prefix = record.addresses[i]->prefix;
            if (record.decision.routes[i] != vip::RouteMode::None &&
                peer->peer.can_announce(prefix.family()) && !peer->peer.is_advertised(prefix)) {
                return true;
            }
        }
    }
    return false;
}

bool is_carried(const VipRecord& record, const AddressSlot* slot) {
    return std::ranges::any_of(record.peers, [&](const PeerRecord* peer) {
        return peer->use != PeerUse::Withdrawn && peer->peer.is_established() &&
               peer->peer.can_announce(slot->prefix.family());
    });
}

bool is_with_a_router(const VipRecord& record) {
    const auto& routes = record.decision.routes; // not yet as many as addresses after a reload
    for (std::size_t i = 0; i < std::min(routes.size(), record.addresses.size()); ++i) {
        if (routes[i] != vip::RouteMode::None && is_carried(record, record.addresses[i])) {
            return true;
        }
    }
    return false;
}

bool is_taken_out(const VipRecord& record) {
    return std::ranges::any_of(record.peers, [&](const PeerRecord* peer) {
        return peer->use == PeerUse::Withdrawn && peer->peer.is_established() &&
               (!peer->peer.withdrawals_acknowledged() ||
                std::ranges::any_of(record.addresses, [&](const AddressSlot* slot) {
                    return peer->peer.is_advertised(slot->prefix);
                }));
    });
}

} // namespace anyvip::cmd
