// SPDX-License-Identifier: Apache-2.0
// What the tests of sockets share: a loop that runs until a condition holds, and a raw TCP end on
// the loopback interface.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "bgp/net/file_descriptor.hpp"
#include "bgp/net/socket_address.hpp"

namespace anyvip::bgp::net::test {

inline const IpAddress loopback = IpAddress::v4(INADDR_LOOPBACK);

/// Runs handlers until the condition holds; false after `limit`.
inline bool run_until(boost::asio::io_context& io,
                      const std::function<bool()>& condition,
                      std::chrono::milliseconds limit = std::chrono::seconds(5)) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (!condition()) {
        if (std::chrono::steady_clock::now() >= end) {
            return false;
        }
        io.restart();
        io.run_one_for(std::chrono::milliseconds(2));
    }
    return true;
}

/// One end of a TCP connection without any BGP in it.
class RawSocket {
  public:
    explicit RawSocket(FileDescriptor socket) : socket_(std::move(socket)) {}

    RawSocket() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {}

    [[nodiscard]] int handle() const { return socket_.get(); }

    void close() { socket_.close(); }

    [[nodiscard]] FileDescriptor take() { return std::move(socket_); }

    bool bind(const IpAddress& address, std::uint16_t port = 0) const {
        const auto raw = to_raw({address, 0, port});
        return ::bind(handle(), raw.get(), raw.length) == 0;
    }

    void listen() const { ::listen(handle(), 8); }

    [[nodiscard]] std::uint16_t port() const { return local_end(handle())->port; }

    /// Begins; `is_connected` tells.
    void connect(const IpAddress& address, std::uint16_t port) const {
        const auto raw = to_raw({address, 0, port});
        ::connect(handle(), raw.get(), raw.length);
    }

    [[nodiscard]] bool is_connected() const {
        pollfd state{handle(), POLLOUT, 0};
        return ::poll(&state, 1, 0) == 1 && (state.revents & (POLLERR | POLLHUP)) == 0;
    }

    [[nodiscard]] bool has_connection() const {
        pollfd state{handle(), POLLIN, 0};
        return ::poll(&state, 1, 0) == 1;
    }

    [[nodiscard]] RawSocket accept() const {
        return RawSocket(
            FileDescriptor(::accept4(handle(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)));
    }

    void send(const std::vector<std::uint8_t>& octets) const {
        ::send(handle(), octets.data(), octets.size(), MSG_NOSIGNAL);
    }

    /// Collects what has arrived in `received`; notes the other side's end.
    void read() {
        std::array<std::uint8_t, 4096> buffer;
        ssize_t count = 0;
        while ((count = ::recv(handle(), buffer.data(), buffer.size(), 0)) > 0) {
            received.insert(received.end(), buffer.begin(), buffer.begin() + count);
        }
        has_ended = has_ended || count == 0;
        is_reset = is_reset || (count < 0 && errno == ECONNRESET);
    }

    std::vector<std::uint8_t> received;
    bool has_ended = false; ///< FIN
    bool is_reset = false;  ///< RST

  private:
    FileDescriptor socket_;
};

/// A listening raw end on an ephemeral port of 127.0.0.1.
inline RawSocket listen_raw() {
    RawSocket listener;
    listener.bind(loopback);
    listener.listen();
    return listener;
}

/// A port of 127.0.0.1 on which nobody listens at this moment.
inline std::uint16_t free_port() {
    const RawSocket socket;
    socket.bind(loopback);
    return socket.port();
}

/// Both ends of one connection.
struct Pair {
    RawSocket ours;
    RawSocket theirs;
};

inline Pair connect_pair() {
    const RawSocket listener = listen_raw();
    Pair pair;
    pair.theirs.connect(loopback, listener.port());
    pair.ours = listener.accept();
    return pair;
}

} // namespace anyvip::bgp::net::test
