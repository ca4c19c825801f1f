// SPDX-License-Identifier: Apache-2.0
// The pure whole: checks, VIPs, drains and peers composed. Inputs and the time in, outputs and
// events out.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "bgp/session/peer.hpp"
#include "cmd/agent/config.hpp"
#include "health/check.hpp"
#include "vip/decision.hpp"
#include "vip/default_route.hpp"
#include "vip/drain.hpp"

namespace anyvip::cmd::handover {
class Saver;
class Loader;
} // namespace anyvip::cmd::handover

namespace anyvip::cmd {

/// The two clocks of one moment. Only what outlives a restart (`drain --until`) looks at the wall
/// clock.
struct Now {
    Instant monotonic;
    std::chrono::system_clock::time_point wall;
};

// ---- outputs: what the shell has to do, in order
// -----------------------------------------------------------------------

/// Start the probe of this run; answered by `probe_finished` with the same id. A second start for
/// one id cannot come before that.
struct StartProbe {
    std::uint64_t check_id;
    health::CheckConfig config; ///< expanded: {vip} replaced
    std::string label;          ///< NAME or NAME@ADDRESS
    std::optional<IpAddress>
        vip_address; ///< the probe must be routed to this host (result "not local" otherwise)
};

/// The check is gone or changed; no result is wanted any more.
struct CancelProbe {
    std::uint64_t check_id;
};

/// Answered by `address_observed` (the kernel's notification will do) or `address_failed`.
struct AddAddress {
    Prefix prefix;
    std::string interface;
};

struct RemoveAddress {
    Prefix prefix;
    std::string interface;
};

/// The default route of this family and metric shall have exactly these next hops; none: remove it.
/// Answered by `default_route_observed`, and `default_route_failed` when the kernel refuses a part.
struct SetDefaultRoute {
    vip::DefaultRouteKey key;
    vip::NextHops next_hops;
};

/// Write the drain state to disk, atomically; answered by `persisted`.
struct Persist {
    vip::DrainState state;
};

/// Count live flows of these VIPs' addresses (answered by `flows_counted`, every second or so) and
/// packets that arrive for them (`packets_seen`, every 100 ms or so), until changed. The whole
/// wanted set, sorted.
struct Measure {
    std::vector<IpAddress> flows;
    std::vector<IpAddress> packets;
};

/// A peer was added. Those of the first configuration are not told.
struct PeerAdded {
    std::string name;
};

/// A peer was removed and has been stopped with Cease/3. `find_peer` finds it until its driver has
/// written its last octets and calls `peer_gone`.
struct PeerRemoved {
    std::string name;
};

/// The same peer with another name.
struct PeerRenamed {
    std::string from;
    std::string to;
};

/// The graceful stop has ended; nothing is announced, own addresses are gone.
struct Stopped {};

using Output = std::variant<StartProbe,
                            CancelProbe,
                            AddAddress,
                            RemoveAddress,
                            SetDefaultRoute,
                            Persist,
                            Measure,
                            PeerAdded,
                            PeerRemoved,
                            PeerRenamed,
                            Stopped>;

// ---- events (CONTRACT section 4), for the event log, the log, hooks and metrics
// ------------------------------------------

struct Event {
    Instant at;
    std::string event; ///< "vip.announced", "check.down"…
    std::string name;
    std::string reason;
    std::vector<std::pair<std::string, std::string>> details;
};

// ---- views, for status and explain
// ------------------------------------------------------------------------------------

struct AddressView {
    Prefix prefix;
    std::string interface;
    bool is_present = false;
    bool is_owned = false;
    bool is_announced = false; ///< to one peer at least
    std::string problem;       ///< empty: fine
};

struct VipView {
    const vip::VipConfig* config = nullptr;
    vip::VipState state = vip::VipState::Starting;
    Instant since;
    std::string reason;
    health::State health = health::State::Unknown;
    bool is_drained = false; ///< a drain holds it
    std::uint32_t weight = 100;
    std::optional<std::uint64_t> flows;
    std::vector<AddressView> addresses;
    std::vector<std::string> announced_to;
    std::vector<vip::Condition> conditions; ///< what `explain` prints; only of `vip`
};

struct CheckView {
    std::string label; ///< NAME or NAME@ADDRESS
    const health::Check* check = nullptr;
    std::uint64_t id = 0;
};

/// How the last drain of a VIP goes or went, for `drain --wait`.
enum class DrainOutcome : std::uint8_t {
    None, ///< not drained since it was asked for
    Running,
    Ended,          ///< no traffic left
    DeadlinePassed, ///< out of service, with traffic left
    Cancelled,      ///< by `undrain`, or because it would have been the last node
};

struct DrainProgress {
    std::string vip;
    vip::DrainStep step = vip::DrainStep::None;
    DrainOutcome outcome = DrainOutcome::None;
    Instant since;                        ///< of the step
    std::optional<std::uint64_t> flows;   ///< nullopt: not counted yet
    std::optional<std::uint64_t> packets; ///< since the withdraw; nullopt: nobody counts
    std::optional<Instant> deadline;      ///< known from the withdraw on
    std::string reason;
};

/// A router taken out of use by `drain --peer` or before a reset.
enum class PeerUse : std::uint8_t { Open, GracefulShutdown, Withdrawn };

enum class BfdState : std::uint8_t { Off, AdminDown, Down, Init, Up };
[[nodiscard]] std::string_view to_string(BfdState state); ///< as `peers[].bfd` of the JSON

struct PeerView {
    const PeerEntry* entry = nullptr;
    const bgp::Peer* peer = nullptr;
    PeerUse use = PeerUse::Open;
    bool is_drained = false; ///< `drain --peer` holds it
    BfdState bfd = BfdState::Off;
    std::string refused;        ///< not empty: why no connection may be made at all
    bool waits_for_bfd = false; ///< `bfd.strict`: no connection before BFD is up
};

/// A learnt default route in the kernel, or on its way there.
struct DefaultRouteView {
    struct Hop {
        vip::NextHop next_hop;
        std::string peer; ///< that offers it; empty: adopted from a run before
        bool is_installed = false;
    };

    vip::DefaultRouteKey key;
    std::vector<Hop> next_hops;
    bool is_last = false; ///< no router offers one any more: it stays while the daemon runs
    Instant since;
    std::string last_event;
    std::string problem;   ///< empty: fine
    std::string hidden_by; ///< another program's route that the kernel prefers; empty: none
};

/// What a router with `default_route` offers.
struct DefaultRouteOffer {
    std::string peer;
    Family family = Family::Ipv4;
    std::uint32_t metric = 0;
    std::optional<vip::NextHop> next_hop; ///< nullopt: none that can be used
    bool is_graceful_shutdown = false;    ///< RFC 8326: only when no other is left
    bool is_taken_out = false;            ///< `drain --peer`, or about to be reset
    std::string problem;                  ///< why there is none
};

enum class NodeState : std::uint8_t { Running, Draining, Drained, Stopping };

/// After each input, and after the peers were told what was `sent` or acknowledged, the shell calls
/// `settle`, writes what the peers have to say, executes `take_outputs()` and feeds the answers
/// back, until there are none. All of that happens in one turn of the loop. Nothing in the peers
/// has to wait for an output: a route is wanted only after its address was observed, a drain acts
/// only after it was `persisted`, so the octets of a withdraw may leave first.
///
/// Before the first `settle`: the addresses and own default routes that are there
/// (`address_observed`, `default_route_observed`) and `drain_file`.
/// `config.node.router_id` has a value.
class Agent {
  public:
    Agent(Config config, vip::DrainState restored, std::uint64_t seed, Now now);
    ~Agent();
    Agent(const Agent&) = delete;
    Agent& operator=(const Agent&) = delete;

    // ---- inputs ----
    void probe_finished(std::uint64_t check_id, const health::Result& result, Now now);
    /// Run a check at once: a tripwire, at most once each `fast_interval`; somebody who waits for a
    /// run that begins from now on (`anyvip check NAME`), always.
    void trigger_check(std::uint64_t check_id, Now now);
    void demand_check(std::uint64_t check_id, Now now);
    /// What is on an interface, from a dump or a notification. `is_owned`: it carries our mark.
    void address_observed(
        const Prefix& prefix, std::string_view interface, bool is_present, bool is_owned, Now now);
    void address_failed(const Prefix& prefix,
                        std::string_view interface,
                        std::string_view reason,
                        Now now);
    /// What of our default routes is in the kernel; `hidden_by`: what of others it prefers, if any.
    void default_route_observed(const vip::DefaultRouteKey& key,
                                const vip::NextHops& next_hops,
                                std::string_view hidden_by,
                                Now now);
    void default_route_failed(const vip::DefaultRouteKey& key, std::string_view reason, Now now);
    [[nodiscard]] vip::DrainReply drain(const vip::DrainRequest& request, Now now);
    [[nodiscard]] vip::DrainReply undrain(const vip::UndrainRequest& request, Now now);
    /// Of a drain that was accepted and written since: why nobody holds it any more; empty: it
    /// holds.
    [[nodiscard]] std::string why_drain_ended(const vip::DrainRequest& request) const;
    void drain_file(bool exists, Now now);
    /// Why it cannot be looked at, so that the last answer counts; empty: it can.
    void drain_file_problem(std::string_view problem, Now now);
    /// Empty error: written.
    void persisted(std::string_view error, Now now);
    void flows_counted(const std::map<IpAddress, vip::FlowCount>& flows, Now now);
    /// Packets since the address was first asked for in `Measure`; no entry: none so far. Not
    /// called at all when nobody can count: then `linger` passes in full.
    void packets_seen(const std::map<IpAddress, std::uint64_t>& packets, Now now);
    void bfd_state(std::string_view peer, BfdState state, std::string_view diagnostic, Now now);
    /// The router has said that its BFD session is administratively down, or that it no longer is.
    /// To be told before the state: that Down is no failure (RFC 5882 §4.2).
    void bfd_admin_down(std::string_view peer, bool is_admin_down, Now now);
    /// Its transport cannot be what the configuration demands (TCP-AO, key file): never connect.
    /// Empty: it can again.
    void peer_refused(std::string_view peer, std::string_view reason, Now now);
    /// The driver of a removed peer has ended.
    void peer_gone(std::string_view peer);
    /// Graceful stop; a second call stops at once. `Stopped` is the answer.
    void stop(Now now);
    /// Applies the difference; `describe` lists it for `--dry-run` without doing it. A router ID
    /// that the file leaves to the host is nullopt. `exception`: what of the file the shell could
    /// not apply, which `config` does not contain then.
    void reload(Config config, Now now, std::string_view exception = {});
    [[nodiscard]] std::vector<std::string> describe_reload(Config config) const;

    /// Decides, sets wanted routes and addresses, flushes the peers. Idempotent.
    void settle(Now now);

    /// After `settle`: the withdraws that it wants written were caused by an input of this moment.
    void withdraws_caused(Instant cause);
    /// After the peers were told what was `sent`: the earliest cause of withdraws that the kernel
    /// has taken completely since the last call; nullopt: none. Routes that went with their session
    /// are no withdraw.
    [[nodiscard]] std::optional<Instant> withdraws_written();

    // ---- upgrade in place ----
    /// The state after a turn, as fields for a successor with the same configuration. Changes
    /// nothing.
    void transfer(handover::Saver& saver);
    /// Into a new agent of the same configuration, before its first `settle`. Afterwards the
    /// kernel's addresses are observed as at every start, and those of `addresses_present` that are
    /// not among them as absent.
    void transfer(handover::Loader& loader);
    [[nodiscard]] std::vector<std::pair<Prefix, std::string>> addresses_present() const;
    [[nodiscard]] std::vector<vip::DefaultRouteKey> default_routes_present() const;

    // ---- time ----
    /// Of everything in here, the peers included.
    [[nodiscard]] std::optional<Instant> next_deadline() const;
    void tick(Now now);

    // ---- outputs: those of probes come last, a {vip} has its address by then ----
    [[nodiscard]] std::vector<Output> take_outputs();
    /// Events since the last call, those of the peers included.
    [[nodiscard]] std::vector<Event> take_events();

    // ---- parts and views ----
    [[nodiscard]] bgp::Peer* find_peer(std::string_view name);
    [[nodiscard]] std::vector<std::string> peer_names() const; ///< in configuration order
    [[nodiscard]] std::optional<PeerView> peer(std::string_view name) const;
    /// A reload has changed what its session is made of, and that is still up as it was before.
    [[nodiscard]] bool is_reset_pending(std::string_view name) const;
    /// Of these VIPs, by default of all that were ever drained.
    /// Changes with whatever `drain_progress` says of any VIP.
    [[nodiscard]] std::uint64_t drain_fingerprint() const;
    [[nodiscard]] std::vector<DrainProgress>
    drain_progress(const std::vector<std::string>& vips = {}) const;
    /// In configuration order, without conditions. An index is good until the next reload.
    [[nodiscard]] std::size_t vip_count() const;
    [[nodiscard]] VipView vip_at(std::size_t index) const;
    [[nodiscard]] std::optional<VipView> vip(std::string_view name) const;
    [[nodiscard]] std::size_t count_vips(vip::VipState state) const;
    /// Drained, or announced; `backup` is another state, in which others are to be used.
    [[nodiscard]] bool is_every_vip_ready() const;
    [[nodiscard]] bool is_any_vip_drained() const;
    [[nodiscard]] std::vector<CheckView>
    checks() const; ///< running instances; a check no VIP uses still runs
    /// The instances of the check at this place of the configuration.
    [[nodiscard]] std::vector<CheckView> checks_at(std::size_t index) const;
    /// How often the configuration was replaced.
    [[nodiscard]] std::uint64_t reload_count() const;
    [[nodiscard]] std::vector<DefaultRouteView> default_routes() const;
    [[nodiscard]] std::vector<DefaultRouteOffer> default_route_offers() const;
    [[nodiscard]] NodeState node_state() const;
    [[nodiscard]] const Config& config() const;
    [[nodiscard]] const vip::DrainState& drains() const;
    [[nodiscard]] bool drain_file_exists() const; ///< as told last

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace anyvip::cmd
