// SPDX-License-Identifier: Apache-2.0
#include "cmd/daemon/peers.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace anyvip::cmd {
namespace {

bgp::net::NetConfig net_config(const PeerEntry& entry) {
    bgp::net::NetConfig config;
    config.address = entry.address;
    config.scope = entry.scope;
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
}

void Peers::remove(const std::string& name) {
    const auto found = drivers_.find(name);
    if (found == drivers_.end()) {
        return;
    }
    found->second->drain();
    drivers_.erase(found);
    agent_.peer_gone(name); // after its driver, which refers to it
    if (const std::string problem = listen(); !problem.empty()) {
        log_.warning(problem);
    }
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
            driver->reconfigure(net_config(*entry));
            driver->set_vips(own_vips());
        }
    }
    if (const std::string problem = listen(); !problem.empty()) {
        log_.warning(problem);
        retry_listening();
    }
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

// A port that was taken at a reload may be free later; peers that we dial work all the while.
void Peers::retry_listening() {
    retry_.expires_after(std::chrono::seconds(5));
    retry_.async_wait([this](boost::system::error_code error) {
        if (!error && !listen().empty()) {
            retry_listening();
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
