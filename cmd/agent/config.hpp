// SPDX-License-Identifier: Apache-2.0
// The whole configuration as values, validated and with all defaults filled in. cmd/config reads it
// from TOML.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bgp/session/peer.hpp"
#include "health/config.hpp"
#include "vip/config.hpp"

namespace anyvip::cmd {

enum class LogLevel : std::uint8_t { Error, Warning, Info, Debug };
enum class LogFormat : std::uint8_t { Text, Json };

struct NodeConfig {
    bgp::Asn asn;
    std::optional<bgp::RouterId> router_id; ///< nullopt: the runtime derives it
    std::string name;                       ///< empty: the host name
    friend bool operator==(const NodeConfig&, const NodeConfig&) = default;
};

struct DaemonConfig {
    std::string control = "/run/anyvip/control.sock";
    std::string state_dir = "/var/lib/anyvip";
    std::string http = "127.0.0.1:9179";
    std::vector<std::string> http_hosts;
    LogLevel log_level = LogLevel::Info;
    LogFormat log_format = LogFormat::Text;
    std::string drain_file;
    std::chrono::milliseconds linger{5000};
    std::chrono::milliseconds silence{500};
    std::chrono::milliseconds linger_min{1000};
    bool node_mark = true;
    friend bool operator==(const DaemonConfig&, const DaemonConfig&) = default;
};

struct TcpAo {
    std::string key_file;
    std::uint8_t send_id = 1;
    std::uint8_t recv_id = 1;
    std::string algorithm; ///< "hmac-sha1-96" or "aes-128-cmac-96"
    friend bool operator==(const TcpAo&, const TcpAo&) = default;
};

struct BfdConfig {
    std::chrono::microseconds transmit{300000};
    std::chrono::microseconds receive{300000};
    std::uint8_t multiplier = 3;
    bool strict = false;
    friend bool operator==(const BfdConfig&, const BfdConfig&) = default;
};

/// A [[peer]]: the protocol part and what only the socket or the kernel needs.
struct PeerEntry {
    bgp::PeerConfig session; ///< without the node mark; the agent adds it
    std::optional<IpAddress> address;
    std::string scope;     ///< interface of a link-local address ("fe80::1%eth0")
    std::string interface; ///< unnumbered
    bool ra = true;
    std::uint16_t port = 179;
    std::uint16_t listen_port = 179; ///< 0: never listen
    std::optional<IpAddress> local_address;
    std::uint8_t ttl_security = 0;
    std::string password;      ///< as configured here
    std::string password_file; ///< or read from there when a socket is made
    std::optional<TcpAo> tcp_ao;
    std::optional<BfdConfig> bfd;
    bool default_route = false;
    std::uint32_t default_route_metric = 512;
    friend bool operator==(const PeerEntry&, const PeerEntry&) = default;
};

struct HookConfig {
    std::string event;
    std::vector<std::string> command;
    std::string user;
    friend bool operator==(const HookConfig&, const HookConfig&) = default;
};

struct Config {
    NodeConfig node;
    DaemonConfig daemon;
    std::vector<PeerEntry> peers;
    std::vector<health::CheckConfig> checks;
    std::vector<vip::VipConfig> vips;
    vip::DrainConfig drain;
    std::vector<HookConfig> hooks;
    friend bool operator==(const Config&, const Config&) = default;
};

/// Who the node is in its OPEN messages.
[[nodiscard]] inline bgp::Speaker speaker_of(const NodeConfig& node) {
    return {node.asn, node.router_id.value_or(bgp::RouterId{})};
}

} // namespace anyvip::cmd
