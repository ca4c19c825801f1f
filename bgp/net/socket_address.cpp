// SPDX-License-Identifier: Apache-2.0
// Between our addresses and the kernel's sockaddr.
#include "bgp/net/socket_address.hpp"

#include <netinet/in.h>

#include <array>
#include <cstring>
#include <span>

namespace anyvip::bgp::net {

const sockaddr* RawSocketAddress::get() const {
    return reinterpret_cast<const sockaddr*>(&storage);
}

RawSocketAddress to_raw(const SocketAddress& address) {
    RawSocketAddress raw;
    const auto octets = address.address.octets();
    if (address.address.is_v4()) {
        sockaddr_in in{};
        in.sin_family = AF_INET;
        in.sin_port = htons(address.port);
        std::memcpy(&in.sin_addr, octets.data(), octets.size());
        std::memcpy(&raw.storage, &in, sizeof in);
        raw.length = sizeof in;
    } else {
        sockaddr_in6 in{};
        in.sin6_family = AF_INET6;
        in.sin6_port = htons(address.port);
        in.sin6_scope_id = address.scope;
        std::memcpy(&in.sin6_addr, octets.data(), octets.size());
        std::memcpy(&raw.storage, &in, sizeof in);
        raw.length = sizeof in;
    }
    return raw;
}

std::optional<SocketAddress> from_raw(const sockaddr* raw) {
    if (raw == nullptr) {
        return std::nullopt;
    }
    if (raw->sa_family == AF_INET) {
        sockaddr_in in{};
        std::memcpy(&in, raw, sizeof in);
        return SocketAddress{IpAddress::v4(ntohl(in.sin_addr.s_addr)), 0, ntohs(in.sin_port)};
    }
    if (raw->sa_family == AF_INET6) {
        sockaddr_in6 in{};
        std::memcpy(&in, raw, sizeof in);
        const IpAddress address = IpAddress::from_octets(std::span(in.sin6_addr.s6_addr));
        const std::uint32_t scope = address.is_link_local() ? in.sin6_scope_id : 0;
        return SocketAddress{address, scope, ntohs(in.sin6_port)};
    }
    return std::nullopt;
}

std::optional<SocketAddress> local_end(int socket) {
    sockaddr_storage storage{};
    socklen_t length = sizeof storage;
    auto* raw = reinterpret_cast<sockaddr*>(&storage);
    return ::getsockname(socket, raw, &length) == 0 ? from_raw(raw) : std::nullopt;
}

std::optional<SocketAddress> remote_end(int socket) {
    sockaddr_storage storage{};
    socklen_t length = sizeof storage;
    auto* raw = reinterpret_cast<sockaddr*>(&storage);
    return ::getpeername(socket, raw, &length) == 0 ? from_raw(raw) : std::nullopt;
}

int domain_of(Family family) {
    return family == Family::Ipv4 ? AF_INET : AF_INET6;
}

std::string to_string(const SocketAddress& address) {
    return anyvip::to_string(address.address) + " port " + std::to_string(address.port);
}

} // namespace anyvip::bgp::net
