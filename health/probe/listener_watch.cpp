// SPDX-License-Identifier: Apache-2.0
#include "health/probe/listener_watch.hpp"

#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <utility>

#include <linux/filter.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <sys/socket.h>
#include <unistd.h>

namespace anyvip::health {

namespace {

constexpr std::chrono::seconds rate_interval{10};
constexpr std::array groups{SKNLGRP_INET_TCP_DESTROY, SKNLGRP_INET6_TCP_DESTROY};

// One message a datagram: netlink header, then inet_diag_msg.
constexpr std::uint32_t id_at = NLMSG_HDRLEN + offsetof(inet_diag_msg, id);
constexpr std::uint32_t local_port_at = id_at + offsetof(inet_diag_sockid, idiag_sport);
constexpr std::uint32_t remote_port_at = id_at + offsetof(inet_diag_sockid, idiag_dport);

/// Two instructions a port; with more ports than this the filter lets all listening sockets pass.
constexpr std::size_t filtered_ports_limit = 1000;

sock_filter statement(unsigned code, std::uint32_t value) {
    return {.code = static_cast<__u16>(code), .jt = 0, .jf = 0, .k = value};
}

sock_filter jump(std::uint32_t value, std::uint8_t if_equal, std::uint8_t otherwise) {
    return {.code = BPF_JMP | BPF_JEQ | BPF_K, .jt = if_equal, .jf = otherwise, .k = value};
}

/// A socket that is destroyed has the state CLOSE, whatever it was; one that was listening is known
/// by having no remote port.
std::vector<sock_filter> program_for(const std::set<std::uint16_t>& ports) {
    constexpr std::uint32_t pass = 0xFFFFFFFF;
    constexpr std::uint32_t drop = 0;
    std::vector<sock_filter> program{statement(BPF_LD | BPF_H | BPF_ABS, remote_port_at),
                                     jump(0, 1, 0),
                                     statement(BPF_RET | BPF_K, drop)};
    if (ports.size() > filtered_ports_limit) {
        program.push_back(statement(BPF_RET | BPF_K, pass));
        return program;
    }
    program.push_back(statement(BPF_LD | BPF_H | BPF_ABS, local_port_at));
    for (const std::uint16_t port : ports) {
        program.push_back(jump(port, 0, 1));
        program.push_back(statement(BPF_RET | BPF_K, pass));
    }
    program.push_back(statement(BPF_RET | BPF_K, drop));
    return program;
}

/// Connections opened in this network namespace since it exists: ActiveOpens + PassiveOpens.
/// Nothing: the file cannot be read.
std::optional<std::uint64_t> connections_opened() {
    std::ifstream file("/proc/self/net/snmp");
    std::array<std::string, 2> lines; // names, then values
    std::string line;
    for (std::size_t found = 0; found < lines.size() && std::getline(file, line);) {
        if (line.starts_with("Tcp:")) {
            lines[found++] = line;
        }
    }
    if (lines[1].empty()) {
        return std::nullopt;
    }
    std::istringstream names(lines[0]);
    std::istringstream values(lines[1]);
    std::uint64_t sum = 0;
    for (std::string name, value; names >> name && values >> value;) {
        if (name == "ActiveOpens" || name == "PassiveOpens") {
            sum += std::strtoull(value.c_str(), nullptr, 10);
        }
    }
    return sum;
}

std::string last_error() {
    return std::error_code(errno, std::system_category()).message();
}

} // namespace

ListenerWatch::ListenerWatch(boost::asio::io_context& io, OnClosed on_closed)
    : on_closed_(std::move(on_closed)), socket_(io), rate_timer_(io) {}

ListenerWatch::~ListenerWatch() = default;

void ListenerWatch::watch(std::set<std::uint16_t> ports) {
    if (ports == ports_ && (ports.empty() || socket_.is_open())) {
        return;
    }
    ports_ = std::move(ports);
    if (ports_.empty()) {
        close();
    } else if (!socket_.is_open()) {
        open();
    }
    if (!socket_.is_open()) {
        return;
    }
    if (!attach_filter()) {
        // With the former filter events would be missed, without one all would wake the loop.
        const std::string problem = "socket events: filter: " + last_error();
        close();
        problem_ = problem;
    } else if (!is_joined_) {
        join();
    }
}

bool ListenerWatch::attach_filter() {
    auto program = program_for(ports_);
    const sock_fprog attached{.len = static_cast<unsigned short>(program.size()),
                              .filter = program.data()};
    return ::setsockopt(
               socket_.native_handle(), SOL_SOCKET, SO_ATTACH_FILTER, &attached, sizeof attached) ==
           0;
}

void ListenerWatch::try_again() {
    if (!ports_.empty() && !socket_.is_open()) {
        watch(std::set(ports_));
    }
}

void ListenerWatch::open() {
    const int descriptor =
        ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG);
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    if (descriptor < 0 ||
        ::bind(descriptor, std::bit_cast<const sockaddr*>(&address), sizeof address) != 0) {
        problem_ = "socket events: " + last_error();
        if (descriptor >= 0) {
            ::close(descriptor);
        }
        return;
    }
    boost::system::error_code error;
    socket_.assign(descriptor, error);
    if (error) {
        problem_ = "socket events: " + error.message();
        ::close(descriptor);
        return;
    }
    opened_before_ = connections_opened();
    read();
    watch_rate();
}

void ListenerWatch::close() {
    boost::system::error_code ignored;
    socket_.close(ignored);
    rate_timer_.cancel();
    is_joined_ = false;
    problem_.clear();
}

/// Joined only once the filter is in place: from the first message on it is the right one.
void ListenerWatch::join() {
    is_joined_ = true;
    problem_.clear();
    for (const int group : groups) {
        if (::setsockopt(socket_.native_handle(),
                         SOL_NETLINK,
                         NETLINK_ADD_MEMBERSHIP,
                         &group,
                         sizeof group) != 0) {
            problem_ = "socket events: " + last_error();
            is_joined_ = false;
        }
    }
}

void ListenerWatch::read() {
    socket_.async_wait(
        boost::asio::posix::stream_descriptor::wait_read,
        [this, alive = std::weak_ptr(alive_)](const boost::system::error_code& error) {
            if (!error && !alive.expired()) {
                on_readable();
            }
        });
}

void ListenerWatch::on_readable() {
    std::array<char, 1024> message{};
    std::set<std::uint16_t> closed;
    // ENOBUFS: events were lost. The next probe finds out what they would have said.
    while (true) {
        const ssize_t octets = ::recv(socket_.native_handle(), message.data(), message.size(), 0);
        if (octets < 0 && errno != ENOBUFS) {
            break;
        }
        if (octets >= static_cast<ssize_t>(local_port_at + 2)) {
            const auto octet = [&](std::size_t at) {
                return static_cast<unsigned>(static_cast<std::uint8_t>(message[at]));
            };
            closed.insert(
                static_cast<std::uint16_t>(octet(local_port_at) << 8U | octet(local_port_at + 1)));
        }
    }
    read();
    for (const std::uint16_t port : closed) {
        if (ports_.contains(port)) {
            on_closed_(port);
        }
    }
}

void ListenerWatch::watch_rate() {
    rate_timer_.expires_after(rate_interval);
    rate_timer_.async_wait([this,
                            alive = std::weak_ptr(alive_)](const boost::system::error_code& error) {
        if (error || alive.expired() || !socket_.is_open()) {
            return;
        }
        const auto opened = connections_opened();
        const auto before = std::exchange(opened_before_, opened);
        if (!opened || !before) {
            watch_rate();
            return;
        }
        const std::uint64_t rate = (*opened - *before) / rate_interval.count();
        if (rate > listener_watch_limit && is_joined_) {
            for (const int group : groups) {
                ::setsockopt(socket_.native_handle(),
                             SOL_NETLINK,
                             NETLINK_DROP_MEMBERSHIP,
                             &group,
                             sizeof group);
            }
            is_joined_ = false;
            problem_ = "socket events: off, " + std::to_string(rate) + " new connections a second";
        } else if (rate < listener_watch_limit / 2 && !is_joined_) {
            join();
        }
        watch_rate();
    });
}

} // namespace anyvip::health
