// SPDX-License-Identifier: Apache-2.0
// What the main loop and the BFD thread tell each other: plain values, copied.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "bgp/bfd/engine.hpp"
#include "bgp/bfd_net/spsc_queue.hpp"
#include "bgp/ip.hpp"

namespace anyvip::bgp::bfd_net {

/// Where a session runs.
struct Endpoint {
    IpAddress peer;
    std::optional<IpAddress> local; ///< nullopt: the kernel's choice
    std::array<char, 16> device{};  ///< of a link-local peer, as IFNAMSIZ has it; else empty
    /// 0: single hop (RFC 5881); n: at most n hops away (RFC 5883).
    std::uint8_t multihop = 0;

    template <class Archive> void transfer(Archive& archive) {
        archive.field(1, peer);
        archive.field(2, local);
        archive.field(3, device);
        archive.field(4, multihop);
        archive.require(device.back() == '\0', "a device name without end");
    }

    friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

struct Command {
    enum class Kind : std::uint8_t { Add, Reconfigure, Remove, Pause, Quit };
    Kind kind = Kind::Quit;
    std::uint32_t id = 0;
    Endpoint endpoint;  ///< Add
    bfd::Timing timing; ///< Add, Reconfigure
    std::uint32_t discriminator = 0;
};

/// What of the system stands in the way of a session.
enum class Obstacle : std::uint8_t {
    None,
    Listen,
    Open,
    Send,
    NoPlace, ///< limits::bfd_sessions are there already: refused for good
};

/// Changes that the main loop has not been told, because it is behind: what it saw last and what is
/// now, and a fall from Up in between, which must not get lost.
struct Unreported {
    std::optional<bfd::Change> change;
    std::optional<bfd::Change> missed_fall;

    void add(const bfd::Change& later) {
        if (!change) {
            change = later;
            return;
        }
        if (change->from == bfd::State::Up && change->to == bfd::State::Down && !missed_fall) {
            missed_fall = change;
        }
        const bfd::State from = change->from;
        change = later;
        change->from = from;
    }
};

/// The state of a session: after each change, when an obstacle comes or goes, and about once a
/// second for the figures.
struct Report {
    std::uint32_t id = 0;
    bool is_removed = false; ///< the last one
    std::optional<bfd::Change> change;
    std::optional<bfd::Change> missed_fall; ///< before `change`
    bfd::SessionView view;
    bfd::Counters counters;
    Obstacle obstacle = Obstacle::None;
    int error = 0; ///< errno of the obstacle
};

using Commands = SpscQueue<Command, 1024>;
using Reports = SpscQueue<Report, 512>;

} // namespace anyvip::bgp::bfd_net
