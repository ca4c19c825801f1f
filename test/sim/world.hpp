// SPDX-License-Identifier: Apache-2.0
// One seed: a fabric of nodes and routers, a time of faults, a time in which everything has to come
// right, and a stop.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "test/sim/node.hpp"

namespace anyvip::sim {

struct Outcome {
    std::uint64_t hash = 0;
    std::uint64_t steps = 0;
    Duration convergence{}; ///< from the end of faults until all is as wanted
    std::string violation;  ///< empty: every invariant held
};

/// What else happens in a run; a seed's other events stay the same.
enum class Upgrades : std::uint8_t { None, Frequent };

[[nodiscard]] Outcome run_seed(std::uint64_t seed, bool is_traced, Upgrades upgrades);

class World {
  public:
    World(std::uint64_t seed, bool is_traced, Upgrades upgrades);
    Outcome run();

  private:
    // ---- how this seed's fabric looks ----
    void choose_shape();
    [[nodiscard]] cmd::Config make_config(std::size_t node);
    [[nodiscard]] vip::VipConfig make_vip(std::size_t number);

    // ---- faults ----
    void boot_node(Node& node);
    void fault();
    void network_fault(std::size_t kind);
    void router_fault(std::size_t kind);
    void node_fault(std::size_t kind);
    void service_fault();
    void operate();
    void drain_something(Node& node);
    void change_configuration(Node& node);
    void dial();
    void upgrade_again();
    void heal();
    [[nodiscard]] ConnectionPtr some_connection();

    [[nodiscard]] Node& some_node() { return *nodes_[random_.below(nodes_.size())]; }

    [[nodiscard]] Router& some_router() { return *routers_[random_.below(routers_.size())]; }

    // ---- the end ----
    /// Empty: every router knows what it should.
    [[nodiscard]] std::string difference() const;
    [[nodiscard]] std::string difference(const Node& node, const cmd::PeerEntry& peer) const;
    [[nodiscard]] static std::string default_route_difference(const Node& node);
    void converge();
    void stop_all();

    Random random_;
    Upgrades upgrades_;
    Random upgrade_random_;
    bool has_default_routes_; ///< routers send one, nodes want it
    Trace trace_;
    Scheduler scheduler_;
    Network network_;
    std::vector<std::unique_ptr<Router>> routers_;
    std::vector<std::unique_ptr<Node>> nodes_;

    std::vector<vip::VipConfig> vips_;
    std::uint32_t revision_ = 0;
    std::vector<cmd::PeerEntry> peers_;
    std::chrono::milliseconds interval_{1000};
    vip::DrainConfig drain_;
    Duration convergence_{};
};

} // namespace anyvip::sim
