// SPDX-License-Identifier: Apache-2.0
// Every limit and fixed time of a BGP session in one place; what the operator sets is in
// PeerConfig.
#pragma once

#include <chrono>
#include <cstddef>

namespace anyvip::bgp::limits {

using namespace std::chrono_literals;

/// Octets that may wait for the socket before the Adj-RIB-Out is asked for no more; one message may
/// exceed it. Little of it is ever stale: what has not been written yet still collapses.
inline constexpr std::size_t output_octets = std::size_t{64} * 1024;

/// Pauses between attempts start to grow when attempts have failed for so long.
inline constexpr auto connect_patience = 30s;
/// From then on they grow by `connect_retry` in this time.
inline constexpr std::chrono::seconds connect_growth = 90s;

/// Back-off after a NOTIFICATION or a protocol error: doubles from the first to the last; forgotten
/// after a session that was Established for so long.
inline constexpr auto backoff_first = 1s;
inline constexpr auto backoff_last = 60s;
inline constexpr auto backoff_forgotten = 60s;

/// Longest back-off after a Cease that says that the router did it on purpose.
inline constexpr auto backoff_after_cease = 5s;

/// How long OPENs go without capabilities after the peer refused them (RFC 5492 §3).
inline constexpr auto capability_fallback = 10min;

/// Send hold time, unless configured (RFC 9687 §4): this or twice the hold time.
inline constexpr auto send_hold_least = 8min;

/// A withdraw must be acknowledged within this or a third of the hold time.
inline constexpr auto withdraw_flush_least = 5s;

/// How often the shell looks for acknowledgements of withdrawals: soon, then less and less often.
inline constexpr auto acknowledgement_poll_first = 1ms;
inline constexpr auto acknowledgement_poll_last = 100ms;

/// RFC 4271 §4.4: KEEPALIVEs are never sent more often.
inline constexpr auto keepalive_least = 1s;

/// The same notice, and a notice for the same broken rule, come at most so often.
inline constexpr auto notice_interval = 60s;

} // namespace anyvip::bgp::limits
