// SPDX-License-Identifier: Apache-2.0
// Shape of a fabric, the course of a run, and what has to be true at its end.
#include "test/sim/world.hpp"

#include <algorithm>

namespace anyvip::sim {

using namespace std::chrono_literals;

namespace {

constexpr std::uint32_t node_asn = 65010;
/// Shorter than the default of 4 minutes: a router that loses its memory between its SYN-ACK and
/// its OPEN leaves nothing that would tell the node, which waits for so long.
constexpr auto open_hold = 10s;
/// A session that a silent fault left half open blocks its successor for a hold time (9 s); the
/// refusals meanwhile may have raised the back-off to its 60 s, with damping of a VIP as long
/// beside it. Then one attempt, and a probe's rise.
constexpr Duration convergence_limit = open_hold + 9s + 60s + 3s + 2s + 10s;

} // namespace

World::World(std::uint64_t seed, bool is_traced, Upgrades upgrades)
    : random_(seed), upgrades_(upgrades), upgrade_random_(~seed),
      has_default_routes_(seed % 4 == 1), trace_(is_traced),
      network_(scheduler_, random_, [this](const Connection& connection, Side side) -> Host& {
          return side == Side::Node ? static_cast<Host&>(*nodes_.at(connection.node))
                                    : static_cast<Host&>(*routers_.at(connection.router));
      }) {
    choose_shape();
}

void World::choose_shape() {
    const std::size_t node_count = 1 + random_.below(3);
    const std::size_t router_count = 1 + random_.below(2);
    const bool is_internal = random_.one_in(5);
    network_.most_delay = random_.one_in(3) ? Duration(80ms) : Duration(3ms);
    interval_ = random_.one_in(2) ? 1000ms : 3000ms;
    drain_.gshut = random_.one_in(4) ? 0ms : 1000ms;
    drain_.keep_last = random_.one_in(3) ? vip::KeepLast::Never : vip::KeepLast::Auto;
    drain_.deadline = 20s;
    for (std::size_t i = 0; i < router_count; ++i) {
        RouterOptions options;
        options.asn = is_internal ? node_asn : 65001;
        options.id =
            (random_.one_in(2) ? 0x0a000001U : 0x0a0000c8U) + static_cast<std::uint32_t>(i);
        options.is_internal = is_internal;
        options.dials = random_.one_in(2);
        options.shows_paths = !is_internal && random_.one_in(2);
        options.restarts_gracefully = random_.one_in(4);
        options.has_route_refresh = !random_.one_in(4);
        options.has_ipv6 = !random_.one_in(5);
        options.sends_default = has_default_routes_;
        routers_.push_back(
            std::make_unique<Router>(i, options, node_asn, scheduler_, network_, trace_));
        cmd::PeerEntry peer;
        peer.session.name = "tor" + std::to_string(i);
        peer.session.remote_as = {bgp::RemoteAs::Kind::Number, bgp::Asn{options.asn}};
        peer.session.open_hold = open_hold;
        peer.session.passive = options.dials && random_.one_in(4);
        peer.address = IpAddress::v4(0x0a000001U + static_cast<std::uint32_t>(i));
        peer.default_route = has_default_routes_;
        peers_.push_back(peer);
    }
    for (std::size_t i = 0; i < 3; ++i) {
        vips_.push_back(make_vip(i));
    }
    for (std::size_t i = 0; i < node_count; ++i) {
        nodes_.push_back(std::make_unique<Node>(
            i, make_config(i), Surroundings{scheduler_, random_, network_, trace_, routers_}));
    }
}

vip::VipConfig World::make_vip(std::size_t number) {
    constexpr std::array policies{vip::AddressPolicy::Hold,
                                  vip::AddressPolicy::Hold,
                                  vip::AddressPolicy::Follow,
                                  vip::AddressPolicy::External};
    vip::VipConfig vip;
    vip.name = "vip" + std::to_string(number);
    vip.addresses = {Prefix::parse("203.0.113." + std::to_string(10 + number) + "/32").value()};
    if (random_.one_in(2)) {
        vip.addresses.push_back(
            Prefix::parse("2001:db8::" + std::to_string(10 + number) + "/128").value());
    }
    if (number < 2) {
        vip.checks = {number == 0 ? "web" : "app"};
    }
    vip.address_policy = policies[random_.below(policies.size())];
    vip.on_down = random_.one_in(3) ? vip::OnDown::Backup : vip::OnDown::Withdraw;
    vip.hold_down = random_.one_in(4) ? 2000ms : 0ms;
    vip.damping = !random_.one_in(3);
    if (peers_.size() > 1 && random_.one_in(4)) {
        vip.peers = {peers_.front().session.name};
    }
    return vip;
}

cmd::Config World::make_config(std::size_t node) {
    cmd::Config config;
    config.node.asn = bgp::Asn{node_asn};
    config.node.router_id = bgp::RouterId{0x0a00000bU + static_cast<std::uint32_t>(node)};
    config.node.name = "lb" + std::to_string(node);
    config.peers = peers_;
    for (cmd::PeerEntry& peer : config.peers) {
        peer.session.next_hop_ipv6 = IpAddress::parse("fd00::b" + std::to_string(node)).value();
    }
    for (const std::string name : {"web", "app"}) {
        health::CheckConfig check;
        check.name = name;
        check.schedule.interval = interval_;
        const std::string host = name == "app" ? "{vip}" : "127.0.0.1";
        check.target = health::TcpTarget{.target = host + ":80"};
        config.checks.push_back(check);
    }
    config.vips = vips_;
    config.drain = drain_;
    return config;
}

Outcome World::run() {
    Outcome outcome;
    try {
        for (const auto& node : nodes_) {
            boot_node(*node);
        }
        dial();
        if (upgrades_ == Upgrades::Frequent) {
            upgrade_again();
        }
        const Instant end = scheduler_.now() + random_.between(10s, 40s);
        while (scheduler_.now() < end) {
            scheduler_.run_until(scheduler_.now() + random_.between(1ms, 1200ms));
            fault();
        }
        heal();
        converge();
        stop_all();
    } catch (const Violation& violation) {
        outcome.violation = violation.what();
    } catch (const std::exception& error) {
        outcome.violation = std::string("exception: ") + error.what();
    }
    trace_.line(scheduler_.now(), outcome.violation);
    outcome.hash = trace_.hash();
    outcome.steps = scheduler_.steps();
    outcome.convergence = convergence_;
    return outcome;
}

void World::boot_node(Node& node) {
    for (const vip::VipConfig& vip : node.config().vips) {
        for (const Prefix& prefix : vip.addresses) {
            if (vip.address_policy == vip::AddressPolicy::External || random_.one_in(8)) {
                node.put_foreign_address(prefix);
            }
        }
    }
    node.boot();
}

/// Routers that dial do so now and then, whatever else happens.
void World::dial() {
    for (const auto& router : routers_) {
        for (const auto& node : nodes_) {
            if (router->options().dials && !router->has_connection(node->index()) &&
                scheduler_.now() >= router->silent_until) {
                node->dialled(Node::router_of(peers_.at(0)) +
                              static_cast<std::size_t>(&router - &routers_.front()));
            }
        }
    }
    scheduler_.after(random_.between(1s, 4s), [this] { dial(); });
}

/// Often enough to come in the middle of everything.
void World::upgrade_again() {
    scheduler_.after(upgrade_random_.between(1ms, 1s), [this] {
        nodes_[upgrade_random_.below(nodes_.size())]->upgrade();
        upgrade_again();
    });
}

std::string World::difference() const {
    for (const auto& node : nodes_) {
        if (!node->is_running()) {
            return "node " + std::to_string(node->index()) + " does not run";
        }
        if (std::string text = default_route_difference(*node); !text.empty()) {
            return "node " + std::to_string(node->index()) + ": " + text;
        }
        for (const cmd::PeerEntry& peer : node->config().peers) {
            if (std::string text = difference(*node, peer); !text.empty()) {
                return "node " + std::to_string(node->index()) + ", " + peer.session.name + ": " +
                       text;
            }
        }
    }
    return {};
}

std::string World::default_route_difference(const Node& node) {
    vip::NextHops wanted;
    for (const cmd::PeerEntry& peer : node.config().peers) {
        if (peer.default_route && !node.is_drained(peer)) {
            wanted.insert({*peer.address, "eth0"});
        }
    }
    const vip::NextHops found = node.default_route();
    // With all routers drained the last one stays, whichever it was.
    return wanted.empty() || found == wanted
               ? std::string()
               : "the default route is " + to_string(found) + ", not " + to_string(wanted);
}

std::string World::difference(const Node& node, const cmd::PeerEntry& peer) const {
    const Router& router = *routers_.at(Node::router_of(peer));
    const Router::SessionPtr session = router.established(node.index());
    if (!session) {
        return "no session";
    }
    const bool is_internal = router.options().is_internal;
    std::size_t explained = 0;
    for (const vip::VipConfig& vip : node.config().vips) {
        const Node::Wanted wanted = node.wants(vip, peer);
        for (const Prefix& prefix : vip.addresses) {
            if (prefix.family() == Family::Ipv6 && !router.options().has_ipv6) {
                continue;
            }
            const auto found = session->table.find(prefix);
            const bool is_there = found != session->table.end();
            explained += is_there ? 1U : 0U;
            if (wanted == Node::Wanted::Either) {
                continue;
            }
            if (is_there != (wanted == Node::Wanted::Yes)) {
                return to_string(prefix) + (is_there ? " is there" : " is missing");
            }
            if (!is_there) {
                continue;
            }
            const Route& route = found->second;
            const std::size_t length = is_internal ? 0 : 1 + std::size_t{vip.prepend};
            const bool has_communities =
                std::ranges::all_of(vip.communities, [&](const bgp::Community& community) {
                    return route.communities.contains(community.value);
                });
            if (route.path_length != length || route.is_graceful_shutdown() || !has_communities ||
                route.communities.size() != vip.communities.size() ||
                (is_internal && route.local_pref != 100U)) {
                return to_string(prefix) + " has other attributes than wanted";
            }
        }
    }
    if (explained != session->table.size()) {
        return "the router has a route that nobody wants";
    }
    if (session->ends_of_rib[0] == 0 ||
        (router.options().has_ipv6 && session->ends_of_rib[1] == 0)) {
        return "no End-of-RIB";
    }
    return {};
}

void World::converge() {
    const Instant begin = scheduler_.now();
    while (!difference().empty()) {
        if (scheduler_.now() > begin + convergence_limit) {
            throw Violation("faults have stopped, but: " + difference());
        }
        scheduler_.run_until(scheduler_.now() + 500ms);
    }
    convergence_ = scheduler_.now() - begin;
    // … and stays so.
    for (int i = 0; i < 4; ++i) {
        scheduler_.run_until(scheduler_.now() + 3s);
        if (const std::string text = difference(); !text.empty()) {
            throw Violation("it was right, and then: " + text);
        }
    }
}

void World::stop_all() {
    for (const auto& node : nodes_) {
        node->stop();
    }
    scheduler_.run_until(scheduler_.now() + 8s);
    for (const auto& node : nodes_) {
        if (node->is_running()) {
            throw Violation("a node does not stop");
        }
        if (!node->has_only_foreign_addresses()) {
            throw Violation("a stopped node has left an address");
        }
        if (!node->default_route().empty()) {
            throw Violation("a stopped node has left a default route");
        }
        for (const auto& router : routers_) {
            if (router->has_connection(node->index())) {
                throw Violation("a stopped node has left a session");
            }
        }
    }
}

Outcome run_seed(std::uint64_t seed, bool is_traced, Upgrades upgrades) {
    return World(seed, is_traced, upgrades).run();
}

} // namespace anyvip::sim
