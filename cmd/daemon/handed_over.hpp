// SPDX-License-Identifier: Apache-2.0
// What the shell hands to its successor at an upgrade in place, as values: descriptors and what
// belongs to them. The agent and BFD describe themselves.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bgp/bfd_net/messages.hpp"
#include "bgp/net/listener.hpp"
#include "bgp/types.hpp"
#include "cmd/daemon/event_log.hpp"
#include "cmd/daemon/metrics.hpp"
#include "health/probe/resolver.hpp"

namespace anyvip::cmd {

/// The sockets of one peer; of an unnumbered one its router's address, and who is heard there.
struct PeerSockets {
    std::string name;
    std::array<int, 2> connections{-1, -1}; ///< by bgp::Slot
    std::optional<IpAddress> learnt;
    std::map<IpAddress, Instant> heard;

    template <class Archive> void transfer(Archive& archive) {
        archive.field(1, name);
        archive.descriptor(2, connections[0]);
        archive.descriptor(3, connections[1]);
        archive.field(4, learnt);
        archive.field(5, heard);
    }
};

struct PeersHandedOver {
    std::vector<PeerSockets> peers;
    std::vector<bgp::net::OpenListener> listeners;

    template <class Archive> void transfer(Archive& archive) {
        archive.field(1, peers);
        archive.field(2, listeners);
    }
};

/// A client that waits for something: its connection, and what it was told last.
struct ApiClient {
    int descriptor = -1;
    std::vector<std::string> names;                ///< VIPs, the peer, instances of the check
    std::map<std::string, std::string> last_lines; ///< by name
    std::optional<Instant> asked_at;               ///< for a run of a check
    std::string asked_for;                         ///< the check; `names` are its instances
    std::string unsaved;                           ///< why what it asked for is not on disk

    template <class Archive> void transfer(Archive& archive) {
        archive.descriptor(1, descriptor);
        archive.field(2, names);
        archive.field(3, last_lines);
        archive.field(4, asked_at);
        archive.field(5, asked_for);
        archive.field(6, unsaved);
    }
};

struct ApiHandedOver {
    int control = -1; ///< listening
    int http = -1;
    std::vector<ApiClient> event_followers;
    std::vector<ApiClient> drain_waiters;
    std::vector<ApiClient> peer_waiters;
    std::vector<ApiClient> check_waiters;
    std::vector<ApiClient> upgrade_waiters;

    template <class Archive> void transfer(Archive& archive) {
        archive.descriptor(1, control);
        archive.descriptor(2, http);
        archive.field(3, event_followers);
        archive.field(4, drain_waiters);
        archive.field(5, peer_waiters);
        archive.field(6, check_waiters);
        archive.field(7, upgrade_waiters);
    }
};

/// A hook that has not run yet.
struct WaitingHook {
    std::vector<std::string> argv;
    std::string user;
    std::string input;

    template <class Archive> void transfer(Archive& archive) {
        archive.field(1, argv);
        archive.field(2, user);
        archive.field(3, input);
    }
};

/// What the BFD thread does not know of a session.
struct BfdSessionHandedOver {
    std::uint32_t id = 0;
    std::string peer;
    bgp::bfd_net::Endpoint endpoint;
    bgp::bfd::Timing timing;
    bool is_leaving = false;
    bgp::bfd_net::Obstacle obstacle = bgp::bfd_net::Obstacle::None; ///< logged
    int error = 0;

    template <class Archive> void transfer(Archive& archive) {
        archive.field(1, id);
        archive.field(2, peer);
        archive.field(3, endpoint);
        archive.field(4, timing);
        archive.field(5, is_leaving);
        archive.choice(6, obstacle, bgp::bfd_net::Obstacle::NoPlace);
        archive.field(7, error);
    }
};

/// A child that has not ended, leader of its process group.
struct OrphanHandedOver {
    std::int32_t pid = 0;
    int output = -1; ///< the end of its pipe that is ours
    bool is_hook = false;
    std::optional<Instant> end_by; ///< nullopt: as if it began now

    template <class Archive> void transfer(Archive& archive) {
        archive.field(1, pid);
        archive.descriptor(2, output);
        archive.field(3, is_hook);
        archive.field(4, end_by);
    }
};

struct HandedOver {
    std::string version; ///< of the program that hands over
    Instant began;       ///< of this upgrade
    std::uint64_t upgrades = 0;
    /// The text of the configuration in force; the file may be another by now.
    std::string config_text;
    std::uint32_t router_id = 0;
    std::string node_name;
    /// Fixed while the program runs, whatever a reload says.
    std::uint32_t asn = 0;
    std::string control;
    std::string http;
    std::string state_dir;

    PeersHandedOver peers;
    ApiHandedOver api;
    EventLog::Past events;
    Metrics::Counts metrics;
    std::vector<BfdSessionHandedOver> bfd;
    Instant started;
    std::string persist_error;
    std::vector<WaitingHook> hooks;
    std::vector<OrphanHandedOver> orphans;
    std::vector<health::KnownName> names; ///< of targets

    template <class Archive> void transfer(Archive& archive) {
        archive.field(1, version);
        archive.field(2, began);
        archive.field(3, upgrades);
        archive.field(4, config_text);
        archive.field(5, router_id);
        archive.field(6, node_name);
        archive.field(7, asn);
        archive.field(8, control);
        archive.field(9, http);
        archive.field(10, state_dir);
        archive.field(11, peers);
        archive.field(12, api);
        archive.field(13, events);
        archive.field(14, metrics);
        archive.field(15, started);
        archive.field(16, persist_error);
        archive.field(17, hooks);
        archive.field(18, orphans);
        archive.field(19, bfd);
        archive.field(20, names);
    }
};

} // namespace anyvip::cmd
