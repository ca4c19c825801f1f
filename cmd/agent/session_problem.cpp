// SPDX-License-Identifier: Apache-2.0
// Why a healthy VIP is with no router: each of its routers with the cause, in few words.
#include <algorithm>

#include "cmd/agent/impl.hpp"

namespace anyvip::cmd {

namespace {

/// Not Established: what ended the last attempt.
[[nodiscard]] std::string why_down(const PeerRecord& peer, const bgp::PeerStatus& status) {
    if (!peer.refused.empty()) {
        return peer.refused;
    }
    const bool is_strict = peer.entry.bfd && peer.entry.bfd->strict;
    if (is_strict && peer.bfd != BfdState::Up) {
        return "BFD is " + std::string(to_string(peer.bfd)) + " and strict";
    }
    if (!status.last_error) {
        return std::string(bgp::to_string(status.state));
    }
    const bgp::LastError& error = *status.last_error;
    const std::string text = error.name + (error.message.empty() ? "" : ": " + error.message);
    // Without a NOTIFICATION it was the transport, or a timer.
    return (error.code == 0 ? "" : error.sent ? "we sent " : "it sent ") + text;
}

/// Established, and yet of no use to this VIP.
[[nodiscard]] std::string
why_unused(const VipRecord& record, const PeerRecord& peer, const bgp::PeerStatus& status) {
    for (const AddressSlot* slot : record.addresses) {
        const Family family = slot->prefix.family();
        if (!peer.peer.can_announce(family)) {
            const std::string& problem = status.family_problem[static_cast<std::size_t>(family)];
            return problem.empty() ? "does not carry " + std::string(to_string(family)) : problem;
        }
    }
    return "";
}

} // namespace

std::string Agent::Impl::session_problem(const VipRecord& record) const {
    if (record.peers.empty()) {
        return "no router is configured for it";
    }
    bool has_established = false;
    bool has_drained = false;
    std::string routers;
    for (const PeerRecord* peer : record.peers) {
        const bgp::PeerStatus status = peer->peer.status();
        std::string why;
        if (peer->use == PeerUse::Withdrawn && peer->is_held) {
            has_drained = true;
            why = "drained; anyvip undrain --peer " + peer->entry.session.name;
        } else if (status.state == bgp::SessionState::Established) {
            has_established = true;
            why = why_unused(record, *peer, status);
        } else {
            why = why_down(*peer, status);
        }
        routers += (routers.empty() ? "" : ", ") + peer->entry.session.name;
        routers += why.empty() ? "" : " (" + why + ")";
    }
    if (has_established) {
        return "no session carries its address family: " + routers;
    }
    return (has_drained ? "no router is in use: " : "no session is established: ") + routers;
}

} // namespace anyvip::cmd
