// SPDX-License-Identifier: Apache-2.0
// TCP sockets towards one peer, with every option it needs in place before the first segment.
#pragma once

#include <chrono>
#include <expected>
#include <string>
#include <string_view>

#include "bgp/net/file_descriptor.hpp"
#include "bgp/net/net_config.hpp"
#include "bgp/net/socket_address.hpp"

namespace anyvip::bgp::net {

/// The peer's address with the index of its scope interface. The error is one line: not learnt
/// yet, no such interface.
[[nodiscard]] std::expected<SocketAddress, std::string> remote_address(const NetConfig& config);

/// Puts the peer's TCP MD5 or TCP-AO key on a socket, connecting or listening; nothing to do
/// without a key. Never falls back to plain TCP: the error says why the peer is refused.
[[nodiscard]] std::expected<void, std::string>
authenticate(int socket, const NetConfig& config, const IpAddress& peer, std::string_view key);

/// A non-blocking socket that has begun to connect; writable when that has succeeded or failed
/// (SO_ERROR).
[[nodiscard]] std::expected<FileDescriptor, std::string>
start_connect(const NetConfig& config, std::chrono::milliseconds user_timeout);

/// What connecting and accepted sockets have in common: TTL, GTSM, traffic class, no delay, user
/// timeout. An accepted socket has its keys from the listening one. The error says what failed.
[[nodiscard]] std::expected<void, std::string> set_options(int socket,
                                                           const NetConfig& config,
                                                           Family family,
                                                           std::chrono::milliseconds user_timeout);

/// Why no socket of this peer can work on this host now: no TCP-AO in the kernel, key file
/// refused. Empty: nothing known.
[[nodiscard]] std::string find_transport_problem(const NetConfig& config);

} // namespace anyvip::bgp::net
