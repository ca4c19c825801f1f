// SPDX-License-Identifier: Apache-2.0
// A node: one agent and the shell, kernel, disk and services around it, all of them fake and at
// times unwilling.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cmd/agent/agent.hpp"
#include "test/sim/network.hpp"
#include "test/sim/router.hpp"

namespace anyvip::sim {

/// What the operator knows of the drains that he asked for.
struct DrainBook {
    using Until = std::optional<vip::WallTime>;

    struct VipHold {
        Until until;
        std::vector<Prefix> addresses;
    };

    std::optional<Until> node;
    std::map<std::string, VipHold> vips;
    std::map<std::string, Until> peers;
    bool is_unreadable = false;

    [[nodiscard]] bool holds(const vip::VipConfig& vip) const;
};

struct DrainedVip {
    Instant since;
    bool is_with_node = false;
};

/// How a check looks from outside: a second, smaller rise and fall.
struct CheckModel {
    std::uint64_t id = 0;
    health::State state = health::State::Unknown;
    int streak = 0; ///< equal results in a row, negative: failures
    bool is_inherited = false;
};

struct Service {
    enum class Mode : std::uint8_t { Up, Refused, Silent };
    Mode mode = Mode::Up;
    bool is_strange = false; ///< late results, failures of our own, slow answers
};

/// What the surroundings of a node do wrong at present.
struct Troubles {
    bool add_fails = false;
    bool kernel_is_slow = false;
    bool disk_fails = false;
    bool disk_is_slow = false;
};

struct Surroundings {
    Scheduler& scheduler;
    Random& random;
    Network& network;
    Trace& trace;
    std::vector<std::unique_ptr<Router>>& routers;
};

class Node final : public Host {
  public:
    Node(std::size_t index, cmd::Config config, Surroundings around);

    // ---- life ----
    void boot();
    /// kill -9: the kernel closes the sockets and keeps the addresses.
    void kill();
    /// Loss of power: nobody is told, addresses are gone.
    void lose_power();
    void pause(Duration duration);
    void stop();
    /// In place: a new agent goes on with the state of the old one, everything else stays. Not
    /// while the disk has not answered, as in the daemon.
    void upgrade();

    [[nodiscard]] bool is_running() const { return agent_ != nullptr; }

    [[nodiscard]] bool is_stopping() const { return is_stopping_; }

    [[nodiscard]] bool is_paused() const override;

    // ---- what the network brings ----
    void octets_arrived(const ConnectionPtr& connection, const Octets& octets) override;
    void end_arrived(const ConnectionPtr& connection) override;
    /// A router dials.
    void dialled(std::size_t router);

    // ---- operator ----
    void drain(const vip::DrainRequest& request);
    void undrain(const vip::UndrainRequest& request);
    void reload(cmd::Config config);
    void reset_peer(const std::string& name, bool is_soft);

    // ---- kernel ----
    void take_address(const Prefix& prefix);
    void put_foreign_address(const Prefix& prefix);
    void take_default_route();

    /// Of ours, in the kernel.
    [[nodiscard]] vip::NextHops default_route() const;

    [[nodiscard]] bool has_address(const Prefix& prefix) const { return kernel_.contains(prefix); }

    Troubles troubles;
    std::map<std::string, Service> services; ///< by check name

    // ---- what it should do ----
    enum class Wanted : std::uint8_t { No, Yes, Either };
    /// Whether this router should have this VIP's routes, when everything has settled.
    [[nodiscard]] Wanted wants(const vip::VipConfig& vip, const cmd::PeerEntry& peer) const;

    [[nodiscard]] bool is_drained(const cmd::PeerEntry& peer) const {
        return book_.peers.contains(peer.session.name);
    }

    [[nodiscard]] const cmd::Config& config() const { return config_; }

    [[nodiscard]] std::size_t index() const { return index_; }

    [[nodiscard]] std::uint64_t life() const { return life_; }

    [[nodiscard]] static std::size_t router_of(const cmd::PeerEntry& peer);
    [[nodiscard]] bool has_only_foreign_addresses() const;

    [[nodiscard]] cmd::Agent& agent() { return *agent_; }

  private:
    struct Sockets {
        std::size_t router = 0;
        std::array<ConnectionPtr, 2> slots;
        std::uint64_t attempt = 0; ///< number of the one under way
    };

    // ---- the turn ----
    void turn();
    bool settle_once();
    bool serve_peer(const std::string& name, Sockets& sockets);
    bool write(bgp::Peer& peer, const std::string& name, Sockets& sockets, bgp::Slot slot);
    void act(const bgp::ConnectAction& connect, const std::string& name, bgp::Peer& peer);
    void act(const bgp::AbortConnectAction& abort, const std::string& name, bgp::Peer& peer);
    void act(const bgp::CloseAction& close, const std::string& name, bgp::Peer& peer);
    void execute(const cmd::StartProbe& start);
    void execute(const cmd::CancelProbe& cancel);
    void execute(const cmd::AddAddress& add);
    void execute(const cmd::RemoveAddress& remove);
    void execute(const cmd::SetDefaultRoute& set);
    void execute(const cmd::Persist& persist);
    void execute(const cmd::Measure& measure);
    void execute(const cmd::PeerAdded& added);
    void execute(const cmd::PeerRemoved& removed);
    void execute(const cmd::PeerRenamed& renamed);
    void execute(const cmd::Stopped& stopped);
    void persist_ended(const cmd::Persist& persist, const DrainBook& book);
    void add_ended(const Prefix& prefix, const std::string& interface);
    void arm();
    void wake(Instant at);
    void connect_answered(const std::string& name, std::uint64_t attempt);
    void begin(const std::string& name, bgp::Slot slot, const ConnectionPtr& connection);
    void probe_ended(std::uint64_t id, std::uint64_t run, Instant due);
    [[nodiscard]] health::Result result_of(const Service& service, bool is_timed_out);
    void note_events();
    void measure_again();
    /// Packets that have come since the beginning of time, in the busiest case.
    [[nodiscard]] std::uint64_t packet_ticks() const;
    /// Runs in this life of the agent, not before a pause ends.
    void when_awake(Duration wait, std::function<void()> what);
    void run_when_awake(std::uint64_t life, const std::function<void()>& what);
    void end_life();
    [[nodiscard]] cmd::Now now() const;
    [[nodiscard]] std::optional<std::pair<std::string, bgp::Slot>>
    slot_of(const ConnectionPtr& connection) const;

    // ---- node_checks.cpp: invariants ----
    void check_turn();
    void check_table(const cmd::PeerEntry& peer, const Connection& connection);
    void check_route(const vip::VipConfig& vip,
                     const cmd::PeerEntry& peer,
                     const Prefix& prefix,
                     const Route& route) const;
    void check_announcement(const Prefix& prefix, const Route& route, const Connection& on) const;
    void check_removal(const Prefix& prefix) const;
    void note_drains();
    void check_book() const;
    void note_ended_drain(const std::string& vip);
    void follow_drains(const cmd::Config& next);
    void note_expired_drain(const std::string& name);
    void note_changed_checks(const cmd::Config& next);
    void count_result(std::uint64_t id, const health::Result& result);
    [[nodiscard]] health::State modelled_health(const vip::VipConfig& vip) const;
    [[nodiscard]] bool is_backup(const vip::VipConfig& vip, const Route& route) const;
    [[nodiscard]] const vip::VipConfig* vip_of(const Prefix& prefix) const;
    [[noreturn]] void violated(const std::string& what) const;

    std::size_t index_;
    cmd::Config config_;
    Surroundings around_;

    std::unique_ptr<cmd::Agent> agent_;
    std::uint64_t life_ = 0;
    bool is_stopping_ = false;
    bool is_in_turn_ = false;
    bool has_stopped_ = false;
    Instant paused_until_;
    std::vector<std::function<void()>> deferred_;
    std::map<std::string, Sockets> sockets_; ///< by peer name
    std::uint64_t last_attempt_ = 0;
    std::optional<Instant> armed_for_;
    Instant last_wake_;
    unsigned wakes_at_once_ = 0;

    std::map<Prefix, bool> kernel_;                                ///< true: ours
    std::map<vip::DefaultRouteKey, vip::NextHops> default_routes_; ///< ours
    std::set<Prefix> adds_pending_;
    std::map<Prefix, Instant> added_at_;
    vip::DrainState disk_;
    DrainBook book_;
    DrainBook book_on_disk_;
    unsigned unwritten_ = 0;
    std::map<std::string, DrainedVip> drained_since_; ///< as acted upon
    std::map<std::string, Instant> peers_drained_since_;
    std::map<std::string, CheckModel> models_;      ///< by label
    std::map<std::uint64_t, std::string> labels_;   ///< of check ids
    std::map<std::uint64_t, std::uint64_t> probes_; ///< check id: number of its run
    std::uint64_t last_probe_ = 0;
    cmd::Measure measured_;
    bool is_measuring_ = false;
    bool counts_packets_ = true;
    std::uint64_t uncounted_ = 0; ///< packets before this agent began to count
    Instant stop_due_;
    std::optional<Instant> last_expiry_;
};

} // namespace anyvip::sim
