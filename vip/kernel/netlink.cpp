// SPDX-License-Identifier: Apache-2.0
#include "vip/kernel/netlink.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <new>

#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/handlers.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <sys/socket.h>
#include <sys/time.h>

namespace anyvip::vip::kernel {

namespace {

constexpr std::size_t receive_buffer_octets = 64 * 1024;
/// Some 20,000 notifications: more than a flush of 10,000 addresses. Memory is used only when
/// filled.
constexpr int notification_buffer_octets = 32 * 1024 * 1024;

std::error_code system_error(int number) {
    return {number, std::system_category()};
}

/// libnl folds errno values together; only those that these sockets meet are told apart.
std::error_code error_of(int nl_error) {
    switch (-nl_error) {
    case NLE_AGAIN:
        return std::make_error_code(std::errc::resource_unavailable_try_again);
    case NLE_NOMEM: // ENOBUFS: notifications were lost
        return std::make_error_code(std::errc::no_buffer_space);
    case NLE_DUMP_INTR:
        return std::make_error_code(std::errc::interrupted);
    case NLE_PERM:
    case NLE_NOACCESS:
        return std::make_error_code(std::errc::operation_not_permitted);
    default:
        return std::make_error_code(std::errc::io_error);
    }
}

/// What the callbacks of one nl_recvmsgs call report.
struct Progress {
    const OnMessage* on_message = nullptr;
    bool is_done = false;
    int error_number = 0;
};

int on_valid(nl_msg* message, void* context) {
    const auto& progress = *static_cast<Progress*>(context);
    if (*progress.on_message) {
        (*progress.on_message)(*nlmsg_hdr(message));
    }
    return NL_OK;
}

int on_end(nl_msg* /*message*/, void* context) {
    static_cast<Progress*>(context)->is_done = true;
    return NL_STOP;
}

int on_error(sockaddr_nl* /*from*/, nlmsgerr* error, void* context) {
    auto& progress = *static_cast<Progress*>(context);
    progress.error_number = -error->error;
    progress.is_done = true;
    return NL_STOP;
}

/// Reads one datagram with its messages.
std::error_code receive_once(nl_sock* socket, Progress& progress) {
    std::unique_ptr<nl_cb, decltype(&nl_cb_put)> callbacks(nl_cb_alloc(NL_CB_DEFAULT), nl_cb_put);
    if (!callbacks) {
        return std::make_error_code(std::errc::not_enough_memory);
    }
    nl_cb_set(callbacks.get(), NL_CB_VALID, NL_CB_CUSTOM, on_valid, &progress);
    nl_cb_set(callbacks.get(), NL_CB_FINISH, NL_CB_CUSTOM, on_end, &progress);
    nl_cb_set(callbacks.get(), NL_CB_ACK, NL_CB_CUSTOM, on_end, &progress);
    nl_cb_err(callbacks.get(), NL_CB_CUSTOM, on_error, &progress);
    const int result = nl_recvmsgs(socket, callbacks.get());
    if (progress.error_number != 0) {
        return system_error(progress.error_number);
    }
    return result < 0 ? error_of(result) : std::error_code{};
}

std::expected<nl_sock*, std::error_code> connect(int protocol) {
    nl_sock* socket = nl_socket_alloc();
    if (socket == nullptr) {
        return std::unexpected(std::make_error_code(std::errc::not_enough_memory));
    }
    if (const int result = nl_connect(socket, protocol); result < 0) {
        nl_socket_free(socket);
        return std::unexpected(error_of(result));
    }
    nl_socket_set_msg_buf_size(socket, receive_buffer_octets);
    nl_socket_disable_msg_peek(socket);
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
    nl_socket_disable_auto_ack(*socket); // nothing in here answers a request, in sequence or not
    netlink.set_non_blocking();
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

void Netlink::set_non_blocking() {
    nl_socket_set_nonblocking(socket_.get());
}

std::error_code Netlink::send(Request& request) {
    const int result = nl_send_auto(socket_.get(), request.raw());
    return result < 0 ? error_of(result) : std::error_code{};
}

std::error_code Netlink::exchange(Request& request, const OnMessage& on_message) {
    if (const auto error = send(request)) {
        return error;
    }
    Progress progress{.on_message = &on_message};
    while (!progress.is_done) {
        if (const auto error = receive_once(socket_.get(), progress)) {
            return error == std::errc::resource_unavailable_try_again
                       ? std::make_error_code(std::errc::timed_out)
                       : error;
        }
    }
    return {};
}

Netlink::Received Netlink::receive(const OnMessage& on_message) {
    Progress progress{.on_message = &on_message};
    const auto error = receive_once(socket_.get(), progress);
    return {.error = error, .is_end_of_dump = progress.is_done};
}

std::span<const std::uint8_t> octets_of(const nlattr* attribute) {
    if (attribute == nullptr) {
        return {};
    }
    return {static_cast<const std::uint8_t*>(nla_data(attribute)),
            static_cast<std::size_t>(nla_len(attribute))};
}

} // namespace anyvip::vip::kernel
