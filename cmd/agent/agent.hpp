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
#include "vip/drain.hpp"

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

/// Write the drain state to disk, atomically; answered by `persisted`.
struct Persist {
    vip::DrainState state;
};

/// Count live flows of these VIPs' addresses / packets that arrive for them, until changed. The
/// whole wanted set.
struct Measure {
    std::vector<IpAddress> flows;
    std::vector<IpAddress> packets;
};

/// A peer was added to, or removed from, `peers()`. On removal its driver ends it (Cease/3) and
/// then drops it.
struct PeerAdded {
    std::string name;
};

struct PeerRemoved {
    std::string name;
};

/// The graceful stop has ended; nothing is announced, own addresses are gone.
struct Stopped {};

using Output = std::variant<StartProbe,
                            CancelProbe,
                            AddAddress,
                            RemoveAddress,
                            Persist,
                            Measure,
                            PeerAdded,
                            PeerRemoved,
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
    std::string problem; ///< empty: fine
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
    std::vector<vip::Condition> conditions; ///< what `explain` prints
};

struct CheckView {
    std::string label; ///< NAME or NAME@ADDRESS
    const health::Check* check = nullptr;
    std::uint64_t id = 0;
};

enum class NodeState : std::uint8_t { Running, Draining, Drained, Stopping };

/// After each input the shell calls `settle`, executes `take_outputs()` (feeding answers back and
/// settling again until there are none), then writes what the peers have to say. All of that
/// happens in one turn of the loop.
class Agent {
  public:
    Agent(Config config, vip::DrainState restored, std::uint64_t seed, Now now);
    ~Agent();
    Agent(const Agent&) = delete;
    Agent& operator=(const Agent&) = delete;

    // ---- inputs ----
    void probe_finished(std::uint64_t check_id, const health::Result& result, Now now);
    /// Run a check at once (tripwire, `anyvip check NAME`).
    void trigger_check(std::uint64_t check_id, Now now);
    /// What is on an interface, from a dump or a notification. `is_owned`: it carries our mark.
    void address_observed(
        const Prefix& prefix, std::string_view interface, bool is_present, bool is_owned, Now now);
    void address_failed(const Prefix& prefix,
                        std::string_view interface,
                        std::string_view reason,
                        Now now);
    [[nodiscard]] vip::DrainReply drain(const vip::DrainRequest& request, Now now);
    [[nodiscard]] vip::DrainReply undrain(const vip::UndrainRequest& request, Now now);
    void drain_file(bool exists, Now now);
    /// Empty error: written.
    void persisted(std::string_view error, Now now);
    void flows_counted(const std::map<IpAddress, vip::FlowCount>& flows, Now now);
    void packets_seen(const std::map<IpAddress, std::uint64_t>& packets, Now now);
    /// Graceful stop; a second call stops at once. `Stopped` is the answer.
    void stop(Now now);
    /// Applies the difference; `describe` lists it for `--dry-run` without doing it.
    void reload(Config config, Now now);
    [[nodiscard]] std::vector<std::string> describe_reload(const Config& config) const;

    /// Decides, sets wanted routes and addresses, flushes the peers. Idempotent.
    void settle(Now now);

    // ---- time ----
    /// Of everything in here, the peers included.
    [[nodiscard]] std::optional<Instant> next_deadline() const;
    void tick(Now now);

    // ---- outputs ----
    [[nodiscard]] std::vector<Output> take_outputs();
    /// Events since the last call, those of the peers included.
    [[nodiscard]] std::vector<Event> take_events();

    // ---- parts and views ----
    [[nodiscard]] bgp::Peer* find_peer(std::string_view name);
    [[nodiscard]] std::vector<std::string> peer_names() const; ///< in configuration order
    [[nodiscard]] std::vector<VipView> vips() const;
    [[nodiscard]] std::vector<CheckView>
    checks() const; ///< running instances; a check no VIP uses still runs
    [[nodiscard]] NodeState node_state() const;
    [[nodiscard]] const Config& config() const;
    [[nodiscard]] const vip::DrainState& drains() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace anyvip::cmd
