// SPDX-License-Identifier: Apache-2.0
// A router: opens, keeps alive, keeps a table a session and forgets it with the session. Written
// from the RFCs, without bgp/.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "test/sim/network.hpp"

namespace anyvip::sim {

struct RouterOptions {
    std::uint32_t asn = 65001;
    std::uint32_t id = 0x0a000001;
    std::chrono::seconds hold_time{9};
    bool is_internal = false; ///< in the AS of the nodes
    bool dials = false;
    bool shows_paths = false; ///< sends what other nodes announce, with ADD-PATH
    bool restarts_gracefully = false;
    bool has_route_refresh = true;
    bool has_ipv6 = true;
    bool sends_default = false; ///< 0.0.0.0/0 by itself
};

class Router final : public Host {
  public:
    enum class State : std::uint8_t { OpenSent, OpenConfirm, Established };

    struct Session {
        ConnectionPtr connection;
        State state = State::OpenSent;
        Framer framer;
        std::uint32_t peer_id = 0;
        Duration hold_time{};
        bool can_receive_paths = false;
        Instant heard;
        Table table;
        std::array<unsigned, 2> ends_of_rib{};
    };

    using SessionPtr = std::shared_ptr<Session>;

    Router(std::size_t index,
           RouterOptions options,
           std::uint32_t node_asn,
           Scheduler& scheduler,
           Network& network,
           Trace& trace)
        : index_(index), options_(options), node_asn_(node_asn), scheduler_(scheduler),
          network_(network), trace_(trace) {}

    /// A connection is established, whoever dialled.
    void connected(const ConnectionPtr& connection);
    void octets_arrived(const ConnectionPtr& connection, const Octets& octets) override;
    void end_arrived(const ConnectionPtr& connection) override;

    [[nodiscard]] bool is_paused() const override { return false; }

    // ---- misbehaviour ----
    void say(const ConnectionPtr& connection, const Octets& octets);
    /// Ends every session; without a word when it lost its power.
    void restart(bool is_silent);
    void cease(const SessionPtr& session, std::uint8_t subcode);
    void forget(const SessionPtr& session);
    Instant refuses_until;
    Instant silent_until;

    [[nodiscard]] const RouterOptions& options() const { return options_; }

    [[nodiscard]] const std::vector<SessionPtr>& sessions() const { return sessions_; }

    /// The session that is Established with this node, if any.
    [[nodiscard]] SessionPtr established(std::size_t node) const;
    [[nodiscard]] bool has_connection(std::size_t node) const;

  private:
    [[nodiscard]] SessionPtr find(const ConnectionPtr& connection) const;
    void handle(const SessionPtr& session, const test::raw::Message& message);
    void opened(const SessionPtr& session, const Octets& body);
    [[nodiscard]] bool survives_collision(const SessionPtr& session);
    void established_now(const SessionPtr& session);
    void updated(const SessionPtr& session, const Octets& body);
    void send_default(const Session& to);
    void show(const Session& to, std::size_t origin, const Prefix& prefix, const Route* route);
    void keep_alive(const SessionPtr& session);
    void remove(const SessionPtr& session);
    void end(const SessionPtr& session, const Octets& last);

    std::size_t index_;
    RouterOptions options_;
    std::uint32_t node_asn_;
    Scheduler& scheduler_;
    Network& network_;
    Trace& trace_;
    std::vector<SessionPtr> sessions_;
};

} // namespace anyvip::sim
