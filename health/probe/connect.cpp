// SPDX-License-Identifier: Apache-2.0
#include "health/probe/connect.hpp"

#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

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

/// A descriptor that no loop watches yet.
class RawSocket {
  public:
    explicit RawSocket(const Endpoint::protocol_type& protocol)
        : descriptor_(::socket(protocol.family(),
                               protocol.type() | SOCK_NONBLOCK | SOCK_CLOEXEC,
                               protocol.protocol())) {}

    ~RawSocket() {
        if (descriptor_ >= 0) {
            ::close(descriptor_);
        }
    }

    RawSocket(const RawSocket&) = delete;
    RawSocket& operator=(const RawSocket&) = delete;

    [[nodiscard]] int get() const { return descriptor_; }

    std::error_code move_to(StreamSocket& socket, const Endpoint::protocol_type& protocol) {
        boost::system::error_code error;
        socket.assign(protocol, descriptor_, error);
        if (!error) {
            descriptor_ = -1;
        }
        return error;
    }

  private:
    int descriptor_;
};

/// A connect to a dead service on a port of the ephemeral range may meet itself: the kernel picks
/// the very port as source, and TCP's simultaneous open succeeds with nobody there.
bool is_self_connected(int descriptor) {
    const auto name_of = [descriptor](auto get_name) {
        Endpoint endpoint;
        auto length = static_cast<socklen_t>(endpoint.capacity());
        if (get_name(descriptor, endpoint.data(), &length) == 0) {
            endpoint.resize(length);
        }
        return endpoint;
    };
    return name_of(::getsockname) == name_of(::getpeername);
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

/// 0 or what is wrong.
using Attempted = std::function<void(int)>;

int outcome_of(int descriptor, int error, bool is_unix) {
    return error == 0 && !is_unix && is_self_connected(descriptor) ? ECONNREFUSED : error;
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
                Attempted attempted,
                Purpose purpose) {
    const bool is_unix = endpoint.protocol().family() == AF_UNIX;
    const auto later = [&](int error) {
        boost::asio::post(socket.get_executor(),
                          [attempted = std::move(attempted), error] { attempted(error); });
    };
    RawSocket raw(endpoint.protocol());
    if (raw.get() < 0) {
        later(errno);
        return;
    }
    const int outcome = connect_at_once(raw.get(), endpoint);
    if (outcome != EINPROGRESS && purpose == Purpose::Handshake) {
        reset_on_close(raw.get());
        later(outcome_of(raw.get(), outcome, is_unix));
        return;
    }
    if (const std::error_code error = raw.move_to(socket, endpoint.protocol())) {
        later(error.value());
        return;
    }
    if (outcome != EINPROGRESS) {
        later(outcome_of(socket.native_handle(), outcome, is_unix));
        return;
    }
    socket.async_wait(StreamSocket::wait_write,
                      [&socket, is_unix, attempted = std::move(attempted)](
                          const boost::system::error_code& waited) {
                          if (!waited && socket.is_open()) {
                              const int error = pending_error(socket);
                              attempted(outcome_of(socket.native_handle(), error, is_unix));
                          }
                      });
}

/// Which of the failures of several addresses is told.
int weight_of(int error) {
    switch (error) {
    case ENETUNREACH:
    case EADDRNOTAVAIL: // so does a host without IPv6 answer for ::1
    case EAFNOSUPPORT:
        return 0; // nobody could be there
    case ECONNREFUSED:
        return 1;
    default:
        return is_exhaustion({error, std::system_category()}) ? 3 : 2;
    }
}

/// The addresses of one name, one after the other.
class Attempts : public std::enable_shared_from_this<Attempts> {
  public:
    Attempts(StreamSocket& socket,
             std::vector<Endpoint> endpoints,
             Connecting connecting,
             std::function<void(Failure)> connected,
             Purpose purpose)
        : socket_(socket), endpoints_(std::move(endpoints)), connecting_(std::move(connecting)),
          connected_(std::move(connected)), purpose_(purpose) {}

    void next() {
        if (connecting_.is_wanted()) {
            connecting_.begins();
            connect_to(
                socket_,
                endpoints_[next_++],
                [self = shared_from_this()](int error) { self->on_outcome(error); },
                purpose_);
        }
    }

  private:
    void on_outcome(int error) {
        if (error == 0) {
            connected_({});
            return;
        }
        if (error_ == 0 || weight_of(error) > weight_of(error_)) {
            error_ = error;
        }
        if (next_ == endpoints_.size()) {
            const bool is_unix = endpoints_.front().protocol().family() == AF_UNIX;
            connected_(connect_failure({error_, std::system_category()}, is_unix));
            return;
        }
        boost::system::error_code ignored;
        socket_.close(ignored);
        next();
    }

    StreamSocket& socket_;
    std::vector<Endpoint> endpoints_;
    std::size_t next_ = 0;
    Connecting connecting_;
    std::function<void(Failure)> connected_;
    Purpose purpose_;
    int error_ = 0;
};

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
                   Connecting connecting,
                   std::function<void(Failure)> connected,
                   Purpose purpose) {
    const auto begin = [&socket, connecting, connected, purpose](std::vector<Endpoint> endpoints) {
        std::make_shared<Attempts>(socket, std::move(endpoints), connecting, connected, purpose)
            ->next();
    };
    if (!target.unix_path.empty()) {
        if (const auto endpoint = unix_endpoint(target.unix_path)) {
            begin({*endpoint});
        } else {
            Result result{.detail = "unix socket path is too long: " + target.unix_path};
            boost::asio::post(socket.get_executor(),
                              [connected = std::move(connected), result = std::move(result)] {
                                  connected(result);
                              });
        }
        return;
    }
    Resolver::of(socket.get_executor())
        .resolve(target.host,
                 std::move(connecting.is_wanted),
                 [begin, port = target.port, connected = std::move(connected)](
                     const std::expected<Addresses, Result>& addresses) {
                     if (!addresses) {
                         connected(addresses.error());
                         return;
                     }
                     std::vector<Endpoint> endpoints;
                     for (const auto& address : *addresses) {
                         endpoints.emplace_back(boost::asio::ip::tcp::endpoint(address, port));
                     }
                     begin(std::move(endpoints));
                 });
}

void reset_on_close(int descriptor) {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
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
