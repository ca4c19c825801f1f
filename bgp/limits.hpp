// SPDX-License-Identifier: Apache-2.0
// Every limit and fixed time of the BGP part in one place: what one peer, or anybody on the
// network, can make it keep or do, and for how long. What the operator sets is in PeerConfig, what
// the wire sets beside its code.
#pragma once

#include <chrono>
#include <cstddef>

namespace anyvip::bgp::limits {

using namespace std::chrono_literals;

// ---- messages (bgp/wire)

/// Errors kept of one UPDATE, the strongest; one of 4096 octets could hold a thousand.
inline constexpr std::size_t update_errors = 16;

/// Capabilities of one OPEN kept for display that are not understood.
inline constexpr std::size_t other_capabilities = 64;

/// Octets of a NOTIFICATION's data that are shown in hexadecimal.
inline constexpr std::size_t shown_octets = 64;

// ---- observed paths (bgp/rib)

/// Paths kept of one watched prefix.
inline constexpr std::size_t paths_of_prefix = 64;

/// AS numbers kept of one path.
inline constexpr std::size_t as_numbers = 64;

/// Large communities kept of one path.
inline constexpr std::size_t large_communities = 64;

// ---- sessions (bgp/session)

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
/// Different notices about failing connections of one peer within that interval.
inline constexpr std::size_t notice_kinds = 16;

// ---- sockets (bgp/net)

/// One readiness of one socket reads at most so much: a full table comes in slices between which
/// everybody else has a turn.
inline constexpr std::size_t read_octets = std::size_t{64} * 1024;

/// Ended connections of one peer whose last octets are still on their way, and for how long.
inline constexpr std::size_t graceful_closes = 16;
inline constexpr std::chrono::milliseconds graceful_close_time = 1000ms;

/// How often SIOCOUTQ is asked while a withdraw is not acknowledged: soon, then less often.
inline constexpr std::chrono::milliseconds unacknowledged_poll_first = 1ms;
inline constexpr std::chrono::milliseconds unacknowledged_poll_last = 20ms;

/// Inbound connections that wait for us, for routers that all come back at once: what does not fit
/// is lost without a word (SYN cookies).
inline constexpr int listen_backlog = 128;

/// A flood of connections is taken at most this many at a time with a pause between: 800 a second.
inline constexpr int accepts_at_once = 16;
inline constexpr std::chrono::milliseconds accept_pause = 20ms;

/// Pause when there are no descriptors or no memory: the listening socket stays readable, waiting
/// for it would spin.
inline constexpr std::chrono::milliseconds shortage_pause = 250ms;

/// Routers kept of one unnumbered link, and neighbour discovery messages read at one readiness.
inline constexpr std::size_t routers_on_link = 8;
inline constexpr int discovery_messages_at_once = 16;

// ---- BFD (bgp/bfd, bgp/bfd_net)

/// Sessions of this node.
inline constexpr std::size_t bfd_sessions = 256;

/// Datagrams of one socket in one round, so that a flood cannot keep our own packets back. More
/// than the kernel's buffer holds of ours.
inline constexpr int bfd_datagrams_at_once = 512;

/// Source ports tried for a new session.
inline constexpr int bfd_source_ports = 64;

} // namespace anyvip::bgp::limits
