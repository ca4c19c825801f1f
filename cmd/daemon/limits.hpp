// SPDX-License-Identifier: Apache-2.0
// Every limit of the daemon's shell in one place. Those of the BGP part are in bgp/limits.hpp.
#pragma once

#include <chrono>
#include <cstddef>

namespace anyvip::cmd::limits {

// A line of log longer than this is cut; a write of one line must fit into PIPE_BUF so that it
// cannot block half-way.
inline constexpr std::size_t log_line_octets = 2048;

// The event log in memory; older events are dropped and counted.
inline constexpr std::size_t events = 4096;
// The reason of one: the rest of a longer one (a rejected configuration with thousands of mistakes)
// is left out.
inline constexpr std::size_t event_reason_octets = 4096;

// HTTP, both listeners.
inline constexpr std::size_t http_connections = 64;
inline constexpr std::size_t http_header_octets = 8 * 1024;
inline constexpr std::size_t http_body_octets = 64 * 1024;
inline constexpr std::chrono::seconds http_request_time{5};
inline constexpr std::chrono::seconds http_write_time{10};
// How long, and how much, is read on from a client whose request was refused half-way.
inline constexpr std::chrono::seconds http_linger_time{1};
inline constexpr std::size_t http_linger_octets = 1024 * 1024;
// A streaming client (`events -f`, `drain --wait`) that has been behind by so many octets for so
// long is dropped.
inline constexpr std::size_t http_stream_backlog_octets = 256 * 1024;
inline constexpr std::chrono::seconds http_stream_patience{1};
// VIPs, checks or routes that one turn of the loop writes into an answer.
inline constexpr std::size_t elements_at_once = 16;

// A disk that needs longer to save a drain does not answer.
inline constexpr std::chrono::seconds save_time{5};

// Changes by the API: so many at once and one more each interval, for each user.
inline constexpr int api_changes = 500;
inline constexpr std::chrono::milliseconds api_change_interval{10};

// A text with a change (the reason of a drain): kept on disk for each VIP, shown for each.
inline constexpr std::size_t api_note_octets = 512;

// Hooks: programs running at once, what may wait for a place (each VIP of a full node comes and
// goes twice in a burst, and some more), and how long one may take.
inline constexpr std::size_t hooks_running = 8;
inline constexpr std::size_t hooks_waiting_octets = 32 * 1024 * 1024;
inline constexpr std::chrono::seconds hook_time{10};

// An upgrade in place: the trial of the new program, and how long at most to wait for answers that
// are half written.
inline constexpr std::chrono::seconds upgrade_trial_time{10};
inline constexpr std::chrono::milliseconds upgrade_settle_time{1500};

} // namespace anyvip::cmd::limits
