// SPDX-License-Identifier: Apache-2.0
#include "cmd/daemon/peers.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "cmd/daemon/wall_time.hpp"

namespace anyvip::cmd {
namespace {

bgp::net::NetConfig net_config(const PeerEntry& entry) {
    bgp::net::NetConfig config;
    config.address = entry.address;
    config.scope = entry.interface.empty() ? entry.scope : entry.interface;
    config.port = entry.port;
    config.listen_port = entry.listen_port;
    config.local_address = entry.local_address;
    config.ttl_security = entry.ttl_security;
    config.password = entry.password;
    config.password_file = entry.password_file;
    if (entry.tcp_ao) {
        config.tcp_ao = bgp::net::TcpAoConfig{entry.tcp_ao->key_file,
                                              entry.tcp_ao->send_id,
                                              entry.tcp_ao->recv_id,
                                              entry.tcp_ao->algorithm};
    }
    return config;
}

} // namespace

Peers::Peers(boost::asio::io_context& io, Agent& agent, Log& log, std::function<void()> on_turn)
    : io_(io), agent_(agent), log_(log), on_turn_(std::move(on_turn)),
      listeners_(io,
                 [this](const bgp::net::ListenProblem& problem) { log_.warning(problem.text); }),
      retry_(io) {}

std::string Peers::start(const PeersHandedOver& inherited) {
    for (const std::string& name : agent_.peer_names()) {
        add(name);
    }
    for (const PeerSockets& sockets : inherited.peers) {
        take_over(sockets);
    }
    listeners_.take_over(inherited.listeners);
    if (!inherited.peers.empty()) { // nothing may end a program that has taken over
        listen_or_retry();
        return {};
    }
    return listen();
}

void Peers::take_over(const PeerSockets& sockets) {
    const auto found = drivers_.find(sockets.name);
    bgp::Peer* peer = agent_.find_peer(sockets.name);
    if (found == drivers_.end() || peer == nullptr) {
        return;
    }
    bgp::net::PeerDriver& driver = *found->second;
    bgp::net::NetConfig config = driver.config();
    if (const auto discovery = discoveries_.find(config.scope); discovery != discoveries_.end()) {
        discovery->second.process->take_over(sockets.heard);
        config.address = sockets.learnt;
        driver.reconfigure(std::move(config));
    }
    for (const bgp::Slot slot : {bgp::Slot::Outgoing, bgp::Slot::Incoming}) {
        bgp::net::FileDescriptor socket(sockets.connections.at(static_cast<std::size_t>(slot)));
        if (!peer->has_connection(slot)) {
            continue;
        }
        if (socket.is_open()) {
            driver.take_over(slot, std::move(socket));
        } else {
            peer->closed(slot, "lost in the upgrade", read_clocks().monotonic);
        }
    }
}

PeersHandedOver Peers::hand_over() const {
    PeersHandedOver result;
    for (const auto& [name, driver] : drivers_) {
        PeerSockets& sockets = result.peers.emplace_back();
        sockets.name = name;
        for (const bgp::Slot slot : {bgp::Slot::Outgoing, bgp::Slot::Incoming}) {
            sockets.connections.at(static_cast<std::size_t>(slot)) = driver->descriptor(slot);
        }
        if (const auto found = discoveries_.find(driver->config().scope);
            found != discoveries_.end()) {
            sockets.learnt = driver->config().address;
            sockets.heard = found->second.process->heard();
        }
    }
    result.listeners = listeners_.open();
    return result;
}

void Peers::add(const std::string& name) {
    bgp::Peer* peer = agent_.find_peer(name);
    const PeerEntry* entry = find_entry(name);
    if (peer == nullptr || entry == nullptr || drivers_.contains(name)) {
        return;
    }
    drivers_[name] = std::make_unique<bgp::net::PeerDriver>(
        io_, *peer, net_config(*entry), own_vips(), on_turn_);
    update_discoveries();
}

// One for each interface that an unnumbered peer names now.
void Peers::update_discoveries() {
    std::set<std::string> wanted;
    for (const PeerEntry& entry : agent_.config().peers) {
        if (!entry.interface.empty() && drivers_.contains(entry.session.name)) {
            wanted.insert(entry.interface);
            discover(entry);
        }
    }
    std::erase_if(discoveries_,
                  [&](const auto& discovery) { return !wanted.contains(discovery.first); });
}

void Peers::discover(const PeerEntry& entry) {
    Discovery& discovery = discoveries_[entry.interface];
    if (discovery.process && discovery.advertises == entry.ra) {
        return;
    }
    log_.info("peer " + entry.session.name + ": waiting for a router advertisement on " +
              entry.interface);
    discovery.advertises = entry.ra;
    discovery.process = std::make_unique<bgp::net::RouterDiscovery>(
        io_,
        entry.interface,
        entry.ra,
        [this, interface = entry.interface] {
            return std::ranges::any_of(agent_.config().peers, [&](const PeerEntry& peer) {
                return peer.interface == interface && is_established(peer.session.name);
            });
        },
        [this, interface = entry.interface] { on_router_changed(interface); });
}

void Peers::on_router_changed(const std::string& interface) {
    const bgp::net::RouterDiscovery& discovery = *discoveries_.at(interface).process;
    for (const auto& [name, driver] : drivers_) {
        const PeerEntry* entry = find_entry(name);
        if (entry == nullptr || entry->interface != interface) {
            continue;
        }
        bgp::net::NetConfig config = driver->config();
        // A session keeps its router when a second one is heard, and so does its BFD.
        if (!is_established(name)) {
            config.address = discovery.router();
        }
        driver->reconfigure(std::move(config));
        agent_.peer_refused(name, discovery.problem(), read_clocks());
        if (!discovery.problem().empty()) {
            log_.error("peer " + name + ": " + discovery.problem());
        } else if (discovery.router()) {
            log_.info("peer " + name + ": the router on " + interface + " is " +
                      to_string(*discovery.router()));
        }
    }
    listen_or_retry();
    on_turn_();
}

void Peers::remove(const std::string& name) {
    const auto found = drivers_.find(name);
    if (found == drivers_.end()) {
        return;
    }
    std::unique_ptr<bgp::net::PeerDriver> ended = std::move(found->second);
    drivers_.erase(found);
    ended->drain();
    update_discoveries();
    listen_or_retry(); // the listeners refer to the drivers, the driver to its Peer
    ended.reset();
    agent_.peer_gone(name);
}

void Peers::rename(const std::string& from, const std::string& to) {
    if (auto node = drivers_.extract(from)) {
        node.key() = to;
        drivers_.insert(std::move(node));
    }
}

void Peers::reconfigure() {
    update_discoveries();
    for (const auto& [name, driver] : drivers_) {
        if (const PeerEntry* entry = find_entry(name)) {
            bgp::net::NetConfig config = net_config(*entry);
            if (const auto found = discoveries_.find(entry->interface);
                found != discoveries_.end()) {
                const auto router = found->second.process->router();
                config.address =
                    router || !is_established(name) ? router : driver->config().address;
            }
            driver->reconfigure(std::move(config));
            driver->set_vips(own_vips());
        }
    }
    listen_or_retry();
}

std::string Peers::listen() {
    std::vector<bgp::net::PeerDriver*> drivers;
    for (const auto& [name, driver] : drivers_) {
        drivers.push_back(driver.get());
    }
    std::string fatal;
    std::string refused;
    for (const bgp::net::ListenProblem& problem : listeners_.update(drivers)) {
        std::string& text = problem.code ? fatal : refused;
        text += (text.empty() ? "" : "; ") + problem.text;
    }
    if (std::exchange(refused_, refused) != refused && !refused.empty()) {
        log_.error(refused);
    }
    if (!fatal.empty() || !refused.empty()) {
        retry();
    }
    return fatal;
}

void Peers::listen_or_retry() {
    const std::string problem = listen();
    if (std::exchange(fatal_, problem) != problem && !problem.empty()) {
        log_.warning(problem);
    }
}

// A port that is taken now, or a key file that is missing, may be there later; peers that we dial
// work all the while.
void Peers::retry() {
    retry_.expires_after(std::chrono::seconds(5));
    retry_.async_wait([this](boost::system::error_code error) {
        if (!error) {
            listen_or_retry();
        }
    });
}

bool Peers::drain() {
    bool is_told = false;
    for (const auto& [name, driver] : drivers_) {
        is_told = driver->drain() || is_told;
    }
    return is_told;
}

void Peers::look() {
    for (const auto& [name, driver] : drivers_) {
        driver->look();
    }
}

bool Peers::is_quiet() const {
    return std::ranges::all_of(drivers_,
                               [](const auto& entry) { return entry.second->is_quiet(); });
}

std::optional<IpAddress> Peers::address(const std::string& name) const {
    const auto found = drivers_.find(name);
    return found == drivers_.end() ? std::nullopt : found->second->config().address;
}

bool Peers::is_established(const std::string& name) const {
    const bgp::Peer* peer = agent_.find_peer(name);
    return peer != nullptr && peer->is_established();
}

const PeerEntry* Peers::find_entry(const std::string& name) const {
    const auto& entries = agent_.config().peers;
    const auto found = std::ranges::find_if(
        entries, [&](const PeerEntry& entry) { return entry.session.name == name; });
    return found == entries.end() ? nullptr : &*found;
}

std::set<IpAddress> Peers::own_vips() const {
    std::set<IpAddress> addresses;
    for (const vip::VipConfig& config : agent_.config().vips) {
        for (const Prefix& prefix : config.addresses) {
            addresses.insert(prefix.address());
        }
    }
    return addresses;
}

} // namespace anyvip::cmd
