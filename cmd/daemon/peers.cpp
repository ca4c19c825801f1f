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

std::string Peers::start() {
    for (const std::string& name : agent_.peer_names()) {
        add(name);
    }
    return listen();
}

void Peers::add(const std::string& name) {
    bgp::Peer* peer = agent_.find_peer(name);
    const PeerEntry* entry = find_entry(name);
    if (peer == nullptr || entry == nullptr || drivers_.contains(name)) {
        return;
    }
    drivers_[name] = std::make_unique<bgp::net::PeerDriver>(
        io_, *peer, net_config(*entry), own_vips(), on_turn_);
    if (!entry->interface.empty()) {
        discover(name, *entry);
    }
}

void Peers::discover(const std::string& name, const PeerEntry& entry) {
    log_.info("peer " + name + ": waiting for a router advertisement on " + entry.interface);
    discoveries_[entry.interface] = std::make_unique<bgp::net::RouterDiscovery>(
        io_, entry.interface, entry.ra, [this, interface = entry.interface] {
            on_router_changed(interface);
        });
}

void Peers::on_router_changed(const std::string& interface) {
    const bgp::net::RouterDiscovery& discovery = *discoveries_.at(interface);
    for (const auto& [name, driver] : drivers_) {
        const PeerEntry* entry = find_entry(name);
        if (entry == nullptr || entry->interface != interface) {
            continue;
        }
        bgp::net::NetConfig config = driver->config();
        config.address = discovery.router();
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
    discoveries_.erase(ended->config().scope);
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
    for (const auto& [name, driver] : drivers_) {
        if (const PeerEntry* entry = find_entry(name)) {
            bgp::net::NetConfig config = net_config(*entry);
            if (const auto found = discoveries_.find(entry->interface);
                found != discoveries_.end()) {
                config.address = found->second->router();
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
    for (const bgp::net::ListenProblem& problem : listeners_.update(drivers)) {
        if (problem.code) {
            fatal += (fatal.empty() ? "" : "; ") + problem.text;
        } else {
            log_.error(problem.text);
        }
    }
    return fatal;
}

// A port that is taken now may be free later; peers that we dial work all the while.
void Peers::listen_or_retry() {
    const std::string problem = listen();
    if (problem.empty()) {
        return;
    }
    log_.warning(problem);
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
