// SPDX-License-Identifier: Apache-2.0
// A peer under virtual time with a hand-made router at the other end of its connections.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bgp/session/peer.hpp"
#include "test/support/raw_bgp.hpp"

namespace anyvip::test {

using namespace std::chrono_literals;
using Lines = std::vector<std::string>;

inline const std::string end_of_rib_v4 = "UPDATE 00000000";
inline const std::string end_of_rib_v6 = "UPDATE 00000006800f03000201";

inline IpAddress ip(std::string_view text) {
    return IpAddress::parse(text).value();
}

inline Prefix prefix(std::string_view text) {
    return Prefix::parse(text).value();
}

inline bgp::RouteIntentPtr plain_intent() {
    return std::make_shared<const bgp::RouteIntent>();
}

inline bgp::PeerConfig usual_config() {
    bgp::PeerConfig config;
    config.name = "tor1";
    config.remote_as = {bgp::RemoteAs::Kind::Number, bgp::Asn{65001}};
    return config;
}

inline bgp::Endpoints usual_endpoints() {
    bgp::Endpoints endpoints;
    endpoints.local = ip("10.0.0.11");
    endpoints.remote = ip("10.0.0.1");
    endpoints.interface = "eth0";
    endpoints.local_subnets = {prefix("10.0.0.0/24"), prefix("2001:db8::/64")};
    endpoints.interface_ipv4 = ip("10.0.0.11");
    endpoints.interface_ipv6 = ip("2001:db8::11");
    endpoints.interface_link_local = ip("fe80::11");
    return endpoints;
}

/// Plays the shell: executes actions, moves octets, keeps the clock.
class Bench {
  public:
    explicit Bench(bgp::PeerConfig config = usual_config(),
                   bgp::Speaker speaker = {bgp::Asn{65010}, bgp::RouterId{0x0a00000b}},
                   std::uint64_t seed = 1)
        : peer(std::move(config), speaker, seed, now) {}

    Instant now{};
    bgp::Peer peer;
    bgp::Endpoints endpoints = usual_endpoints();
    std::array<bool, 2> is_blocked{}; ///< the router does not read
    bool acknowledges = true;         ///< the router's TCP acknowledges what was written
    bool is_connecting = false;
    std::vector<Instant> connects; ///< when attempts were started
    std::size_t aborts = 0;
    std::vector<bgp::CloseAction> closes;
    std::vector<std::string> events;

    void settle() {
        for (int round = 0; round < 64; ++round) {
            const auto actions = peer.take_actions();
            for (const auto& action : actions) {
                execute(action);
            }
            bool has_written = write(bgp::Slot::Outgoing);
            has_written = write(bgp::Slot::Incoming) || has_written;
            if (actions.empty() && !has_written) {
                break;
            }
        }
        for (const auto& event : peer.take_events()) {
            note(event);
        }
    }

    void start() {
        peer.start(now);
        settle();
    }

    void accept() {
        is_connecting = false;
        peer.connected(bgp::Slot::Outgoing, endpoints, now);
        settle();
    }

    void refuse(std::string_view reason = "Connection refused") {
        is_connecting = false;
        peer.connect_failed(reason, now);
        settle();
    }

    void dial() {
        peer.connected(bgp::Slot::Incoming, endpoints, now);
        settle();
    }

    void say(const raw::Octets& octets, bgp::Slot slot = bgp::Slot::Outgoing) {
        peer.received(slot, octets, now);
        settle();
    }

    void hang_up(bgp::Slot slot = bgp::Slot::Outgoing) {
        peer.closed(slot, "end of file", now);
        settle();
    }

    void flush() {
        peer.flush(now);
        settle();
    }

    /// Lets time pass, stopping at every deadline on the way.
    void advance(Duration duration) {
        const Instant end = now + duration;
        for (auto next = peer.next_deadline(); next && *next <= end; next = peer.next_deadline()) {
            now = std::max(now, *next);
            for (const auto slot : {bgp::Slot::Outgoing, bgp::Slot::Incoming}) {
                if (acknowledges) {
                    peer.unacknowledged(slot, 0, now);
                }
            }
            peer.tick(now);
            settle();
        }
        now = end;
    }

    /// What the router has read since the last call.
    std::vector<raw::Message> messages(bgp::Slot slot = bgp::Slot::Outgoing) {
        return raw::split(std::exchange(streams_[std::to_underlying(slot)], {}));
    }

    /// Octets written to the outgoing connection in all.
    [[nodiscard]] std::size_t written() const { return written_; }

    Lines heard(bgp::Slot slot = bgp::Slot::Outgoing) {
        Lines lines;
        for (const auto& message : messages(slot)) {
            lines.push_back(raw::describe(message));
        }
        return lines;
    }

    [[nodiscard]] bgp::SessionState state() const { return peer.status().state; }

    /// From nothing to Established on the outgoing connection; forgets what was heard.
    void establish(raw::OpenFields open = usual_open()) {
        if (!is_connecting) {
            start();
        }
        accept();
        say(raw::open(open));
        say(raw::keepalive());
        (void)heard();
        events.clear();
    }

    static raw::OpenFields usual_open() {
        raw::OpenFields fields;
        fields.capabilities = raw::usual_capabilities(65001);
        return fields;
    }

  private:
    void execute(const bgp::Action& action) {
        if (std::holds_alternative<bgp::ConnectAction>(action)) {
            is_connecting = true;
            connects.push_back(now);
        } else if (std::holds_alternative<bgp::AbortConnectAction>(action)) {
            is_connecting = false;
            ++aborts;
        } else {
            const auto& close = std::get<bgp::CloseAction>(action);
            auto& stream = streams_[std::to_underlying(close.slot)];
            stream.insert(stream.end(), close.last_octets.begin(), close.last_octets.end());
            closes.push_back(close);
        }
    }

    bool write(bgp::Slot slot) {
        const auto output = peer.output(slot);
        if (output.empty() || is_blocked[std::to_underlying(slot)]) {
            return false;
        }
        auto& stream = streams_[std::to_underlying(slot)];
        stream.insert(stream.end(), output.begin(), output.end());
        written_ += slot == bgp::Slot::Outgoing ? output.size() : 0;
        peer.sent(slot, output.size(), now);
        if (acknowledges) {
            peer.unacknowledged(slot, 0, now);
        }
        return true;
    }

    void note(const bgp::PeerEvent& event) {
        if (std::holds_alternative<bgp::PeerUp>(event)) {
            events.emplace_back("up");
        } else if (const auto* down = std::get_if<bgp::PeerDown>(&event)) {
            events.push_back("down: " + down->reason);
        } else if (const auto* notice = std::get_if<bgp::PeerNotice>(&event)) {
            events.push_back("notice: " + notice->text);
        } else {
            events.emplace_back("paths");
        }
    }

    std::array<raw::Octets, 2> streams_;
    std::size_t written_ = 0;
};

} // namespace anyvip::test
