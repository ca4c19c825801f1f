// SPDX-License-Identifier: Apache-2.0
// The sockets of all peers: one driver each, and the listeners they share.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "bgp/net/listener.hpp"
#include "bgp/net/peer_driver.hpp"
#include "bgp/net/unnumbered.hpp"
#include "cmd/agent/agent.hpp"
#include "cmd/daemon/handed_over.hpp"
#include "cmd/daemon/log.hpp"

namespace anyvip::cmd {

class Peers {
  public:
    /// `on_turn` runs after any event of a socket has been fed to its Peer.
    Peers(boost::asio::io_context& io, Agent& agent, Log& log, std::function<void()> on_turn);

    /// Makes the drivers and opens the listeners of all configured peers. A port that cannot be had
    /// is an error in one line; a single peer that is refused is only logged.
    /// With sockets of a predecessor: those that the Peers rely on go on.
    [[nodiscard]] std::string start(const PeersHandedOver& inherited);
    /// The sockets stay here.
    [[nodiscard]] PeersHandedOver hand_over() const;

    void add(const std::string& name);
    /// After the agent has stopped the Peer: hands its last octets to the kernel and forgets it.
    void remove(const std::string& name);
    void rename(const std::string& from, const std::string& to);
    /// After a reload: what is configured now, for the next sockets.
    void reconfigure();

    /// Writes out what the Peers have to say. True: a Peer was told something new, settle again.
    bool drain();
    /// Before the Peers' deadlines are judged: reads what has arrived.
    void look();
    [[nodiscard]] bool is_quiet() const;
    /// Configured, or learnt from the router's advertisements; nullopt: not learnt yet.
    [[nodiscard]] std::optional<IpAddress> address(const std::string& name) const;

  private:
    [[nodiscard]] const PeerEntry* find_entry(const std::string& name) const;
    [[nodiscard]] std::set<IpAddress> own_vips() const;
    [[nodiscard]] std::string listen();
    void listen_or_retry();
    void retry();
    [[nodiscard]] bool is_established(const std::string& name) const;
    void update_discoveries();
    void discover(const PeerEntry& entry);
    void take_over(const PeerSockets& sockets);
    void on_router_changed(const std::string& interface);

    boost::asio::io_context& io_;
    Agent& agent_;
    Log& log_;
    std::function<void()> on_turn_;
    std::map<std::string, std::unique_ptr<bgp::net::PeerDriver>> drivers_;

    struct Discovery {
        bool advertises = false;
        std::unique_ptr<bgp::net::RouterDiscovery> process;
    };

    /// Of unnumbered peers, by interface: a peer may be renamed.
    std::map<std::string, Discovery> discoveries_;
    bgp::net::Listeners listeners_;
    boost::asio::steady_timer retry_;
    /// What was wrong with listening last: told once, not with each try.
    std::string fatal_;
    std::string refused_;
};

} // namespace anyvip::cmd
