// SPDX-License-Identifier: Apache-2.0
// What goes wrong, and what operators do meanwhile.
#include <algorithm>

#include "test/sim/world.hpp"

namespace anyvip::sim {

namespace raw = test::raw;
using namespace std::chrono_literals;

namespace {

/// Octets that no router should send, each with a known kind of mistake.
[[nodiscard]] std::vector<Octets> garbage() {
    const Octets good_attributes = raw::hex("400101 00 4002 06 0201 0000fde9 400304 0a000001");
    return {
        Octets(19, 0x00),                                          // marker
        raw::join({Octets(16, 0xff), raw::u16(18), raw::u8(4)}),   // too short
        raw::join({Octets(16, 0xff), raw::u16(4097), raw::u8(2)}), // too long
        raw::message(9, {}),                                       // type
        raw::message(4, raw::hex("00")),                           // KEEPALIVE with a body
        raw::open({}),                                             // a second OPEN
        raw::open({.version = 3}),                                 // or a first bad one
        raw::open({.hold_time = 1}),                               //
        raw::notification(6, 99, raw::hex("ff fe fd")),            // unknown subcode
        raw::notification(99, 0),                                  // unknown code
        raw::notification(2, 7),                                   // refuses capabilities
        raw::notification(2, 4),                                   // refuses parameters
        raw::message(2, raw::hex("ffff")),                         // lengths run out
        raw::message(2, raw::hex("0000 0004 40010100 18 cb0071")), // attributes missing
        raw::update({}, raw::hex("40 0d 01 ff"), raw::hex("20 cb007109")),
        raw::update({}, good_attributes, raw::hex("21 cb007109")), // prefix length 33
        raw::update({}, raw::join({good_attributes, raw::hex("800f 02 0001")}), {}),
        raw::update({},
                    raw::join({good_attributes, raw::hex("c0 08 03 010203")}),
                    raw::hex("20 cb007109")), // treat as withdraw
        raw::route_refresh(77, 3, 9),
    };
}

} // namespace

ConnectionPtr World::some_connection() {
    const auto& all = network_.connections();
    return all.empty() ? nullptr : all[random_.below(all.size())];
}

void World::fault() {
    for (const auto& node : nodes_) {
        if (!node->is_running() && random_.one_in(3)) {
            boot_node(*node);
        }
    }
    switch (random_.below(8)) {
    case 0:
        network_fault(random_.below(4));
        break;
    case 1:
        router_fault(random_.below(7));
        break;
    case 2:
        node_fault(random_.below(10));
        break;
    case 3:
    case 4:
        service_fault();
        break;
    default:
        operate();
        break;
    }
}

void World::network_fault(std::size_t kind) {
    const ConnectionPtr connection = some_connection();
    if (!connection) {
        return;
    }
    trace_.line(scheduler_.now(),
                "network fault " + std::to_string(kind) + " on " + std::to_string(connection->id));
    switch (kind) {
    case 0:
        network_.block(connection->node, connection->router, random_.between(100ms, 15s));
        break;
    case 1:
        network_.reset(connection);
        break;
    case 2:
        network_.close_window(connection, random_.between(100ms, 12s));
        break;
    default:
        connection->capacity = 10 + random_.below(60);
        break;
    }
}

void World::router_fault(std::size_t kind) {
    Router& router = some_router();
    const auto& sessions = router.sessions();
    const Router::SessionPtr session =
        sessions.empty() ? nullptr : sessions[random_.below(sessions.size())];
    trace_.line(scheduler_.now(), "router fault " + std::to_string(kind));
    if (kind == 0) {
        router.restart(random_.one_in(2));
        router.refuses_until = scheduler_.now() + random_.between(0s, 8s);
    } else if (kind == 1) {
        router.refuses_until = scheduler_.now() + random_.between(0s, 8s);
    } else if (kind == 2) {
        router.silent_until = scheduler_.now() + random_.between(1s, 12s);
        for (const Router::SessionPtr& each : sessions) {
            each->connection->is_disturbed = true;
        }
    } else if (!session) {
        return;
    } else if (kind == 3) {
        router.cease(session, static_cast<std::uint8_t>(1 + random_.below(10)));
    } else if (kind == 4) {
        router.forget(session);
    } else if (kind == 5) {
        session->connection->is_provoked = true;
        router.say(session->connection, random_.pick(garbage()));
    } else if (session->state == Router::State::Established && !session->connection->is_provoked &&
               router.options().has_route_refresh) {
        router.say(session->connection, raw::route_refresh(1 + random_.below(2), 0, 1));
    }
}

void World::node_fault(std::size_t kind) {
    Node& node = some_node();
    trace_.line(scheduler_.now(), "node fault " + std::to_string(kind));
    if (!node.is_running()) {
        return;
    }
    const vip::VipConfig& vip = random_.pick(vips_);
    const Prefix& prefix = random_.pick(vip.addresses);
    switch (kind) {
    case 0:
        node.kill();
        break;
    case 1:
        node.lose_power();
        break;
    case 2:
        node.pause(random_.between(10ms, 12s));
        break;
    case 3:
    case 4:
    case 5:
        if (!node.is_paused()) {
            node.take_address(prefix);
        }
        if (has_default_routes_ && !node.is_paused()) {
            node.take_default_route();
        }
        break;
    case 6:
        if (!node.is_paused()) {
            node.put_foreign_address(prefix);
        }
        break;
    case 7:
        node.troubles.add_fails = !node.troubles.add_fails;
        break;
    case 8:
        node.troubles.kernel_is_slow = !node.troubles.kernel_is_slow;
        break;
    default:
        node.troubles.disk_fails = random_.one_in(2);
        node.troubles.disk_is_slow = random_.one_in(2);
        break;
    }
}

void World::service_fault() {
    Service& service = some_node().services[random_.one_in(2) ? "web" : "app"];
    service.mode = random_.one_in(2)   ? Service::Mode::Up
                   : random_.one_in(2) ? Service::Mode::Refused
                                       : Service::Mode::Silent;
    service.is_strange = random_.one_in(4);
}

void World::operate() {
    Node& node = some_node();
    if (!node.is_running() || node.is_paused() || node.is_stopping()) {
        return;
    }
    switch (random_.below(8)) {
    case 0:
    case 1:
        drain_something(node);
        break;
    case 2:
        node.undrain({});
        break;
    case 3:
        if (random_.one_in(2)) {
            node.undrain({.vips = {random_.pick(node.config().vips).name}});
        } else {
            node.undrain({.peer = random_.pick(node.config().peers).session.name});
        }
        break;
    case 4:
    case 5:
        change_configuration(node);
        break;
    case 6:
        node.reset_peer(random_.pick(node.config().peers).session.name, random_.one_in(2));
        break;
    default:
        if (random_.one_in(4)) {
            node.stop();
        }
        break;
    }
}

void World::drain_something(Node& node) {
    vip::DrainRequest request;
    switch (random_.below(4)) {
    case 0:
        break;
    case 1:
        request.peer = random_.pick(node.config().peers).session.name;
        break;
    default:
        request.vips = {random_.pick(node.config().vips).name};
        break;
    }
    request.force = random_.one_in(4);
    if (random_.one_in(3)) {
        request.until = random_.below(8000) * 1ms;
    }
    if (random_.one_in(3)) {
        request.deadline = random_.below(5000) * 1ms;
    }
    node.drain(request);
}

void World::change_configuration(Node& node) {
    cmd::Config config = node.config();
    vip::VipConfig& vip = config.vips[random_.below(config.vips.size())];
    cmd::PeerEntry& peer = config.peers[random_.below(config.peers.size())];
    switch (random_.below(8)) {
    case 0:
        if (config.vips.size() > 1) {
            config.vips.erase(config.vips.begin());
        }
        break;
    case 1:
        for (const vip::VipConfig& known : vips_) {
            const auto has_address = [&](const vip::VipConfig& other) {
                return other.addresses == known.addresses;
            };
            if (std::ranges::none_of(config.vips, has_address)) {
                config.vips.push_back(known);
            }
        }
        break;
    case 2:
        vip.communities = {bgp::Community{0xFDF20000U + ++revision_}};
        break;
    case 3:
        vip.name += "x";
        break;
    case 4:
        for (health::CheckConfig& check : config.checks) {
            check.schedule.timeout = check.schedule.timeout == 1000ms ? 800ms : 1000ms;
        }
        break;
    case 5:
        peer.session.hold_time = peer.session.hold_time == 9s ? 6s : 9s;
        break;
    case 6:
        if (std::ranges::all_of(config.vips, [](const auto& each) { return each.peers.empty(); })) {
            peer.session.name += "x";
        }
        break;
    default:
        if (config.peers.size() > 1) {
            config.peers.pop_back();
        } else if (peers_.size() > 1 && config.peers.front().address != peers_.back().address) {
            config.peers.push_back(peers_.back());
            config.peers.back().session.next_hop_ipv6 = config.peers.front().session.next_hop_ipv6;
        }
        break;
    }
    node.reload(config);
}

/// Whatever was broken works; services are in a state in which they stay.
void World::heal() {
    trace_.line(scheduler_.now(), "faults end");
    for (const auto& router : routers_) {
        router->refuses_until = scheduler_.now();
        router->silent_until = scheduler_.now();
    }
    for (const auto& node : nodes_) {
        node->troubles = {};
        for (const char* check : {"web", "app"}) {
            Service& service = node->services[check];
            service.is_strange = false;
            service.mode = random_.one_in(3) ? Service::Mode::Refused : Service::Mode::Up;
        }
    }
    network_.heal();
    // A pause or a stop under way has ended by then.
    scheduler_.run_until(scheduler_.now() + 13s);
    for (const auto& node : nodes_) {
        if (!node->is_running()) {
            node->boot();
        }
        for (const vip::VipConfig& vip : node->config().vips) {
            for (const Prefix& prefix : vip.addresses) {
                if (vip.address_policy == vip::AddressPolicy::External) {
                    node->put_foreign_address(prefix);
                }
            }
        }
    }
}

} // namespace anyvip::sim
