// SPDX-License-Identifier: Apache-2.0
// Keeps a BFD session for each peer that wants one, and tells the agent what becomes of it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/json/object.hpp>

#include "bgp/bfd_net/service.hpp"
#include "cmd/agent/agent.hpp"
#include "cmd/daemon/handed_over.hpp"
#include "cmd/daemon/log.hpp"
#include "cmd/daemon/peers.hpp"

namespace anyvip::cmd {

class BfdSessions {
  public:
    /// `on_turn` runs after the agent was told something.
    BfdSessions(boost::asio::io_context& io,
                Agent& agent,
                const Peers& peers,
                Log& log,
                std::function<void()> on_turn);

    /// Makes the sessions those of the present configuration and of the addresses known now.
    /// Called in every turn: nothing happens when nothing has changed.
    void reconcile();

    /// All sessions go to AdminDown; the agent hears nothing more.
    void stop();

    /// Every router knows that we are gone.
    [[nodiscard]] bool is_quiet() const { return service_.is_quiet(); }

    // ---- upgrade in place ----
    /// The thread stands still; nullptr: no thread. What it has said and we have not read yet, it
    /// says again after `take_over`.
    [[nodiscard]] bgp::bfd_net::Thread* pause() { return service_.pause(); }

    void go_on() { service_.go_on(); }

    [[nodiscard]] std::vector<BfdSessionHandedOver> hand_over() const;
    void take_over(std::unique_ptr<bgp::bfd_net::Thread> thread,
                   const std::vector<BfdSessionHandedOver>& sessions);

    /// State, timers and counters, for the API; empty when the peer has no session.
    [[nodiscard]] boost::json::object details(const std::string& peer) const;

  private:
    struct Session {
        std::uint32_t id = 0;
        std::string peer;
        bgp::bfd_net::Endpoint endpoint;
        bgp::bfd::Timing timing;
        bool is_leaving = false;
        bgp::bfd_net::Report last;
    };

    [[nodiscard]] std::optional<bgp::bfd_net::Endpoint> endpoint_of(const PeerEntry& entry) const;
    [[nodiscard]] std::optional<bgp::bfd_net::Endpoint>
    present_endpoint(const std::string& peer) const;
    [[nodiscard]] std::string present_name(const Session& session) const;
    void want(const PeerEntry& entry, const bgp::bfd_net::Endpoint& endpoint);
    void on_report(const bgp::bfd_net::Report& report);
    void log_obstacle(const Session& session, const bgp::bfd_net::Report& report);

    Agent& agent_;
    const Peers& peers_;
    Log& log_;
    std::vector<Session> sessions_;
    bool is_stopping_ = false;
    bgp::bfd_net::Service service_;
};

/// Which endpoint a peer's BFD session has to have now: the one that it is configured with, or the
/// `present` one while BGP has yet to leave that. Its end would come before the withdraw, and there
/// are routers that take AdminDown for a failure.
[[nodiscard]] std::optional<bgp::bfd_net::Endpoint>
wanted_endpoint(const Agent& agent,
                const std::string& peer,
                const std::optional<bgp::bfd_net::Endpoint>& configured,
                const std::optional<bgp::bfd_net::Endpoint>& present);

/// What a report means for the agent; a fall that the session has got over since is told first.
void tell(Agent& agent, const std::string& peer, const bgp::bfd_net::Report& report, Now now);

/// Why a session is no longer up, and who was late: the router, or this very daemon.
[[nodiscard]] std::string describe(const bgp::bfd_net::Report& report);

} // namespace anyvip::cmd
