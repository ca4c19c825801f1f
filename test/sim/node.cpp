// SPDX-License-Identifier: Apache-2.0
// The shell of a node: turns, sockets, life and death.
#include "test/sim/node.hpp"

#include "cmd/handover/loader.hpp"
#include "cmd/handover/saver.hpp"

#include <algorithm>

namespace anyvip::sim {

using namespace std::chrono_literals;

namespace {

constexpr std::array slots{bgp::Slot::Outgoing, bgp::Slot::Incoming};
constexpr int most_rounds = 64;
/// `linger`, and what the removal of addresses takes.
constexpr auto stop_limit = 7s;
constexpr unsigned most_wakes_at_once = 100;

[[nodiscard]] std::size_t index_of(bgp::Slot slot) {
    return static_cast<std::size_t>(slot);
}

[[nodiscard]] bgp::Endpoints endpoints(std::size_t node, std::size_t router) {
    bgp::Endpoints ends;
    ends.local = IpAddress::v4(0x0a00000b + static_cast<std::uint32_t>(node));
    ends.remote = IpAddress::v4(0x0a000001 + static_cast<std::uint32_t>(router));
    ends.interface = "eth0";
    ends.local_subnets = {Prefix::parse("10.0.0.0/24").value(), Prefix::parse("fd00::/64").value()};
    ends.interface_ipv4 = ends.local;
    ends.interface_ipv6 = IpAddress::parse("fd00::b" + std::to_string(node)).value();
    return ends;
}

} // namespace

Node::Node(std::size_t index, cmd::Config config, Surroundings around)
    : index_(index), config_(std::move(config)), around_(around) {}

std::size_t Node::router_of(const cmd::PeerEntry& peer) {
    return peer.address.value().to_v4() - 0x0a000001U;
}

cmd::Now Node::now() const {
    const Instant at = around_.scheduler.now();
    return {at, vip::WallTime(at.time_since_epoch())};
}

bool Node::is_paused() const {
    return around_.scheduler.now() < paused_until_;
}

// ---- life ----

void Node::boot() {
    ++life_;
    is_stopping_ = false;
    has_stopped_ = false;
    armed_for_.reset();
    counts_packets_ = !around_.random.one_in(4);
    vip::DrainState restored = disk_;
    book_ = book_on_disk_;
    if (around_.network.has_faults && around_.random.one_in(12)) {
        restored = {};
        restored.unreadable = "torn";
        book_ = {};
        book_.is_unreadable = true;
    }
    around_.trace.line(now().monotonic, "boot " + std::to_string(index_));
    agent_ =
        std::make_unique<cmd::Agent>(config_, std::move(restored), around_.random.next(), now());
    for (const cmd::PeerEntry& peer : config_.peers) {
        sockets_[peer.session.name].router = router_of(peer);
    }
    for (const auto& [prefix, is_owned] : kernel_) {
        agent_->address_observed(prefix, "lo", true, is_owned, now());
    }
    for (const auto& [key, next_hops] : default_routes_) {
        agent_->default_route_observed(key, next_hops, "", now());
    }
    agent_->drain_file(false, now());
    turn();
}

void Node::end_life() {
    agent_.reset();
    sockets_.clear();
    deferred_.clear();
    paused_until_ = Instant{};
    drained_since_.clear();
    peers_drained_since_.clear();
    models_.clear();
    labels_.clear();
    probes_.clear();
    measured_ = {};
    is_measuring_ = false;
    unwritten_ = 0;
    is_stopping_ = false;
}

void Node::kill() {
    around_.trace.line(now().monotonic, "kill " + std::to_string(index_));
    for (auto& [name, sockets] : sockets_) {
        for (const ConnectionPtr& connection : sockets.slots) {
            if (connection) {
                connection->is_disturbed = true;
                around_.network.end(connection, Side::Node);
            }
        }
    }
    end_life();
}

void Node::lose_power() {
    around_.trace.line(now().monotonic, "power off " + std::to_string(index_));
    for (auto& [name, sockets] : sockets_) {
        for (const ConnectionPtr& connection : sockets.slots) {
            if (connection) {
                Network::forget(connection, Side::Node);
            }
        }
    }
    kernel_.clear();
    default_routes_.clear();
    adds_pending_.clear();
    end_life();
}

void Node::pause(Duration duration) {
    const Instant running_again = std::max(paused_until_, now().monotonic + duration);
    // A stop under way goes on when the process does.
    stop_due_ += running_again - std::max(paused_until_, now().monotonic);
    paused_until_ = running_again;
    for (auto& [name, sockets] : sockets_) {
        for (const ConnectionPtr& connection : sockets.slots) {
            if (connection) {
                connection->is_disturbed = true;
            }
        }
    }
    around_.scheduler.at(paused_until_, [this, life = life_] {
        if (life != life_ || !agent_ || is_paused()) {
            return;
        }
        // What has arrived before is handed over before any timer is looked at.
        around_.network.resume(index_);
        for (const auto& what : std::exchange(deferred_, {})) {
            if (life == life_ && agent_) {
                what();
            }
        }
    });
}

void Node::upgrade() {
    if (!agent_ || is_stopping_ || is_paused() || unwritten_ > 0) {
        return;
    }
    around_.trace.line(now().monotonic, "upgrade " + std::to_string(index_));
    cmd::handover::Saver saver;
    agent_->transfer(saver);
    const cmd::Config config = agent_->config();
    agent_ = std::make_unique<cmd::Agent>(config, vip::DrainState{}, around_.random.next(), now());
    cmd::handover::Loader loader(saver.fields(), cmd::handover::Loader::Files::Absent);
    agent_->transfer(loader);
    if (loader.is_bad()) {
        violated("a state is refused: " + loader.problem());
    }
    for (const auto& [prefix, is_owned] : kernel_) {
        agent_->address_observed(prefix, "lo", true, is_owned, now());
    }
    for (const auto& [prefix, interface] : agent_->addresses_present()) {
        if (!kernel_.contains(prefix)) {
            agent_->address_observed(prefix, interface, false, false, now());
        }
    }
    for (const auto& [key, next_hops] : default_routes_) {
        agent_->default_route_observed(key, next_hops, "", now());
    }
    agent_->drain_file(false, now());
    for (auto& [name, sockets] : sockets_) {
        sockets.attempt = 0;
    }
    probes_.clear();
    labels_.clear();
    for (const cmd::CheckView& view : agent_->checks()) {
        labels_[view.id] = view.label;
        if (const auto model = models_.find(view.label); model != models_.end()) {
            model->second.id = view.id;
        }
    }
    measured_ = {};
    uncounted_ = packet_ticks();
    turn();
}

void Node::stop() {
    is_stopping_ = true;
    stop_due_ = now().monotonic + stop_limit;
    agent_->stop(now());
    turn();
}

void Node::when_awake(Duration wait, std::function<void()> what) {
    around_.scheduler.after(
        wait, [this, life = life_, what = std::move(what)] { run_when_awake(life, what); });
}

void Node::run_when_awake(std::uint64_t life, const std::function<void()>& what) {
    if (life != life_ || !agent_) {
        return;
    }
    if (is_paused()) {
        deferred_.push_back(what);
        return;
    }
    what();
}

// ---- the turn ----

void Node::turn() {
    if (is_in_turn_ || !agent_) {
        return;
    }
    is_in_turn_ = true;
    int round = 0;
    while (settle_once()) {
        if (++round > most_rounds) {
            violated("the agent does not come to rest");
        }
    }
    note_drains();
    check_book();
    check_turn();
    is_in_turn_ = false;
    if (has_stopped_) {
        end_life();
        return;
    }
    arm();
}

bool Node::settle_once() {
    agent_->settle(now());
    bool has_moved = false;
    // Copies: outputs change the map.
    std::vector<std::string> names;
    for (const auto& [name, sockets] : sockets_) {
        names.push_back(name);
    }
    for (const std::string& name : names) {
        has_moved = serve_peer(name, sockets_.at(name)) || has_moved;
    }
    note_events();
    for (const cmd::Output& output : agent_->take_outputs()) {
        std::visit([this](const auto& what) { execute(what); }, output);
        has_moved = true;
    }
    return has_moved;
}

bool Node::serve_peer(const std::string& name, Sockets& sockets) {
    bgp::Peer* peer = agent_->find_peer(name);
    if (peer == nullptr) {
        return false;
    }
    bool has_moved = false;
    for (const bgp::Action& action : peer->take_actions()) {
        has_moved = true;
        std::visit([&](const auto& what) { act(what, name, *peer); }, action);
    }
    for (const bgp::Slot slot : slots) {
        has_moved = write(*peer, name, sockets, slot) || has_moved;
    }
    return has_moved;
}

bool Node::write(bgp::Peer& peer, const std::string& name, Sockets& sockets, bgp::Slot slot) {
    const ConnectionPtr connection = sockets.slots[index_of(slot)];
    if (!connection) {
        return false;
    }
    bool has_sent = false;
    for (auto waiting = peer.output(slot); !waiting.empty(); waiting = peer.output(slot)) {
        const std::size_t in_flight = connection->to_router.in_flight;
        if (in_flight >= connection->capacity) {
            break;
        }
        const auto taken =
            waiting.first(std::min(waiting.size(), connection->capacity - in_flight));
        const Octets octets(taken.begin(), taken.end());
        around_.trace.line(now().monotonic,
                           "node " + std::to_string(index_) + " to " + name + " on " +
                               std::to_string(connection->id),
                           octets);
        const bool was_update = connection->tap.has_update;
        const Instant decided =
            connection->is_stalled ? connection->stalled_since : now().monotonic;
        connection->tap.take(octets, decided, [&](const Prefix& prefix, const Route& route) {
            check_announcement(prefix, route, *connection);
        });
        const ConnectionPtr& rival = sockets.slots[1 - index_of(slot)];
        if (!was_update && connection->tap.has_update && rival && rival->tap.has_update) {
            violated("two sessions of one peer are Established at a node");
        }
        around_.network.write(connection, Side::Node, octets);
        peer.sent(slot, octets.size(), now().monotonic);
        has_sent = true;
    }
    if (!std::exchange(connection->is_stalled, !peer.output(slot).empty())) {
        connection->stalled_since = now().monotonic;
    }
    if (has_sent || peer.wants_acknowledgement(slot)) {
        peer.unacknowledged(slot, connection->to_router.in_flight, now().monotonic);
    }
    return has_sent;
}

void Node::act(const bgp::ConnectAction&, const std::string& name, bgp::Peer& peer) {
    Sockets& sockets = sockets_.at(name);
    const std::uint64_t attempt = sockets.attempt = ++last_attempt_;
    const bool is_silent = around_.network.is_blocked(index_, sockets.router);
    const Duration wait =
        is_silent ? Duration(peer.config().connect_timeout) : 2 * around_.network.delay();
    when_awake(wait, [this, attempt] {
        for (const auto& [each, dialling] : sockets_) {
            if (dialling.attempt == attempt) {
                connect_answered(std::string(each), attempt);
                return;
            }
        }
    });
}

void Node::connect_answered(const std::string& name, std::uint64_t attempt) {
    Sockets& sockets = sockets_.at(name);
    bgp::Peer* peer = agent_->find_peer(name);
    if (peer == nullptr || sockets.attempt != attempt) {
        return;
    }
    sockets.attempt = 0;
    Router& router = *around_.routers.at(sockets.router);
    if (around_.network.is_blocked(index_, sockets.router)) {
        peer->connect_failed("connection timed out", now().monotonic);
        turn();
    } else if (now().monotonic < router.refuses_until) {
        peer->connect_failed("connection refused", now().monotonic);
        turn();
    } else {
        const ConnectionPtr connection = around_.network.open(index_, sockets.router, true);
        router.connected(connection);
        begin(name, bgp::Slot::Outgoing, connection);
    }
}

void Node::begin(const std::string& name, bgp::Slot slot, const ConnectionPtr& connection) {
    Sockets& sockets = sockets_.at(name);
    if (ConnectionPtr& old = sockets.slots[index_of(slot)]) {
        old->is_disturbed = true;
        around_.network.end(old, Side::Node);
    }
    sockets.slots[index_of(slot)] = connection;
    agent_->find_peer(name)->connected(slot, endpoints(index_, sockets.router), now().monotonic);
    turn();
}

void Node::dialled(std::size_t router) {
    if (!agent_ || is_paused() || around_.network.is_blocked(index_, router)) {
        return;
    }
    const auto found = std::ranges::find(config_.peers, router, &Node::router_of);
    if (found == config_.peers.end()) {
        return;
    }
    const std::string name = found->session.name;
    const bgp::Peer* peer = agent_->find_peer(name);
    if (!peer->accepts_inbound()) {
        const std::vector<std::uint8_t> last = peer->rejection();
        if (!last.empty()) {
            const ConnectionPtr connection = around_.network.open(index_, router, false);
            around_.routers.at(router)->connected(connection);
            around_.network.write(connection, Side::Node, last);
            around_.network.end(connection, Side::Node);
        }
        return;
    }
    const ConnectionPtr connection = around_.network.open(index_, router, false);
    around_.routers.at(router)->connected(connection);
    begin(name, bgp::Slot::Incoming, connection);
}

void Node::act(const bgp::AbortConnectAction&, const std::string& name, bgp::Peer&) {
    sockets_.at(name).attempt = 0;
}

void Node::act(const bgp::CloseAction& close, const std::string& name, bgp::Peer&) {
    const ConnectionPtr connection =
        std::exchange(sockets_.at(name).slots[index_of(close.slot)], nullptr);
    if (!connection) {
        return;
    }
    around_.trace.line(now().monotonic,
                       "node " + std::to_string(index_) + " closes " +
                           std::to_string(connection->id),
                       close.last_octets);
    if (close.graceful) {
        connection->tap.take(
            close.last_octets, now().monotonic, [](const Prefix&, const Route&) {});
        around_.network.write(connection, Side::Node, close.last_octets);
    }
    around_.network.end(connection, Side::Node);
}

std::optional<std::pair<std::string, bgp::Slot>>
Node::slot_of(const ConnectionPtr& connection) const {
    for (const auto& [name, sockets] : sockets_) {
        for (const bgp::Slot slot : slots) {
            if (sockets.slots[index_of(slot)] == connection) {
                return std::pair(name, slot);
            }
        }
    }
    return std::nullopt;
}

void Node::octets_arrived(const ConnectionPtr& connection, const Octets& octets) {
    const auto place = slot_of(connection);
    if (!place) {
        return; // closed: read and dropped
    }
    if (!connection->is_provoked) {
        for (const test::raw::Message& message : connection->heard_by_node.take(octets)) {
            if (message.type == 5 && message.body.at(2) == 0) {
                connection->tap.allow_repeats(message.body.at(1) == 1 ? Family::Ipv4
                                                                      : Family::Ipv6);
            }
        }
    }
    agent_->find_peer(place->first)->received(place->second, octets, now().monotonic);
    turn();
}

void Node::end_arrived(const ConnectionPtr& connection) {
    around_.network.end(connection, Side::Node);
    if (const auto place = slot_of(connection)) {
        sockets_.at(place->first).slots[index_of(place->second)] = nullptr;
        agent_->find_peer(place->first)
            ->closed(place->second, "connection closed by the peer", now().monotonic);
        turn();
    }
}

// ---- time ----

void Node::arm() {
    const std::optional<Instant> next = agent_->next_deadline();
    if (!next || (armed_for_ && *armed_for_ <= *next)) {
        return;
    }
    const Instant at = std::max(*next, now().monotonic);
    armed_for_ = at;
    around_.scheduler.at(
        at, [this, at, life = life_] { run_when_awake(life, [this, at] { wake(at); }); });
}

void Node::wake(Instant at) {
    if (armed_for_ != at) {
        return; // armed for something earlier since
    }
    armed_for_.reset();
    wakes_at_once_ = last_wake_ == now().monotonic ? wakes_at_once_ + 1 : 0;
    last_wake_ = now().monotonic;
    if (wakes_at_once_ > most_wakes_at_once) {
        violated("the agent spins: its deadline does not move");
    }
    for (auto& [name, sockets] : sockets_) {
        bgp::Peer* peer = agent_->find_peer(name);
        for (const bgp::Slot slot : slots) {
            const ConnectionPtr& connection = sockets.slots[index_of(slot)];
            if (connection) {
                peer->unacknowledged(slot, connection->to_router.in_flight, now().monotonic);
            }
        }
    }
    agent_->tick(now());
    turn();
    if (is_stopping_ && now().monotonic > stop_due_) {
        violated("a stop takes longer than linger and the removal of addresses");
    }
}

// ---- operator ----

void Node::reset_peer(const std::string& name, bool is_soft) {
    bgp::Peer* peer = agent_->find_peer(name);
    if (peer == nullptr) {
        return;
    }
    if (is_soft) {
        for (const ConnectionPtr& connection : sockets_.at(name).slots) {
            if (connection) {
                connection->tap.allow_repeats(Family::Ipv4);
                connection->tap.allow_repeats(Family::Ipv6);
            }
        }
        peer->resend_all(now().monotonic);
    } else {
        peer->reset(bgp::wire::Cease::AdministrativeReset, "by the operator", now().monotonic);
    }
    turn();
}

void Node::reload(cmd::Config config) {
    for (const cmd::PeerEntry& next : config.peers) {
        for (const cmd::PeerEntry& old : config_.peers) {
            if (next.address != old.address || next.session.name == old.session.name) {
                continue;
            }
            if (auto held = book_.peers.extract(old.session.name); !held.empty()) {
                held.key() = next.session.name;
                book_.peers.insert(std::move(held));
            }
        }
    }
    note_changed_checks(config);
    follow_drains(config);
    config_ = config;
    around_.trace.line(now().monotonic, "reload " + std::to_string(index_));
    agent_->reload(std::move(config), now());
    turn();
}

} // namespace anyvip::sim
