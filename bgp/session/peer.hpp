// SPDX-License-Identifier: Apache-2.0
// One configured peer: at most two connections, collision, back-off, routes. Bytes and time in,
// bytes and actions out.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "bgp/rib/paths.hpp"
#include "bgp/rib/route.hpp"
#include "bgp/types.hpp"
#include "bgp/wire/notification.hpp"
#include "bgp/wire/open.hpp"

namespace anyvip::bgp {

/// `asn` of a [[peer]]: a number, "external" or "internal".
struct RemoteAs {
    enum class Kind : std::uint8_t { Number, External, Internal };
    Kind kind = Kind::External;
    Asn number;
    friend bool operator==(const RemoteAs&, const RemoteAs&) = default;
};

enum class LinkLocalNextHop : std::uint8_t { Auto, Never, Always };

/// What the protocol needs to know of a [[peer]]; everything validated. Keys are those of CONTRACT
/// section 2.
struct PeerConfig {
    std::string name;
    RemoteAs remote_as;
    bool passive = false;
    bool listens = true;
    std::chrono::seconds hold_time{9};
    std::chrono::milliseconds connect_timeout{3000};
    std::chrono::milliseconds connect_retry{250};
    std::chrono::milliseconds connect_retry_max{2000};
    std::chrono::milliseconds open_hold{240000};
    std::optional<std::chrono::milliseconds>
        send_hold_time; ///< default: the greater of 8 min and twice the hold time
    std::array<bool, 2> families{true, true}; ///< by Family
    bool extended_next_hop = false;
    std::optional<IpAddress> next_hop_ipv4;
    std::optional<IpAddress> next_hop_ipv6;
    std::uint8_t multihop = 0;
    bool strict_rfc4271 = false;
    LinkLocalNextHop ipv6_link_local_next_hop = LinkLocalNextHop::Auto;
    ExportPolicy policy;
    std::uint32_t max_received = 0;
    std::optional<std::uint8_t> role; ///< RFC 9234 value to send
    bool has_password = false;        ///< for hints: a wrong MD5 key is silent
    friend bool operator==(const PeerConfig&, const PeerConfig&) = default;
};

/// This node towards all peers.
struct Speaker {
    Asn asn;
    RouterId router_id;
    friend bool operator==(const Speaker&, const Speaker&) = default;
};

/// Which of the two connections that a peer can have (RFC 4271 §6.8).
enum class Slot : std::uint8_t { Outgoing, Incoming };

/// What the shell knows of an established TCP connection.
struct Endpoints {
    IpAddress local;
    IpAddress remote;
    std::string interface;                   ///< that owns `local`; empty when unknown
    std::vector<Prefix> local_subnets;       ///< connected subnets of that interface, both families
    std::optional<IpAddress> interface_ipv4; ///< first address of that interface, never a VIP
    std::optional<IpAddress> interface_ipv6; ///< first global one, never a VIP
    std::optional<IpAddress> interface_link_local;

    template <class Archive> void transfer(Archive& archive) {
        archive.field(1, local);
        archive.field(2, remote);
        archive.field(3, interface);
        archive.field(4, local_subnets);
        archive.field(5, interface_ipv4);
        archive.field(6, interface_ipv6);
        archive.field(7, interface_link_local);
    }
};

/// RFC 4271 §8.2.2; the peer's state is that of its most advanced connection.
enum class SessionState : std::uint8_t {
    Idle,
    Connect,
    Active,
    OpenSent,
    OpenConfirm,
    Established
};
[[nodiscard]] std::string_view to_string(SessionState state);

// ---- what the shell has to do, in order
// ------------------------------------------------------------------------------

/// Start an outgoing connection; answered by `connected` or `connect_failed`. At most one at a
/// time.
struct ConnectAction {};

/// Give up an outgoing attempt that has not been answered yet.
struct AbortConnectAction {};

/// Close. Graceful: send what `output` still holds, read and drop the receive side, shutdown(WR),
/// wait at most 1 s for the peer's end, then close. Not graceful: RST (SO_LINGER 0). The slot is
/// free for the core from now on.
struct CloseAction {
    Slot slot;
    bool graceful = true;
    std::vector<std::uint8_t>
        last_octets; ///< unsent output with the NOTIFICATION at its end; graceful only
};

using Action = std::variant<ConnectAction, AbortConnectAction, CloseAction>;

// ---- what has happened, for events, logs and metrics
// -----------------------------------------------------------------

struct PeerUp {
    std::chrono::seconds hold_time;
    std::vector<Family> families;
};

struct PeerDown {
    std::string reason; ///< one line: which side, what, subcode name, message
};

/// Worth a log line but not a state: hints, ignored capabilities, malformed updates (rate-limited
/// here).
struct PeerNotice {
    bool is_warning = false;
    std::string text;
};

/// Paths seen for our prefixes changed.
struct PathsChanged {};

using PeerEvent = std::variant<PeerUp, PeerDown, PeerNotice, PathsChanged>;

/// Last NOTIFICATION or transport error, `last_error` of the JSON.
struct LastError {
    Instant at;
    std::uint8_t code = 0; ///< 0: no NOTIFICATION (transport, timeout)
    std::uint8_t subcode = 0;
    std::string name;
    std::string message;
    bool sent = false;

    template <class Archive> void transfer(Archive& archive) {
        archive.field(1, at);
        archive.field(2, code);
        archive.field(3, subcode);
        archive.field(4, name);
        archive.field(5, message);
        archive.field(6, sent);
    }
};

struct MessageCounters {
    std::array<std::uint64_t, 6> sent{}; ///< by message type, index 0 unused
    std::array<std::uint64_t, 6> received{};

    template <class Archive> void transfer(Archive& archive) {
        archive.field(1, sent);
        archive.field(2, received);
    }
};

/// Everything `anyvip peers NAME` shows. Made on demand.
struct PeerStatus {
    SessionState state = SessionState::Idle;
    Instant since;
    std::optional<Asn> remote_asn;
    std::optional<RouterId> remote_id;
    std::optional<std::chrono::seconds> hold_time; ///< negotiated
    std::array<bool, 2> families{};                ///< negotiated, by Family
    std::array<std::string, 2>
        family_problem; ///< why a configured family is not used, cannot be announced or is ignored
                        ///< when received; empty: fine
    bool four_octet_asn = false;
    bool enhanced_route_refresh = false;
    bool extended_next_hop = false;
    std::array<bool, 2> add_path{};
    bool peer_graceful_restart = false;
    std::array<std::size_t, 2> advertised{};
    std::uint64_t received_prefixes =
        0;                    ///< announced minus withdrawn in this session, never below 0
    std::uint64_t resets = 0; ///< sessions that were Established and ended
    std::optional<LastError> last_error;
    MessageCounters messages;
    std::map<std::string, std::uint64_t, std::less<>>
        rule_counters;                        ///< RFC 7606 and others, by wire::Error::rule
    std::vector<std::uint8_t> last_malformed; ///< whole message
    std::string last_malformed_detail;
    std::optional<Instant> next_attempt; ///< while Idle or Active
    std::optional<Endpoints> endpoints;
};

/// Pure. After every call the shell: takes `take_actions()`, writes `output(slot)` to the sockets
/// at once as far as they accept it (reporting `sent`), takes `take_events()`, re-arms its timer to
/// `next_deadline()`.
class Peer {
  public:
    /// `seed` feeds the jitter; same inputs and seed give the same outputs, bit for bit.
    Peer(PeerConfig config, Speaker speaker, std::uint64_t seed, Instant now);
    ~Peer();
    Peer(Peer&&) noexcept;
    Peer& operator=(Peer&&) noexcept;

    // ---- administration ----
    void start(Instant now);
    /// Ends the session with this Cease and stays down until `start`. Routes are NOT withdrawn
    /// first: that is drain's business.
    void stop(wire::Cease subcode, std::string_view message, Instant now);
    /// Not started yet, but about to be (BFD is not up, `strict`): until `start` or `stop` inbound
    /// connections wait instead of being rejected. Without effect on a started peer.
    void defer();
    /// Ends the session with this Cease and reconnects (operator reset 6/4, BFD down 6/10,
    /// configuration 6/6, resources 6/8). Without a connection: an attempt under way starts anew, a
    /// pause or back-off ends.
    void reset(wire::Cease subcode, std::string_view message, Instant now);
    /// Sends all routes again (`reset --soft`), bracketed when enhanced route refresh was
    /// negotiated.
    void resend_all(Instant now);
    /// New configuration. Attributes, next hops and timers apply at once; what OPEN depends on
    /// needs `reset` by the caller, `needs_reset(old, new)` tells.
    void reconfigure(PeerConfig config, Instant now);
    [[nodiscard]] static std::vector<std::string> needs_reset(const PeerConfig& before,
                                                              const PeerConfig& after);
    /// Who we are in OPENs from now on. A session ends as who it has begun.
    void set_speaker(Speaker speaker);
    /// Who we are to this router.
    [[nodiscard]] Speaker speaker() const;

    // ---- transport ----
    /// May an inbound connection be accepted now? Otherwise the shell sends `rejection()` (nothing
    /// when empty) and closes. True also while the incoming slot is in use and the new connection
    /// is to replace it (the router dialled twice, or restarted, RFC 4724 §5): then the shell
    /// closes the old socket first, without a call.
    [[nodiscard]] bool accepts_inbound() const;
    /// Is it to wait, unread, until this ends? Of several the latest; at most for open_hold.
    [[nodiscard]] bool defers_inbound() const;
    /// Cease/5 while administratively down, Cease/7 while the incoming connection is beyond OPEN.
    [[nodiscard]] std::vector<std::uint8_t> rejection() const;
    /// One that the shell does not take, for a reason of its own: told, not answered.
    void inbound_refused(std::string_view why, Instant now);
    void connected(Slot slot, const Endpoints& endpoints, Instant now);
    void connect_failed(std::string_view reason, Instant now);
    /// Any number of octets, any borders; consumed completely. Returns at once when the slot is
    /// closed on the way.
    void received(Slot slot, std::span<const std::uint8_t> octets, Instant now);
    /// End of file or error on the connection; the shell closes the socket itself, no CloseAction
    /// follows.
    void closed(Slot slot, std::string_view reason, Instant now);
    /// Octets waiting to be written; bounded (64 KiB and a message), refilled from the Adj-RIB-Out
    /// as it is `sent`. Valid until the next call. Empty from a CloseAction on.
    [[nodiscard]] std::span<const std::uint8_t> output(Slot slot) const;
    void sent(Slot slot, std::size_t octets, Instant now);
    /// Octets of this connection that the peer's TCP has not acknowledged yet (SIOCOUTQ). The shell
    /// reports it whenever something was `sent`, and before `tick`: without progress for the send
    /// hold time (RFC 9687) the connection ends. While `wants_acknowledgement(slot)` also in
    /// between: a withdraw that is not acknowledged within the greater of 5 s and a third of the
    /// hold time ends it.
    void unacknowledged(Slot slot, std::size_t octets, Instant now);
    [[nodiscard]] bool wants_acknowledgement(Slot slot) const;

    // ---- time ----
    [[nodiscard]] std::optional<Instant> next_deadline() const;
    /// What has arrived before `now` is to be handed over first: an expired timer ends the session.
    void tick(Instant now);

    // ---- routes ----
    /// Wanted state of one prefix; nullptr withdraws. Idempotent, cheap when nothing changes.
    /// Written by the `flush` that ends the turn.
    void want(const Prefix& prefix, RouteIntentPtr intent);
    /// Turns pending changes into output, withdrawals first. Called once at the end of every turn.
    void flush(Instant now);
    /// End-of-RIB may be sent: every check had its verdict (or 5 s have passed). Stays true.
    void allow_end_of_rib(Instant now);
    /// Sent to the peer (handed to the kernel completely) and not withdrawn since.
    [[nodiscard]] bool is_advertised(const Prefix& prefix) const;
    /// A withdraw waits for the kernel to take it.
    [[nodiscard]] bool has_unwritten_withdrawals() const;
    /// No withdraw is waiting to be written or acknowledged.
    [[nodiscard]] bool withdrawals_acknowledged() const;
    /// Prefixes that `paths()` remembers. For new ones the router is asked to send its routes again
    /// with the next flush (RFC 2918).
    void watch(std::set<Prefix> prefixes);
    [[nodiscard]] const Paths& paths() const;
    /// End-of-RIB received, for each family; with ADD-PATH it makes absence meaningful.
    [[nodiscard]] bool has_received_end_of_rib(Family family) const;
    /// With which attributes the prefix is advertised; nullptr: it is not.
    [[nodiscard]] std::shared_ptr<const wire::PathAttributes>
    advertised(const Prefix& prefix) const;

    // ---- observation ----
    [[nodiscard]] bool is_established() const;
    /// Of the Established connection; nullptr when there is none. Valid until the next call.
    [[nodiscard]] const Endpoints* endpoints() const;
    /// Established, negotiated, and a usable next hop exists.
    [[nodiscard]] bool can_announce(Family family) const;
    [[nodiscard]] PeerStatus status() const;
    [[nodiscard]] const PeerConfig& config() const;
    [[nodiscard]] std::vector<Action> take_actions();
    [[nodiscard]] std::vector<PeerEvent> take_events();

    /// What goes over at an upgrade in place (cmd/handover): everything but the configuration,
    /// after a turn has ended. Defined in peer_transfer.hpp.
    template <class Archive> void transfer(Archive& archive);
    /// A connection that the session relies on: which the shell has to have after loading.
    [[nodiscard]] bool has_connection(Slot slot) const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace anyvip::bgp
