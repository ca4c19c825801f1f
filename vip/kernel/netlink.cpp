// SPDX-License-Identifier: Apache-2.0
#include "vip/kernel/netlink.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <new>

#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <sys/socket.h>
#include <sys/time.h>

namespace anyvip::vip::kernel {

namespace {

/// The kernel fills at most 32 KiB of a dump into one datagram.
constexpr std::size_t receive_buffer_octets = std::size_t{64} * 1024;

std::error_code system_error(int number) {
    return {number, std::system_category()};
}

/// libnl folds errno values together; only those that opening and sending meet are told apart.
std::error_code error_of(int nl_error) {
    switch (-nl_error) {
    case NLE_NOMEM:
        return std::make_error_code(std::errc::not_enough_memory);
    case NLE_PERM:
    case NLE_NOACCESS:
        return std::make_error_code(std::errc::operation_not_permitted);
    default:
        return std::make_error_code(std::errc::io_error);
    }
}

/// NLMSG_ERROR and NLMSG_DONE begin with a negative errno, or 0.
std::error_code error_in(const nlmsghdr& message) {
    std::int32_t number = 0;
    if (nlmsg_datalen(&message) >= static_cast<int>(sizeof number)) {
        std::memcpy(&number, nlmsg_data(&message), sizeof number);
    }
    return number < 0 ? system_error(-number) : std::error_code{};
}

std::expected<nl_sock*, std::error_code> connect(int protocol) {
    nl_sock* socket = nl_socket_alloc();
    if (socket == nullptr) {
        return std::unexpected(std::make_error_code(std::errc::not_enough_memory));
    }
    errno = 0;
    if (const int result = nl_connect(socket, protocol); result < 0) {
        // What libnl folds into NLE_FAILURE, EMFILE among it, errno still knows.
        const std::error_code error =
            -result == NLE_FAILURE && errno != 0 ? system_error(errno) : error_of(result);
        nl_socket_free(socket);
        return std::unexpected(error);
    }
    return socket;
}

} // namespace

Request::Request(int type, int flags) : message_(nlmsg_alloc_simple(type, flags)) {
    if (!message_) {
        throw std::bad_alloc();
    }
}

void Request::Free::operator()(nl_msg* message) const {
    nlmsg_free(message);
}

// A fresh message has a page of room and the requests here need some hundred octets: the results
// below cannot be failures.
Request& Request::append(std::span<const std::byte> octets) {
    std::array<std::byte, 128> copy{}; // libnl wants it mutable
    std::copy(octets.begin(), octets.end(), copy.begin());
    nlmsg_append(message_.get(), copy.data(), octets.size(), NLMSG_ALIGNTO);
    return *this;
}

Request& Request::attribute(int type, std::span<const std::uint8_t> octets) {
    nla_put(message_.get(), type, static_cast<int>(octets.size()), octets.data());
    return *this;
}

Request& Request::attribute_u8(int type, std::uint8_t value) {
    nla_put_u8(message_.get(), type, value);
    return *this;
}

Request& Request::attribute_u32(int type, std::uint32_t value) {
    nla_put_u32(message_.get(), type, value);
    return *this;
}

Netlink::Netlink(nl_sock* socket) : socket_(socket), buffer_(receive_buffer_octets) {}

void Netlink::Free::operator()(nl_sock* socket) const {
    nl_socket_free(socket);
}

std::expected<Netlink, std::error_code> Netlink::open(int protocol) {
    const auto socket = connect(protocol);
    if (!socket) {
        return std::unexpected(socket.error());
    }
    const timeval limit{.tv_sec = 1, .tv_usec = 0};
    ::setsockopt(nl_socket_get_fd(*socket), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    return Netlink(*socket);
}

std::expected<Netlink, std::error_code>
Netlink::subscribe(int protocol, std::span<const int> groups, int buffer_octets) {
    auto socket = connect(protocol);
    if (!socket) {
        return std::unexpected(socket.error());
    }
    Netlink netlink(*socket);
    nl_socket_disable_auto_ack(*socket);
    nl_socket_set_nonblocking(*socket);
    if (::setsockopt(netlink.descriptor(),
                     SOL_SOCKET,
                     SO_RCVBUFFORCE,
                     &buffer_octets,
                     sizeof buffer_octets) != 0) {
        ::setsockopt(
            netlink.descriptor(), SOL_SOCKET, SO_RCVBUF, &buffer_octets, sizeof buffer_octets);
    }
    for (const int group : groups) {
        if (const int result = nl_socket_add_membership(*socket, group); result < 0) {
            return std::unexpected(error_of(result));
        }
    }
    return netlink;
}

int Netlink::descriptor() const {
    return nl_socket_get_fd(socket_.get());
}

std::error_code Netlink::send(Request& request) {
    const int result = nl_send_auto(socket_.get(), request.raw());
    sequence_ = nlmsg_hdr(request.raw())->nlmsg_seq;
    is_inconsistent_ = false;
    return result < 0 ? error_of(result) : std::error_code{};
}

std::error_code Netlink::exchange(Request& request, const OnMessage& on_message) {
    if (const auto error = send(request)) {
        return error;
    }
    while (true) {
        const Received received = receive(on_message);
        if (received.error == std::errc::resource_unavailable_try_again) {
            return std::make_error_code(std::errc::timed_out);
        }
        if (received.error || received.is_end) {
            return received.error;
        }
    }
}

// nl_recvmsgs would read a whole dump in one call and hide errno.
Netlink::Received Netlink::receive(const OnMessage& on_message) {
    ssize_t length = 0;
    do {
        length = ::recv(descriptor(), buffer_.data(), buffer_.size(), MSG_TRUNC);
    } while (length < 0 && errno == EINTR);
    if (length < 0) {
        return {.error = system_error(errno)};
    }
    if (static_cast<std::size_t>(length) > buffer_.size()) {
        return {.error = std::make_error_code(std::errc::no_buffer_space)};
    }
    int left = static_cast<int>(length);
    for (auto* message = reinterpret_cast<nlmsghdr*>(buffer_.data()); nlmsg_ok(message, left) != 0;
         message = nlmsg_next(message, &left)) {
        if (sequence_ && message->nlmsg_seq != *sequence_) {
            continue;
        }
        is_inconsistent_ = is_inconsistent_ || (message->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
        switch (message->nlmsg_type) {
        case NLMSG_NOOP:
            break;
        case NLMSG_OVERRUN:
            return {.error = std::make_error_code(std::errc::no_buffer_space)};
        case NLMSG_DONE:
        case NLMSG_ERROR: {
            auto error = error_in(*message);
            if (!error && is_inconsistent_) {
                error = std::make_error_code(std::errc::interrupted);
            }
            return {.error = error, .is_end = true};
        }
        default:
            if (on_message) {
                on_message(*message);
            }
        }
    }
    return {};
}

std::span<const std::uint8_t> octets_of(const nlattr* attribute) {
    if (attribute == nullptr) {
        return {};
    }
    return {static_cast<const std::uint8_t*>(nla_data(attribute)),
            static_cast<std::size_t>(nla_len(attribute))};
}

} // namespace anyvip::vip::kernel
