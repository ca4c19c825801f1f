// SPDX-License-Identifier: Apache-2.0
// What the daemon does around a PeerDriver, in its shortest form, and the few messages that a raw
// router needs.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "bgp/net/peer_driver.hpp"
#include "test/unit/bgp/net/loopback.hpp"

namespace anyvip::bgp::net::test {

inline PeerConfig session_config(bool passive) {
    PeerConfig config;
    config.name = "router";
    config.remote_as = {RemoteAs::Kind::Number, Asn{65001}};
    config.passive = passive;
    config.families = {true, false};
    // The loopback address of the session is none that a route can have as next hop.
    config.next_hop_ipv4 = IpAddress::v4(0x0A00000B);
    return config;
}

inline NetConfig net_config(std::uint16_t port, std::uint16_t listen_port = 0) {
    NetConfig config;
    config.address = loopback;
    config.port = port;
    config.listen_port = listen_port;
    return config;
}

/// One peer with its driver and the timer for its deadlines.
struct Owner {
    Owner(boost::asio::io_context& io, const PeerConfig& session, NetConfig net)
        : timer(io), peer(session, {Asn{65010}, RouterId{0x0A00000B}}, 1, now()),
          driver(io, peer, std::move(net), {}, [this] { turn(); }) {}

    static Instant now() { return std::chrono::steady_clock::now(); }

    void start() {
        peer.start(now());
        peer.allow_end_of_rib(now());
        turn();
    }

    void turn() {
        do {
            peer.flush(now());
        } while (driver.drain());
        for (const PeerEvent& event : peer.take_events()) {
            if (const auto* down = std::get_if<PeerDown>(&event)) {
                last_down = down->reason;
            }
        }
        if (const auto deadline = peer.next_deadline()) {
            timer.expires_at(*deadline);
            timer.async_wait([this](const auto& error) {
                if (!error) {
                    driver.look();
                    peer.tick(now());
                    turn();
                }
            });
        }
    }

    [[nodiscard]] std::string last_error() const {
        const auto error = peer.status().last_error;
        return error ? error->name + ": " + error->message : std::string{};
    }

    boost::asio::steady_timer timer;
    Peer peer;
    PeerDriver driver;
    std::string last_down;
};

inline std::vector<std::uint8_t> message(std::uint8_t type, const std::vector<std::uint8_t>& body) {
    std::vector<std::uint8_t> octets(16, 0xFF);
    octets.push_back(0);
    octets.push_back(static_cast<std::uint8_t>(19 + body.size()));
    octets.push_back(type);
    octets.insert(octets.end(), body.begin(), body.end());
    return octets;
}

/// OPEN of AS 65001 with hold time 9 s, identifier 10.0.0.1 and no capabilities.
inline std::vector<std::uint8_t> router_open() {
    return message(1, {4, 0xFD, 0xE9, 0, 9, 10, 0, 0, 1, 0});
}

inline std::vector<std::uint8_t> router_keepalive() {
    return message(4, {});
}

/// Whether a message of this type begins somewhere in the octets.
inline bool has_message(const std::vector<std::uint8_t>& octets, std::uint8_t type) {
    for (std::size_t at = 0; at + 19 <= octets.size();) {
        if (octets[at + 18] == type) {
            return true;
        }
        at += std::max<std::size_t>(19, 256U * octets[at + 16] + octets[at + 17]);
    }
    return false;
}

/// Code and subcode of the NOTIFICATION at the end.
inline std::vector<std::uint8_t> last_notification(const std::vector<std::uint8_t>& octets) {
    for (std::size_t at = 0; at + 21 <= octets.size();) {
        if (octets[at + 18] == 3) {
            return {octets[at + 19], octets[at + 20]};
        }
        at += std::max<std::size_t>(19, 256U * octets[at + 16] + octets[at + 17]);
    }
    return {};
}

} // namespace anyvip::bgp::net::test
