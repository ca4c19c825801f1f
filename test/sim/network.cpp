// SPDX-License-Identifier: Apache-2.0
#include "test/sim/network.hpp"

#include <algorithm>

namespace anyvip::sim {

using namespace std::chrono_literals;

Pipe& Network::pipe(Connection& connection, Side to) {
    return to == Side::Router ? connection.to_router : connection.to_node;
}

bool& Network::is_open(Connection& connection, Side side) {
    return side == Side::Router ? connection.is_open_at_router : connection.is_open_at_node;
}

Duration Network::delay() {
    return random_.between(50us, most_delay);
}

ConnectionPtr Network::open(std::size_t node, std::size_t router, bool is_dialled_by_node) {
    auto connection = std::make_shared<Connection>();
    connection->id = ++last_id_;
    connection->node = node;
    connection->router = router;
    connection->is_dialled_by_node = is_dialled_by_node;
    connection->capacity = has_faults && random_.one_in(4) ? 40 + random_.below(200) : 65536;
    std::erase_if(connections_, [](const ConnectionPtr& old) {
        return !old->is_open_at_node && !old->is_open_at_router;
    });
    connections_.push_back(connection);
    return connection;
}

void Network::write(const ConnectionPtr& connection, Side from, const Octets& octets) {
    const Side to = from == Side::Node ? Side::Router : Side::Node;
    Pipe& out = pipe(*connection, to);
    if (out.has_ended) {
        out.in_flight += octets.size(); // broken, which this side does not know: no answer comes
        return;
    }
    std::size_t done = 0;
    while (done < octets.size()) {
        const std::size_t left = octets.size() - done;
        const std::size_t size = has_faults && random_.one_in(3) ? 1 + random_.below(left) : left;
        const Instant sent = out.chunks.empty() ? scheduler_.now() : out.chunks.back().arrives;
        const auto begin = octets.begin() + static_cast<std::ptrdiff_t>(done);
        out.chunks.push_back({std::max(sent, scheduler_.now() + delay()),
                              Octets(begin, begin + static_cast<std::ptrdiff_t>(size)),
                              false});
        done += size;
    }
    out.in_flight += octets.size();
    arrange(connection, to);
}

void Network::end(const ConnectionPtr& connection, Side from) {
    const Side to = from == Side::Node ? Side::Router : Side::Node;
    is_open(*connection, from) = false;
    Pipe& out = pipe(*connection, to);
    if (std::exchange(out.has_ended, true)) {
        return;
    }
    const Instant sent = out.chunks.empty() ? scheduler_.now() : out.chunks.back().arrives;
    out.chunks.push_back({std::max(sent, scheduler_.now() + delay()), {}, true});
    arrange(connection, to);
}

void Network::forget(const ConnectionPtr& connection, Side side) {
    connection->is_disturbed = true;
    is_open(*connection, side) = false;
    // What it had written and what was not delivered is lost with it.
    Pipe& out = pipe(*connection, side == Side::Node ? Side::Router : Side::Node);
    out.has_ended = true;
    out.chunks.clear();
    out.in_flight = 0;
}

void Network::reset(const ConnectionPtr& connection) {
    connection->is_disturbed = true;
    for (const Side side : {Side::Node, Side::Router}) {
        // `in_flight` stays: what is lost is never acknowledged.
        pipe(*connection, side).chunks.clear();
        pipe(*connection, side).has_ended = true;
    }
    for (const Side side : {Side::Node, Side::Router}) {
        pipe(*connection, side).chunks.push_back({scheduler_.now(), {}, true});
        arrange(connection, side);
    }
}

void Network::arrange(const ConnectionPtr& connection, Side to) {
    const Pipe& out = pipe(*connection, to);
    if (out.chunks.empty()) {
        return;
    }
    scheduler_.at(out.chunks.front().arrives, [this, connection, to] { deliver(connection, to); });
}

void Network::deliver(const ConnectionPtr& connection, Side to) {
    Pipe& in = pipe(*connection, to);
    if (in.chunks.empty() || in.chunks.front().arrives > scheduler_.now()) {
        return; // an earlier delivery took it
    }
    if (is_blocked(connection->node, connection->router)) {
        const Instant end = blocked_until_[{connection->node, connection->router}] + delay();
        scheduler_.at(end, [this, connection, to] { deliver(connection, to); });
        return;
    }
    if (!is_open(*connection, to)) {
        // Nobody is there any more: the answer is a reset, and no acknowledgement.
        in.chunks.clear();
        const Side from = to == Side::Node ? Side::Router : Side::Node;
        Pipe& back = pipe(*connection, from);
        if (is_open(*connection, from) && (!back.has_ended || back.chunks.empty())) {
            back.has_ended = true;
            back.chunks.push_back({scheduler_.now() + delay(), {}, true});
            arrange(connection, from);
        }
        return;
    }
    Host& host = find_host_(*connection, to);
    if (host.is_paused() || (to == Side::Router && connection->is_window_closed)) {
        return; // asked again when that ends
    }
    Octets octets;
    bool is_end = false;
    while (!in.chunks.empty() && !is_end && in.chunks.front().arrives <= scheduler_.now()) {
        const Chunk& chunk = in.chunks.front();
        octets.insert(octets.end(), chunk.octets.begin(), chunk.octets.end());
        is_end = chunk.is_end;
        in.chunks.pop_front();
    }
    in.in_flight -= std::min(in.in_flight, octets.size());
    arrange(connection, to);
    if (!octets.empty()) {
        host.octets_arrived(connection, octets);
    }
    if (is_end && is_open(*connection, to)) {
        host.end_arrived(connection);
    }
}

void Network::block(std::size_t node, std::size_t router, Duration duration) {
    Instant& until = blocked_until_[{node, router}];
    until = std::max(until, scheduler_.now() + duration);
    for (const ConnectionPtr& connection : connections_) {
        if (connection->node == node && connection->router == router) {
            connection->is_disturbed = true;
        }
    }
}

bool Network::is_blocked(std::size_t node, std::size_t router) const {
    const auto found = blocked_until_.find({node, router});
    return found != blocked_until_.end() && found->second > scheduler_.now();
}

void Network::close_window(const ConnectionPtr& connection, Duration duration) {
    connection->is_disturbed = true;
    connection->is_window_closed = true;
    scheduler_.after(duration, [this, connection] {
        connection->is_window_closed = false;
        deliver(connection, Side::Router);
    });
}

void Network::resume(std::size_t node) {
    // A copy: what arrives may open connections.
    for (const ConnectionPtr& connection : std::vector(connections_)) {
        if (connection->node == node) {
            deliver(connection, Side::Node);
        }
    }
}

void Network::heal() {
    has_faults = false;
    blocked_until_.clear();
    for (const ConnectionPtr& connection : std::vector(connections_)) {
        connection->is_window_closed = false;
        deliver(connection, Side::Router);
        deliver(connection, Side::Node);
    }
}

} // namespace anyvip::sim
