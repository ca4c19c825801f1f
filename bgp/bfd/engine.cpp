// SPDX-License-Identifier: Apache-2.0
#include "bgp/bfd/engine.hpp"

#include <algorithm>

namespace anyvip::bgp::bfd {

namespace {

/// The way the packet came fits the session, whatever address and discriminators it bears.
[[nodiscard]] bool is_by_way_of(const PeerKey& peer, const Arrival& arrival) {
    return peer.is_multihop == arrival.is_multihop &&
           (peer.interface == 0 || peer.interface == arrival.interface);
}

[[nodiscard]] bool is_from(const PeerKey& peer, const Arrival& arrival) {
    return peer.address == arrival.source && is_by_way_of(peer, arrival);
}

/// RFC 5881 §5: over one hop exactly 255.
/// DEVIATION RFC 5883 §6: over several hops there is no authentication. Nor does the TTL help: BIRD
/// sends with the system's default, so hops are counted down from that as well as from 255, and
/// whoever is far away can choose one that fits. What he has to guess is the discriminator.
[[nodiscard]] bool is_near(std::uint8_t ttl, std::uint8_t hops) {
    constexpr int default_ttl = 64;
    if (hops == 0) {
        return ttl == 255;
    }
    return ttl > 255 - hops || (ttl <= default_ttl && ttl > default_ttl - hops);
}

} // namespace

Engine::Engine(std::uint64_t seed) : seed_(seed) {
    entries_.reserve(limits::bfd_sessions);
}

// RFC 5880 §6.8.6, in its order; `decode` has the checks that need no session.
Outcome
Engine::receive(std::span<const std::uint8_t> payload, const Arrival& arrival, Instant now) {
    const auto packet = decode(payload);
    if (!packet) {
        drop(packet.error(), arrival);
        return {};
    }
    Entry* found = nullptr;
    if (packet->your_discriminator != 0) {
        // The discriminator alone selects the session: a router may answer from another of its
        // addresses.
        found = by_discriminator(packet->your_discriminator);
        if (found != nullptr && !is_by_way_of(found->peer, arrival)) {
            found = nullptr;
        }
    } else if (packet->state != State::Down && packet->state != State::AdminDown) {
        drop(Drop::State, arrival);
        return {};
    } else {
        found = by_source(arrival);
    }
    if (found == nullptr) {
        drop(Drop::NoSession, arrival);
        const Entry* moved = by_source(arrival) == nullptr ? by_address(arrival) : nullptr;
        return {0, {}, moved == nullptr ? 0 : moved->id};
    }
    if (!is_near(arrival.ttl, found->hops)) {
        drop(Drop::Ttl, arrival);
        return {};
    }
    if (packet->authentication) {
        drop(Drop::Authentication, arrival);
        return {};
    }
    ++found->counters.received;
    return {found->id, found->session.receive(*packet, arrival.at, now), 0};
}

// Charged to the session whose peer sent it, so that the operator finds it there.
void Engine::drop(Drop reason, const Arrival& arrival) {
    Entry* peer = by_source(arrival);
    if (peer == nullptr) {
        peer = by_address(arrival);
    }
    Counters& counters = peer == nullptr ? stray_ : peer->counters;
    ++counters.dropped.at(static_cast<std::size_t>(reason));
}

bool Engine::add(const Setup& setup, Instant now) {
    std::erase_if(entries_, [&](const Entry& other) {
        return other.gone_at && other.peer.address == setup.peer.address &&
               other.peer.is_multihop == setup.peer.is_multihop;
    });
    if (entries_.size() == limits::bfd_sessions) { // a goodbye is worth less than a session
        const auto leaving = std::ranges::find_if(
            entries_, [](const Entry& other) { return other.gone_at.has_value(); });
        if (leaving != entries_.end()) {
            entries_.erase(leaving);
        }
    }
    if (entries_.size() == limits::bfd_sessions || setup.discriminator == 0 ||
        by_discriminator(setup.discriminator) != nullptr) {
        return false;
    }
    entries_.push_back({setup.id,
                        setup.peer,
                        setup.hops,
                        Session(setup.timing, setup.discriminator, seed_ + setup.id, now),
                        {},
                        std::nullopt});
    return true;
}

Outcome Engine::reconfigure(std::uint32_t id, const Timing& timing, Instant now) {
    Entry* found = entry(id);
    return found == nullptr ? Outcome{} : Outcome{id, found->session.reconfigure(timing, now), 0};
}

Outcome Engine::remove(std::uint32_t id, Instant now) {
    Entry* found = entry(id);
    if (found == nullptr || found->gone_at) {
        return {};
    }
    found->gone_at = now + found->session.farewell();
    return {id, found->session.disable(now), 0};
}

Outcome Engine::refresh(std::uint32_t id, Instant now) {
    Entry* found = entry(id);
    return found == nullptr ? Outcome{} : Outcome{id, found->session.refresh(now)};
}

std::map<std::uint32_t, std::uint32_t> Engine::discriminators() const {
    std::map<std::uint32_t, std::uint32_t> result;
    for (const Entry& one : entries_) {
        result.emplace(one.id, one.session.discriminator());
    }
    return result;
}

void Engine::set_interface(std::uint32_t id, std::uint32_t interface) {
    if (Entry* found = entry(id)) {
        found->peer.interface = interface;
    }
}

std::optional<Outcome> Engine::tick(Instant now) {
    for (Entry& due : entries_) {
        const auto deadline = due.session.next_deadline();
        if (deadline && *deadline <= now) {
            return Outcome{due.id, due.session.tick(now), 0};
        }
    }
    return std::nullopt;
}

std::optional<Instant> Engine::next_deadline() const {
    std::optional<Instant> next;
    const auto consider = [&next](const std::optional<Instant>& at) {
        if (at && (!next || *at < *next)) {
            next = at;
        }
    };
    for (const Entry& one : entries_) {
        consider(one.session.next_deadline());
        consider(one.gone_at);
    }
    return next;
}

std::optional<std::uint32_t> Engine::take_removed(Instant now) {
    const auto found = std::ranges::find_if(
        entries_, [now](const Entry& one) { return one.gone_at && *one.gone_at <= now; });
    if (found == entries_.end()) {
        return std::nullopt;
    }
    const std::uint32_t id = found->id;
    entries_.erase(found);
    return id;
}

void Engine::count_sent(std::uint32_t id, bool is_sent) {
    if (Entry* found = entry(id)) {
        ++(is_sent ? found->counters.sent : found->counters.send_failed);
    }
}

const Session* Engine::find(std::uint32_t id) const {
    const auto found = std::ranges::find(entries_, id, &Entry::id);
    return found == entries_.end() ? nullptr : &found->session;
}

const Counters* Engine::counters(std::uint32_t id) const {
    const auto found = std::ranges::find(entries_, id, &Entry::id);
    return found == entries_.end() ? nullptr : &found->counters;
}

Engine::Entry* Engine::entry(std::uint32_t id) {
    const auto found = std::ranges::find(entries_, id, &Entry::id);
    return found == entries_.end() ? nullptr : &*found;
}

Engine::Entry* Engine::by_discriminator(std::uint32_t discriminator) {
    const auto found = std::ranges::find_if(entries_, [discriminator](const Entry& one) {
        return one.session.discriminator() == discriminator;
    });
    return found == entries_.end() ? nullptr : &*found;
}

Engine::Entry* Engine::by_source(const Arrival& arrival) {
    const auto found = std::ranges::find_if(
        entries_, [&arrival](const Entry& one) { return is_from(one.peer, arrival); });
    return found == entries_.end() ? nullptr : &*found;
}

// On whatever interface: an address may move to another one. Link-local addresses mean nothing
// without theirs.
Engine::Entry* Engine::by_address(const Arrival& arrival) {
    if (arrival.source.is_link_local()) {
        return nullptr;
    }
    const auto found = std::ranges::find_if(entries_, [&arrival](const Entry& one) {
        return one.peer.address == arrival.source && one.peer.is_multihop == arrival.is_multihop;
    });
    return found == entries_.end() ? nullptr : &*found;
}

} // namespace anyvip::bgp::bfd
