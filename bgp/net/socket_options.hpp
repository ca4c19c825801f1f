// SPDX-License-Identifier: Apache-2.0
// The socket options of a BGP speaker, one function each. Requirements: RFC 2385, RFC 5082,
// RFC 5925.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string_view>
#include <system_error>

#include "bgp/ip.hpp"
#include "bgp/net/net_config.hpp"

namespace anyvip::bgp::net {

/// Longest TCP MD5 and TCP-AO key that Linux takes, in octets.
inline constexpr std::size_t max_key_octets = 80;

/// TCP MD5 key for segments to and from `peer`; on a listening socket one for each peer. Replaces
/// an older one. EINVAL: empty or longer than `max_key_octets`; ENOMEM: net.core.optmem_max.
[[nodiscard]] std::error_code set_md5_key(int socket, const IpAddress& peer, std::string_view key);

/// Removes it; no error when there was none.
[[nodiscard]] std::error_code remove_md5_key(int socket, const IpAddress& peer);

/// TCP-AO key for `peer`. ENOPROTOOPT: this kernel is built without CONFIG_TCP_AO (or is older
/// than 6.7).
[[nodiscard]] std::error_code
set_tcp_ao_key(int socket, const IpAddress& peer, const TcpAoConfig& config, std::string_view key);

/// Removes that key from a listening socket.
[[nodiscard]] std::error_code
remove_tcp_ao_key(int socket, const IpAddress& peer, const TcpAoConfig& config);

/// GTSM (RFC 5082 §3): segments that have come further than `hops` are dropped by the kernel
/// without an answer; 0 hops lets all of them in.
[[nodiscard]] std::error_code set_ttl_security(int socket, Family family, std::uint8_t hops);

/// On a listening socket: accepted ones remember the headers of their SYN.
[[nodiscard]] std::error_code set_save_syn(int socket);

/// TTL or hop limit that the SYN of an accepted connection came with; can be asked once. nullopt:
/// the kernel has not kept it (SYN cookies, or it came before `set_save_syn`).
[[nodiscard]] std::optional<std::uint8_t> take_syn_ttl(int socket, Family family);

/// Transmit TTL 255, whether GTSM is used or not: it suits routers with and without it.
[[nodiscard]] std::error_code set_transmit_ttl(int socket, Family family);

/// DSCP CS6, as network control traffic bears it. Before connect or listen, so that the SYN has it.
[[nodiscard]] std::error_code set_network_control(int socket, Family family);

[[nodiscard]] std::error_code set_no_delay(int socket);
[[nodiscard]] std::error_code set_user_timeout(int socket, std::chrono::milliseconds timeout);
[[nodiscard]] std::error_code set_ipv6_only(int socket);
[[nodiscard]] std::error_code set_reuse_address(int socket);

/// bind() to an address leaves the port to connect(), which may share it between destinations.
[[nodiscard]] std::error_code set_bind_address_no_port(int socket);

/// close() will send RST and throw away what is queued.
[[nodiscard]] std::error_code set_abortive_close(int socket);

/// Octets that the other side has not acknowledged, whether sent yet or not (SIOCOUTQ).
[[nodiscard]] std::expected<std::size_t, std::error_code> unacknowledged_octets(int socket);

} // namespace anyvip::bgp::net
