// SPDX-License-Identifier: Apache-2.0
// The OPEN that we send, and what the two OPENs together mean (RFC 4271 §6.2, RFC 5492, RFC 6793).
#pragma once

#include <array>
#include <chrono>
#include <expected>
#include <string>
#include <vector>

#include "bgp/session/peer.hpp"
#include "bgp/types.hpp"
#include "bgp/wire/error.hpp"
#include "bgp/wire/open.hpp"

namespace anyvip::bgp {

/// What holds for one session after both OPENs.
struct Negotiated {
    Asn remote_asn;
    RouterId remote_id;
    bool is_internal = false;
    std::chrono::seconds hold_time{0}; ///< 0: no KEEPALIVEs, no hold timer
    std::array<bool, 2> families{};    ///< by Family
    bool four_octet_asn = false;
    bool route_refresh = false; ///< the peer answers ROUTE-REFRESH
    bool enhanced_route_refresh = false;
    bool extended_next_hop = false;
    std::array<bool, 2> add_path{};     ///< by Family: the peer sends several paths
    bool only_to_customer = false;      ///< our routes bear ONLY_TO_CUSTOMER (RFC 9234 §5)
    bool peer_graceful_restart = false; ///< the peer listed at least one family (RFC 4724 §3)
    std::vector<std::string> notices;   ///< worth a warning, no reason to refuse

    template <class Archive> void transfer(Archive& archive) {
        archive.field(1, remote_asn);
        archive.field(2, remote_id);
        archive.field(3, is_internal);
        archive.field(4, hold_time);
        archive.field(5, families);
        archive.field(6, four_octet_asn);
        archive.field(7, route_refresh);
        archive.field(8, enhanced_route_refresh);
        archive.field(9, extended_next_hop);
        archive.field(10, add_path);
        archive.field(11, only_to_customer);
        archive.field(12, peer_graceful_restart);
        archive.field(13, notices);
    }
};

/// Our OPEN. Without capabilities it has no optional parameters at all (RFC 5492 §3).
[[nodiscard]] wire::Open
make_open(const PeerConfig& config, const Speaker& speaker, bool with_capabilities);

/// Who we are in our OPEN.
[[nodiscard]] Speaker speaker_in(const wire::Open& ours);

/// Judges the peer's OPEN against ours. The error is what the peer gets.
[[nodiscard]] std::expected<Negotiated, wire::Error>
negotiate(const wire::Open& ours, const wire::Open& theirs, const PeerConfig& config);

/// May this peer be asked for a session without capabilities? Only when nothing is lost that the
/// configuration asks for.
[[nodiscard]] bool can_go_without_capabilities(const PeerConfig& config, const Speaker& speaker);

} // namespace anyvip::bgp
