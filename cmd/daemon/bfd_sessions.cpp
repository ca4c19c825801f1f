// SPDX-License-Identifier: Apache-2.0
#include "cmd/daemon/bfd_sessions.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <system_error>
#include <utility>

#include "bgp/bfd_net/sockets.hpp"
#include "bgp/limits.hpp"
#include "cmd/daemon/json_values.hpp"
#include "cmd/daemon/wall_time.hpp"

namespace anyvip::cmd {
namespace {

namespace bfd = bgp::bfd;
namespace json = boost::json;
using bgp::bfd_net::Endpoint;
using bgp::bfd_net::Obstacle;
using bgp::bfd_net::Report;

BfdState to_bfd_state(bfd::State state) {
    switch (state) {
    case bfd::State::AdminDown:
        return BfdState::AdminDown;
    case bfd::State::Down:
        return BfdState::Down;
    case bfd::State::Init:
        return BfdState::Init;
    case bfd::State::Up:
        return BfdState::Up;
    }
    return BfdState::Down;
}

std::string seconds(Duration duration) {
    std::array<char, 32> text{};
    const double value = std::chrono::duration<double>(duration).count();
    std::snprintf(text.data(), text.size(), "%.3f s", value);
    return text.data();
}

std::string describe_obstacle(const Endpoint& endpoint, const Report& report) {
    const std::string error = std::system_category().message(report.error);
    const std::string port = std::to_string(endpoint.multihop == 0 ? bgp::bfd_net::single_hop_port
                                                                   : bgp::bfd_net::multihop_port);
    switch (report.obstacle) {
    case Obstacle::None:
        return {};
    case Obstacle::Listen:
        return "cannot receive on UDP port " + port + ": " + error;
    case Obstacle::Open:
    case Obstacle::Send:
        return "cannot send to " + to_string(endpoint.peer) + ": " + error;
    case Obstacle::NoPlace:
        return "no session: there are " + std::to_string(bgp::limits::bfd_sessions) +
               " already, and no more are possible";
    }
    return {};
}

/// Of an unnumbered or link-local peer.
decltype(Endpoint::device) device_of(const PeerEntry& entry) {
    decltype(Endpoint::device) result{};
    const std::string& device = entry.interface.empty() ? entry.scope : entry.interface;
    device.copy(result.data(), result.size() - 1);
    return result;
}

json::object packet_counts(const bfd::Counters& counters) {
    json::object dropped;
    for (std::size_t i = 0; i < counters.dropped.size(); ++i) {
        if (counters.dropped.at(i) != 0) {
            dropped[bfd::to_string(static_cast<bfd::Drop>(i))] = counters.dropped.at(i);
        }
    }
    return {{"sent", counters.sent},
            {"send_failed", counters.send_failed},
            {"received", counters.received},
            {"dropped", std::move(dropped)}};
}

} // namespace

BfdSessions::BfdSessions(boost::asio::io_context& io,
                         Agent& agent,
                         const Peers& peers,
                         Log& log,
                         std::function<void()> on_turn)
    : agent_(agent), peers_(peers), log_(log),
      service_(io,
               {[this](const Report& report) { on_report(report); },
                std::move(on_turn),
                [this](const std::string& hint) { log_.warning(hint); }}) {}

void BfdSessions::reconcile() {
    if (is_stopping_) {
        return;
    }
    std::vector<std::pair<const PeerEntry*, Endpoint>> wanted;
    for (const PeerEntry& entry : agent_.config().peers) {
        const std::string& name = entry.session.name;
        const auto present = agent_.is_reset_pending(name) ? present_endpoint(name) : std::nullopt;
        const auto endpoint = wanted_endpoint(agent_, name, endpoint_of(entry), present);
        if (endpoint) {
            wanted.emplace_back(&entry, *endpoint);
        }
    }
    // Those that end come first: an address may have gone from one peer to another.
    for (Session& session : sessions_) {
        const bool is_wanted = std::ranges::any_of(
            wanted, [&](const auto& one) { return one.second == session.endpoint; });
        if (!is_wanted && !session.is_leaving) {
            session.is_leaving = true;
            session.peer = present_name(session);
            service_.remove(session.id);
            agent_.bfd_admin_down(session.peer, false, read_clocks());
            agent_.bfd_state(session.peer, BfdState::Off, "BFD is switched off", read_clocks());
        }
    }
    std::erase_if(sessions_, [](const Session& session) {
        return session.is_leaving && session.last.is_removed; // it had found no place
    });
    for (const auto& [entry, endpoint] : wanted) {
        want(*entry, endpoint);
    }
}

// The peer may have got another name in the same reload.
std::string BfdSessions::present_name(const Session& session) const {
    if (agent_.peer(session.peer)) {
        return session.peer;
    }
    for (const PeerEntry& entry : agent_.config().peers) {
        const std::string& name = entry.session.name;
        if (peers_.address(name) == session.endpoint.peer &&
            device_of(entry) == session.endpoint.device) {
            return name;
        }
    }
    return session.peer;
}

std::optional<Endpoint> BfdSessions::endpoint_of(const PeerEntry& entry) const {
    const auto address = peers_.address(entry.session.name);
    if (!entry.bfd || !address) {
        return std::nullopt;
    }
    Endpoint endpoint;
    endpoint.peer = *address;
    endpoint.local = entry.local_address;
    endpoint.multihop = entry.session.multihop;
    endpoint.device = device_of(entry);
    return endpoint;
}

std::optional<Endpoint> BfdSessions::present_endpoint(const std::string& peer) const {
    const auto found = std::ranges::find_if(sessions_, [&](const Session& session) {
        return !session.is_leaving && present_name(session) == peer;
    });
    return found == sessions_.end() ? std::nullopt : std::optional(found->endpoint);
}

// One endpoint is one session, whatever the peer is called.
void BfdSessions::want(const PeerEntry& entry, const Endpoint& endpoint) {
    const bfd::Timing timing{bfd::Interval{static_cast<std::uint32_t>(entry.bfd->transmit.count())},
                             bfd::Interval{static_cast<std::uint32_t>(entry.bfd->receive.count())},
                             entry.bfd->multiplier};
    const auto found = std::ranges::find_if(sessions_, [&](const Session& session) {
        return session.endpoint == endpoint && !session.is_leaving;
    });
    if (found == sessions_.end()) {
        const std::uint32_t id = service_.add(endpoint, timing);
        sessions_.push_back({id, entry.session.name, endpoint, timing, false, {}});
        return;
    }
    found->peer = entry.session.name;
    if (found->timing != timing) {
        found->timing = timing;
        service_.reconfigure(found->id, timing);
    }
}

void BfdSessions::on_report(const Report& report) {
    const auto found = std::ranges::find(sessions_, report.id, &Session::id);
    if (found == sessions_.end()) {
        return;
    }
    if (!is_stopping_ && !found->is_leaving) {
        log_obstacle(*found, report);
        if (!report.is_removed) {
            tell(agent_, found->peer, report, read_clocks());
        }
    }
    found->last = report;
    if (report.is_removed && found->is_leaving) {
        sessions_.erase(found);
    }
}

void BfdSessions::log_obstacle(const Session& session, const Report& report) {
    if (report.obstacle == session.last.obstacle && report.error == session.last.error) {
        return;
    }
    const std::string text = describe_obstacle(session.endpoint, report);
    if (text.empty()) {
        log_.info("bfd " + session.peer + ": packets are sent again");
    } else {
        log_.warning("bfd " + session.peer + ": " + text);
    }
}

std::vector<BfdSessionHandedOver> BfdSessions::hand_over() const {
    std::vector<BfdSessionHandedOver> result;
    for (const Session& session : sessions_) {
        result.push_back({session.id,
                          session.peer,
                          session.endpoint,
                          session.timing,
                          session.is_leaving,
                          session.last.obstacle,
                          session.last.error});
    }
    return result;
}

void BfdSessions::take_over(std::unique_ptr<bgp::bfd_net::Thread> thread,
                            const std::vector<BfdSessionHandedOver>& sessions) {
    for (const BfdSessionHandedOver& one : sessions) {
        if (!thread->sessions().contains(one.id)) {
            continue; // its last report was on its way
        }
        Session& session = sessions_.emplace_back(
            Session{one.id, one.peer, one.endpoint, one.timing, one.is_leaving, {}});
        session.last.id = one.id;
        session.last.obstacle = one.obstacle;
        session.last.error = one.error;
    }
    service_.take_over(std::move(thread));
}

void BfdSessions::stop() {
    if (std::exchange(is_stopping_, true)) {
        return;
    }
    for (Session& session : sessions_) {
        if (!std::exchange(session.is_leaving, true)) {
            service_.remove(session.id);
        }
    }
}

json::object BfdSessions::details(const std::string& peer) const {
    const auto found = std::ranges::find_if(sessions_, [&](const Session& session) {
        return session.peer == peer && !session.is_leaving;
    });
    if (found == sessions_.end()) {
        return {};
    }
    const bfd::SessionView& view = found->last.view;
    const std::string problem = describe_obstacle(found->endpoint, found->last);
    return {{"state", bfd::to_string(view.state)},
            {"remote_state", bfd::to_string(view.remote_state)},
            {"diagnostic", bfd::to_string(view.diagnostic)},
            {"remote_diagnostic", bfd::to_string(view.remote_diagnostic)},
            {"last_fall", bfd::to_string(view.last_fall)},
            {"my_discriminator", view.my_discriminator},
            {"your_discriminator", view.your_discriminator},
            {"transmit_ms", milliseconds(view.transmit_interval)},
            {"detection_ms", milliseconds(view.detection_time)},
            {"remote_transmit_ms", milliseconds(view.remote_desired_min_tx)},
            {"remote_receive_ms", milliseconds(view.remote_required_min_rx)},
            {"remote_multiplier", view.remote_multiplier},
            {"polling", view.is_polling},
            {"worst_own_delay_ms", milliseconds(view.worst_delay)},
            {"packets", packet_counts(found->last.counters)},
            {"problem", problem.empty() ? json::value(nullptr) : json::value(problem)}};
}

std::optional<Endpoint> wanted_endpoint(const Agent& agent,
                                        const std::string& peer,
                                        const std::optional<Endpoint>& configured,
                                        const std::optional<Endpoint>& present) {
    return configured && present && agent.is_reset_pending(peer) ? present : configured;
}

void tell(Agent& agent, const std::string& peer, const Report& report, Now now) {
    if (report.missed_fall && report.view.state != bfd::State::Down) {
        Report fall = report;
        fall.change = report.missed_fall;
        agent.bfd_admin_down(peer, fall.change->is_peer_admin_down, now);
        agent.bfd_state(peer, BfdState::Down, describe(fall), now);
    }
    agent.bfd_admin_down(peer, report.view.remote_state == bfd::State::AdminDown, now);
    agent.bfd_state(peer, to_bfd_state(report.view.state), describe(report), now);
}

std::string describe(const Report& report) {
    if (!report.change) {
        return {};
    }
    const bfd::Change& change = *report.change;
    std::string text;
    if (change.diagnostic == bfd::Diagnostic::DetectionTimeExpired) {
        text = "control detection time expired: nothing received for " + seconds(change.silence) +
               ", allowed " + seconds(change.detection_time);
    } else if (change.is_peer_admin_down) {
        return "the router says that it is administratively down";
    } else {
        text = "the router says that it is down: " +
               std::string(bfd::to_string(report.view.remote_diagnostic));
    }
    // A quarter of the detection time is what jitter leaves to spare in one interval of three.
    if (change.own_delay * 4 >= change.detection_time && change.own_delay > Duration{}) {
        return text + "; this daemon itself was late, by " + seconds(change.own_delay);
    }
    return text + "; this daemon was on time";
}

} // namespace anyvip::cmd
