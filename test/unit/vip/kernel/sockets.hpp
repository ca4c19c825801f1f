// SPDX-License-Identifier: Apache-2.0
// Sockets of the services and clients that the tests look at.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace anyvip::vip::kernel::test {

class Socket {
  public:
    explicit Socket(int descriptor) : descriptor_(descriptor) { REQUIRE(descriptor >= 0); }

    Socket(int family, int type, int protocol = 0) : Socket(::socket(family, type, protocol)) {}

    ~Socket() {
        if (descriptor_ >= 0) {
            ::close(descriptor_);
        }
    }

    Socket(Socket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;
    Socket& operator=(Socket&&) = delete;

    [[nodiscard]] int operator*() const { return descriptor_; }

    [[nodiscard]] Socket accept() const { return Socket(::accept(descriptor_, nullptr, nullptr)); }

    void send(const std::string& text) const {
        REQUIRE(::send(descriptor_, text.data(), text.size(), MSG_NOSIGNAL) ==
                static_cast<ssize_t>(text.size()));
    }

  private:
    int descriptor_;
};

inline sockaddr_in6 endpoint6(const std::string& address, std::uint16_t port) {
    sockaddr_in6 result{};
    result.sin6_family = AF_INET6;
    result.sin6_port = htons(port);
    REQUIRE(::inet_pton(AF_INET6, address.c_str(), &result.sin6_addr) == 1);
    return result;
}

inline sockaddr_in endpoint4(const std::string& address, std::uint16_t port) {
    sockaddr_in result{};
    result.sin_family = AF_INET;
    result.sin_port = htons(port);
    REQUIRE(::inet_pton(AF_INET, address.c_str(), &result.sin_addr) == 1);
    return result;
}

template <typename Endpoint> const sockaddr* generic(const Endpoint& endpoint) {
    return reinterpret_cast<const sockaddr*>(&endpoint);
}

template <typename Endpoint> Socket listen_on(const Endpoint& endpoint) {
    Socket socket(generic(endpoint)->sa_family, SOCK_STREAM);
    REQUIRE(::bind(*socket, generic(endpoint), sizeof endpoint) == 0);
    REQUIRE(::listen(*socket, 100) == 0);
    return socket;
}

template <typename Endpoint> Socket connect_to(const Endpoint& endpoint) {
    Socket socket(generic(endpoint)->sa_family, SOCK_STREAM);
    REQUIRE(::connect(*socket, generic(endpoint), sizeof endpoint) == 0);
    return socket;
}

template <typename Endpoint> void send_datagram(const Endpoint& endpoint) {
    const Socket socket(generic(endpoint)->sa_family, SOCK_DGRAM);
    REQUIRE(::sendto(*socket, "x", 1, 0, generic(endpoint), sizeof endpoint) == 1);
}

} // namespace anyvip::vip::kernel::test
