// SPDX-License-Identifier: Apache-2.0
// All BFD sessions of the host: datagrams find their session here (RFC 5880 §6.8.6, RFC 5881 §3 and
// §5, RFC 5883 §4), deadlines are found and counts are kept. Allocates nothing after construction.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "bgp/bfd/packet.hpp"
#include "bgp/bfd/session.hpp"
#include "bgp/ip.hpp"
#include "bgp/limits.hpp"
#include "bgp/types.hpp"

namespace anyvip::bgp::bfd {

/// What tells sessions apart when a packet does not know our discriminator.
struct PeerKey {
    IpAddress address;
    std::uint32_t interface = 0; ///< index; 0: any (multihop, or not known yet)
    bool is_multihop = false;

    template <class Archive> void transfer(Archive& archive) {
        archive.field(1, address);
        archive.field(2, interface);
        archive.field(3, is_multihop);
    }

    friend bool operator==(const PeerKey&, const PeerKey&) = default;
};

/// How a datagram came in.
struct Arrival {
    IpAddress source;
    std::uint32_t interface = 0;
    std::uint8_t ttl = 0;
    bool is_multihop = false; ///< by the port
    Instant at;               ///< when the kernel received it
};

struct Counters {
    std::uint64_t sent = 0;
    std::uint64_t send_failed = 0;
    std::uint64_t received = 0; ///< valid ones
    std::array<std::uint64_t, drop_reasons> dropped{};

    template <class Archive> void transfer(Archive& archive) {
        archive.field(1, sent);
        archive.field(2, send_failed);
        archive.field(3, received);
        archive.field(4, dropped);
    }
};

/// What one input means for one session.
struct Outcome {
    std::uint32_t session = 0; ///< id; 0: none
    Step step;
    /// Of the session whose peer was heard on another interface than its own; 0: none. The packet
    /// was dropped; when the session is not Up, its interface has to be looked up again.
    std::uint32_t elsewhere = 0;
};

class Engine {
  public:
    explicit Engine(std::uint64_t seed);

    struct Setup {
        std::uint32_t id = 0; ///< not 0
        PeerKey peer;
        /// 0: single hop; n: the peer is at most n hops away.
        std::uint8_t hops = 0;
        Timing timing;
        std::uint32_t discriminator = 0; ///< not 0, random
    };

    /// A session to the same peer that is saying goodbye makes place at once. False: no place, or
    /// the discriminator is taken.
    [[nodiscard]] bool add(const Setup& setup, Instant now);
    [[nodiscard]] Outcome reconfigure(std::uint32_t id, const Timing& timing, Instant now);
    /// AdminDown for as long as the peer needs to know it, then `take_removed` names it.
    [[nodiscard]] Outcome remove(std::uint32_t id, Instant now);
    /// The interface of a peer, once it is known.
    void set_interface(std::uint32_t id, std::uint32_t interface);

    [[nodiscard]] Outcome
    receive(std::span<const std::uint8_t> payload, const Arrival& arrival, Instant now);
    /// One session that is due at a time, until nullopt.
    [[nodiscard]] std::optional<Outcome> tick(Instant now);
    [[nodiscard]] std::optional<Instant> next_deadline() const;
    /// Sessions whose time of farewell has ended, one at a time.
    [[nodiscard]] std::optional<std::uint32_t> take_removed(Instant now);

    void count_sent(std::uint32_t id, bool is_sent);
    [[nodiscard]] const Session* find(std::uint32_t id) const;
    [[nodiscard]] const Counters* counters(std::uint32_t id) const;

    /// Of datagrams from addresses without a session.
    [[nodiscard]] const Counters& stray() const { return stray_; }

    [[nodiscard]] bool is_empty() const { return entries_.empty(); }

    // ---- upgrade in place ----
    /// An extra packet of this session, if it is Up.
    [[nodiscard]] Outcome refresh(std::uint32_t id, Instant now);
    /// Discriminators by id.
    [[nodiscard]] std::map<std::uint32_t, std::uint32_t> discriminators() const;

    template <class Archive> void transfer(Archive& archive) {
        archive.field(1, stray_);
        archive.field(2, entries_);
        archive.require(entries_.size() <= limits::bfd_sessions, "too many BFD sessions");
        if constexpr (Archive::is_loading) {
            entries_.reserve(limits::bfd_sessions);
        }
    }

  private:
    struct Entry {
        std::uint32_t id = 0;
        PeerKey peer;
        std::uint8_t hops = 0;
        Session session;
        Counters counters;
        std::optional<Instant> gone_at;

        template <class Archive> void transfer(Archive& archive) {
            archive.field(1, id);
            archive.field(2, peer);
            archive.field(3, hops);
            archive.field(4, session);
            archive.field(5, counters);
            archive.field(6, gone_at);
        }
    };

    [[nodiscard]] Entry* entry(std::uint32_t id);
    [[nodiscard]] Entry* by_discriminator(std::uint32_t discriminator);
    [[nodiscard]] Entry* by_source(const Arrival& arrival);
    [[nodiscard]] Entry* by_address(const Arrival& arrival);
    void drop(Drop reason, const Arrival& arrival);

    std::uint64_t seed_;
    Counters stray_;
    std::vector<Entry> entries_; // reserved once
};

} // namespace anyvip::bgp::bfd
