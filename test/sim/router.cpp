// SPDX-License-Identifier: Apache-2.0
#include "test/sim/router.hpp"

#include <algorithm>
#include <ranges>

namespace anyvip::sim {

namespace raw = test::raw;

namespace {

constexpr std::uint8_t cease_collision = 7;

[[nodiscard]] std::uint32_t u32_at(const Octets& octets, std::size_t at) {
    std::uint32_t value = 0;
    for (std::size_t i = at; i < at + 4; ++i) {
        value = value << 8U | octets.at(i);
    }
    return value;
}

[[nodiscard]] Octets nlri(const Prefix& prefix) {
    const auto octets = prefix.address().octets();
    return raw::join({raw::u8(prefix.length_bits()), Octets(octets.begin(), octets.end())});
}

/// NOTIFICATION codes that an agent may send to a router that did nothing wrong.
[[nodiscard]] bool is_innocent(const Octets& notification) {
    return notification.at(0) == 6;
}

} // namespace

void Router::connected(const ConnectionPtr& connection) {
    auto session = std::make_shared<Session>();
    session->connection = connection;
    session->heard = scheduler_.now();
    sessions_.push_back(session);
    Octets capabilities = raw::hex("01 04 00010001");
    if (options_.has_ipv6) {
        capabilities = raw::join({capabilities, raw::hex("01 04 00020001")});
    }
    if (options_.has_route_refresh) {
        capabilities = raw::join({capabilities, raw::hex("02 00 46 00")});
    }
    if (options_.restarts_gracefully) {
        capabilities = raw::join({capabilities, raw::hex("40 02 0078")});
    }
    if (options_.shows_paths) {
        capabilities = raw::join({capabilities, raw::hex("45 04 0001 01 02")});
    }
    capabilities = raw::join({capabilities, raw::capability(65, raw::u32(options_.asn))});
    say(connection,
        raw::open({.my_as = std::min<std::size_t>(options_.asn, 65535),
                   .hold_time = static_cast<std::size_t>(options_.hold_time.count()),
                   .router_id = options_.id,
                   .capabilities = capabilities}));
    keep_alive(session);
}

Router::SessionPtr Router::find(const ConnectionPtr& connection) const {
    const auto found = std::ranges::find_if(
        sessions_, [&](const SessionPtr& session) { return session->connection == connection; });
    return found == sessions_.end() ? nullptr : *found;
}

Router::SessionPtr Router::established(std::size_t node) const {
    const auto found = std::ranges::find_if(sessions_, [&](const SessionPtr& session) {
        return session->connection->node == node && session->state == State::Established;
    });
    return found == sessions_.end() ? nullptr : *found;
}

bool Router::has_connection(std::size_t node) const {
    return std::ranges::any_of(
        sessions_, [&](const SessionPtr& session) { return session->connection->node == node; });
}

void Router::say(const ConnectionPtr& connection, const Octets& octets) {
    trace_.line(scheduler_.now(), "router says on " + std::to_string(connection->id), octets);
    network_.write(connection, Side::Router, octets);
}

void Router::octets_arrived(const ConnectionPtr& connection, const Octets& octets) {
    const SessionPtr session = find(connection);
    if (!session) {
        return;
    }
    session->heard = scheduler_.now();
    for (const raw::Message& message : session->framer.take(octets)) {
        handle(session, message);
        if (!find(connection)) {
            return;
        }
    }
}

void Router::end_arrived(const ConnectionPtr& connection) {
    if (const SessionPtr session = find(connection)) {
        remove(session);
    }
    network_.end(connection, Side::Router);
}

void Router::handle(const SessionPtr& session, const raw::Message& message) {
    switch (message.type) {
    case 1:
        if (session->state != State::OpenSent) {
            throw Violation("an agent sent a second OPEN");
        }
        opened(session, message.body);
        break;
    case 2:
        if (session->state != State::Established) {
            throw Violation("an agent sent an UPDATE before the KEEPALIVE that confirms its OPEN");
        }
        updated(session, message.body);
        break;
    case 3:
        if (!is_innocent(message.body) && !session->connection->is_provoked &&
            !(session->connection->is_disturbed && message.body.at(0) == 4)) {
            throw Violation("an agent sent a NOTIFICATION without a reason: " +
                            raw::to_hex(message.body));
        }
        remove(session);
        network_.end(session->connection, Side::Router);
        break;
    case 4:
        if (session->state == State::OpenSent) {
            throw Violation("an agent sent a KEEPALIVE before its OPEN");
        }
        if (session->state == State::OpenConfirm) {
            established_now(session);
        }
        break;
    default:
        break; // ROUTE-REFRESH: its table is what the other nodes said, sent as it comes
    }
}

void Router::opened(const SessionPtr& session, const Octets& body) {
    const std::size_t hold = body.at(3) * std::size_t{256} + body.at(4);
    const auto ours = static_cast<std::size_t>(options_.hold_time.count());
    session->hold_time = std::chrono::seconds(std::min(hold, ours));
    session->peer_id = u32_at(body, 5);
    const std::string text = raw::to_hex(body);
    session->can_receive_paths = options_.shows_paths && text.find("45") != std::string::npos;
    if (!survives_collision(session)) {
        cease(session, cease_collision);
        return;
    }
    session->state = State::OpenConfirm;
    say(session->connection, raw::keepalive());
}

/// RFC 4271 §6.8.
bool Router::survives_collision(const SessionPtr& session) {
    for (const SessionPtr& rival : std::vector(sessions_)) {
        if (rival == session || rival->connection->node != session->connection->node ||
            rival->state == State::OpenSent) {
            continue;
        }
        if (rival->state == State::Established) {
            if (!options_.restarts_gracefully) {
                return false;
            }
            // RFC 4724 §5: the old one is dead.
            forget(rival);
            continue;
        }
        const bool keeps_dialled_by_node = session->peer_id > options_.id;
        const bool is_rival_kept = rival->connection->is_dialled_by_node == keeps_dialled_by_node &&
                                   session->connection->is_dialled_by_node != keeps_dialled_by_node;
        if (is_rival_kept) {
            return false;
        }
        cease(rival, cease_collision);
    }
    return true;
}

void Router::established_now(const SessionPtr& session) {
    if (const SessionPtr other = established(session->connection->node);
        other && !other->connection->is_disturbed) {
        throw Violation("two sessions of one peer are Established at a router");
    }
    session->state = State::Established;
    trace_.line(scheduler_.now(), "router established " + std::to_string(session->connection->id));
    if (options_.sends_default) {
        send_default(*session);
    }
    if (!session->can_receive_paths) {
        return;
    }
    for (const SessionPtr& other : sessions_) {
        for (const auto& [prefix, route] : other->table) {
            show(*session, other->connection->node, prefix, &route);
        }
    }
    say(session->connection, raw::update({}, {}, {}));
    say(session->connection, raw::update({}, raw::hex("800f03000201"), {}));
}

void Router::updated(const SessionPtr& session, const Octets& body) {
    const Update update = read_update(body);
    if (update.end_of_rib) {
        ++session->ends_of_rib[static_cast<std::size_t>(*update.end_of_rib)];
    }
    for (const Prefix& prefix : update.withdrawn) {
        session->table.erase(prefix);
    }
    for (const Prefix& prefix : update.announced) {
        session->table[prefix] = update.route;
    }
    for (const SessionPtr& other : sessions_) {
        for (const Prefix& prefix : update.withdrawn) {
            show(*other, session->connection->node, prefix, nullptr);
        }
        for (const Prefix& prefix : update.announced) {
            show(*other, session->connection->node, prefix, &update.route);
        }
    }
}

/// One path of a node, to another or back to it, under the path identifier of its origin.
void Router::send_default(const Session& to) {
    const Octets own_path = raw::join({raw::hex("40 02 06 02 01"), raw::u32(options_.asn)});
    const Octets attributes =
        raw::join({raw::hex("40 01 01 00"),
                   options_.is_internal ? raw::hex("40 02 00") : own_path,
                   raw::hex("40 03 04"),
                   raw::u32(0x0a000001 + index_),
                   options_.is_internal ? raw::hex("40 05 04 00000064") : Octets{}});
    const Octets path_id = to.can_receive_paths ? raw::u32(0xffff) : Octets{};
    say(to.connection, raw::update({}, attributes, raw::join({path_id, raw::hex("00")})));
}

void Router::show(const Session& to, std::size_t origin, const Prefix& prefix, const Route* route) {
    if (!to.can_receive_paths || to.state != State::Established ||
        prefix.family() != Family::Ipv4) {
        return;
    }
    const Octets path = raw::join({raw::u32(origin + 1), nlri(prefix)});
    if (route == nullptr) {
        say(to.connection, raw::update(path, {}, {}));
        return;
    }
    Octets attributes = raw::join({raw::hex("40 01 01 00"),
                                   raw::hex("40 02"),
                                   raw::u8(6 + 4 * route->path_length),
                                   raw::u8(2),
                                   raw::u8(1 + route->path_length),
                                   raw::u32(options_.asn)});
    for (std::size_t i = 0; i < route->path_length; ++i) {
        attributes = raw::join({attributes, raw::u32(node_asn_)});
    }
    attributes = raw::join({attributes, raw::hex("40 03 04"), raw::u32(0x0a00000b + origin)});
    if (route->is_graceful_shutdown()) {
        attributes = raw::join({attributes, raw::hex("c0 08 04 ffff0000")});
    }
    if (!route->large_communities.empty()) {
        attributes = raw::join(
            {attributes, raw::hex("c0 20"), raw::u8(12 * route->large_communities.size())});
        for (const Octets& community : route->large_communities) {
            attributes = raw::join({attributes, community});
        }
    }
    say(to.connection, raw::update({}, attributes, path));
}

void Router::keep_alive(const SessionPtr& session) {
    const Duration interval =
        session->hold_time.count() > 0 ? session->hold_time / 3 : Duration(std::chrono::seconds(1));
    scheduler_.after(interval, [this, weak = std::weak_ptr(session)] {
        const SessionPtr alive = weak.lock();
        if (!alive || !find(alive->connection)) {
            return;
        }
        if (alive->state == State::OpenSent) {
            // RFC 4271 §8.2.2 suggests 4 minutes; a router that waits less finds more.
            if (scheduler_.now() - alive->heard > std::chrono::seconds(30)) {
                end(alive, raw::notification(4, 0));
                return;
            }
        } else if (scheduler_.now() - alive->heard > alive->hold_time) {
            if (!alive->connection->is_disturbed && !alive->connection->is_provoked) {
                throw Violation("the hold time of a healthy session has expired at a router");
            }
            end(alive, raw::notification(4, 0));
            return;
        } else if (scheduler_.now() < silent_until) {
            alive->connection->is_disturbed = true;
        } else {
            say(alive->connection, raw::keepalive());
        }
        keep_alive(alive);
    });
}

void Router::remove(const SessionPtr& session) {
    trace_.line(scheduler_.now(), "router ended " + std::to_string(session->connection->id));
    std::erase(sessions_, session);
    for (const SessionPtr& other : sessions_) {
        for (const auto& [prefix, route] : session->table) {
            show(*other, session->connection->node, prefix, nullptr);
        }
    }
}

void Router::end(const SessionPtr& session, const Octets& last) {
    say(session->connection, last);
    remove(session);
    network_.end(session->connection, Side::Router);
}

void Router::cease(const SessionPtr& session, std::uint8_t subcode) {
    end(session, raw::notification(6, subcode));
}

void Router::forget(const SessionPtr& session) {
    remove(session);
    Network::forget(session->connection, Side::Router);
}

void Router::restart(bool is_silent) {
    for (const SessionPtr& session : std::vector(sessions_)) {
        if (is_silent) {
            forget(session);
        } else {
            session->connection->is_disturbed = true;
            remove(session);
            network_.end(session->connection, Side::Router);
        }
    }
}

} // namespace anyvip::sim
