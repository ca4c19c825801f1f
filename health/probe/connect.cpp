// SPDX-License-Identifier: Apache-2.0
#include "health/probe/connect.hpp"

#include <cerrno>
#include <cstring>
#include <utility>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>

#include "health/probe/resolver.hpp"
#include "health/probe/run.hpp"

namespace anyvip::health {

namespace {

using Endpoint = boost::asio::generic::stream_protocol::endpoint;

std::error_code last_error() {
    return {errno, std::system_category()};
}

/// A connect to a dead service on a port of the ephemeral range may meet itself: the kernel picks
/// the very port as source, and TCP's simultaneous open succeeds with nobody there.
bool is_self_connected(StreamSocket& socket) {
    boost::system::error_code local_error;
    boost::system::error_code remote_error;
    const Endpoint local = socket.local_endpoint(local_error);
    const Endpoint remote = socket.remote_endpoint(remote_error);
    return !local_error && !remote_error && local == remote;
}

/// Without the calls that asio makes one after another for the same.
std::error_code open(StreamSocket& socket, const Endpoint::protocol_type& protocol) {
    const int type = protocol.type() | SOCK_NONBLOCK | SOCK_CLOEXEC;
    const int descriptor = ::socket(protocol.family(), type, protocol.protocol());
    if (descriptor < 0) {
        return last_error();
    }
    boost::system::error_code error;
    socket.assign(protocol, descriptor, error);
    if (error) {
        ::close(descriptor);
    }
    return error;
}

/// 0, EINPROGRESS or what is wrong. A host that connects to itself has its answer when the call
/// returns, which asking once more tells for less than a wait costs.
int connect_at_once(int descriptor, const Endpoint& endpoint) {
    // Not socket.async_connect: for a unix socket whose accept queue is full, connect says EAGAIN
    // and nothing is under way, which asio would take for a connection.
    const auto attempt = [&] {
        const auto length = static_cast<socklen_t>(endpoint.size());
        return ::connect(descriptor, endpoint.data(), length) == 0 ? 0 : errno;
    };
    const int first = attempt();
    if (first != EINPROGRESS) {
        return first;
    }
    const int second = attempt();
    return second == EALREADY ? EINPROGRESS : second;
}

Failure outcome_of(StreamSocket& socket, int error, bool is_unix) {
    if (error == 0 && !is_unix && is_self_connected(socket)) {
        error = ECONNREFUSED;
    }
    if (error != 0) {
        return connect_failure({error, std::system_category()}, is_unix);
    }
    return {};
}

int pending_error(StreamSocket& socket) {
    int value = 0;
    socklen_t length = sizeof value;
    if (::getsockopt(socket.native_handle(), SOL_SOCKET, SO_ERROR, &value, &length) != 0) {
        return errno;
    }
    return value;
}

void connect_to(StreamSocket& socket,
                const Endpoint& endpoint,
                std::function<void(Failure)> connected) {
    const bool is_unix = endpoint.protocol().family() == AF_UNIX;
    const auto later = [&](Failure result) {
        boost::asio::post(socket.get_executor(),
                          [connected = std::move(connected), result = std::move(result)]() mutable {
                              connected(std::move(result));
                          });
    };
    if (const std::error_code error = open(socket, endpoint.protocol())) {
        later(Result{.detail = "socket: " + error.message(), .is_our_fault = is_exhaustion(error)});
        return;
    }
    const int outcome = connect_at_once(socket.native_handle(), endpoint);
    if (outcome != EINPROGRESS) {
        later(outcome_of(socket, outcome, is_unix));
        return;
    }
    socket.async_wait(StreamSocket::wait_write,
                      [&socket, is_unix, connected = std::move(connected)](
                          const boost::system::error_code& waited) {
                          if (!waited && socket.is_open()) {
                              connected(outcome_of(socket, pending_error(socket), is_unix));
                          }
                      });
}

std::optional<Endpoint> unix_endpoint(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof address.sun_path) {
        return std::nullopt;
    }
    std::memcpy(address.sun_path, path.data(), path.size());
    std::size_t length = offsetof(sockaddr_un, sun_path) + path.size() + 1;
    if (path.front() == '@') { // abstract, as socat and systemd write it
        address.sun_path[0] = '\0';
        --length;
    }
    return Endpoint(&address, length);
}

} // namespace

void async_connect(StreamSocket& socket,
                   const HostPort& target,
                   std::function<void(Failure)> connected) {
    const auto later = [&](Result result) {
        boost::asio::post(socket.get_executor(),
                          [connected, result = std::move(result)] { connected(result); });
    };
    if (!target.unix_path.empty()) {
        if (const auto endpoint = unix_endpoint(target.unix_path)) {
            connect_to(socket, *endpoint, std::move(connected));
        } else {
            later(Result{.detail = "unix socket path is too long: " + target.unix_path});
        }
        return;
    }
    resolve(socket.get_executor(),
            target.host,
            [&socket, port = target.port, connected = std::move(connected)](
                const std::expected<boost::asio::ip::address, Result>& address) mutable {
                if (!address) {
                    connected(address.error());
                    return;
                }
                connect_to(socket,
                           Endpoint(boost::asio::ip::tcp::endpoint(*address, port)),
                           std::move(connected));
            });
}

Result connect_failure(const std::error_code& error, bool is_unix) {
    switch (error.value()) {
    case ECONNREFUSED:
        return {.outcome = Outcome::Fail, .detail = "connect refused", .is_hard = true};
    case ENOENT:
        return {.outcome = Outcome::Fail, .detail = "socket is missing", .is_hard = true};
    case EAGAIN:
        // TCP never says so; a unix socket does when its accept queue is full.
        if (is_unix) {
            return {.outcome = Outcome::Fail, .detail = "connect: accept queue is full"};
        }
        break;
    case ETIMEDOUT:
        return {.outcome = Outcome::Timeout, .detail = "connect: no answer"};
    case ECONNRESET:
    case EHOSTUNREACH:
    case ENETUNREACH:
        return {.outcome = Outcome::Fail, .detail = "connect: " + error.message()};
    default:
        break;
    }
    return {.outcome = Outcome::Error,
            .detail = "connect: " + error.message(),
            .is_our_fault = is_exhaustion(error)};
}

} // namespace anyvip::health
