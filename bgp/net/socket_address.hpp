// SPDX-License-Identifier: Apache-2.0
// Between our addresses and the kernel's sockaddr.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <string>

#include "bgp/ip.hpp"

namespace anyvip::bgp::net {

/// Address, scope and port of one end of a connection.
struct SocketAddress {
    IpAddress address;
    std::uint32_t scope = 0; ///< interface index of a link-local IPv6 address, else 0
    std::uint16_t port = 0;
    friend bool operator==(const SocketAddress&, const SocketAddress&) = default;
};

/// The kernel's form, with its length.
struct RawSocketAddress {
    sockaddr_storage storage{};
    socklen_t length = 0;

    [[nodiscard]] const sockaddr* get() const;
};

[[nodiscard]] RawSocketAddress to_raw(const SocketAddress& address);

/// nullopt for another family than IPv4 and IPv6. The scope is kept for link-local addresses only.
[[nodiscard]] std::optional<SocketAddress> from_raw(const sockaddr* raw);

/// Our end and the other end of a connected socket; nullopt when the kernel has none.
[[nodiscard]] std::optional<SocketAddress> local_end(int socket);
[[nodiscard]] std::optional<SocketAddress> remote_end(int socket);

/// AF_INET or AF_INET6.
[[nodiscard]] int domain_of(Family family);

/// "10.0.0.1 port 179"
[[nodiscard]] std::string to_string(const SocketAddress& address);

} // namespace anyvip::bgp::net
