// SPDX-License-Identifier: Apache-2.0
// A netlink socket of libnl with what it leaves to its callers: the kernel's own errno, a limit on
// waiting, and ownership.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <system_error>
#include <vector>

struct nl_msg;
struct nl_sock;
struct nlmsghdr;
struct nlattr;

namespace anyvip::vip::kernel {

/// A request under construction.
class Request {
  public:
    /// `flags`: NLM_F_…; NLM_F_REQUEST and NLM_F_ACK are added when it is sent.
    Request(int type, int flags);

    /// The fixed header that follows the netlink header (ifaddrmsg, rtmsg…).
    template <typename Header> Request& header(const Header& value) {
        return append(std::as_bytes(std::span(&value, 1)));
    }

    Request& attribute(int type, std::span<const std::uint8_t> octets);
    Request& attribute_u8(int type, std::uint8_t value);
    Request& attribute_u32(int type, std::uint32_t value);

    [[nodiscard]] nl_msg* raw() { return message_.get(); }

  private:
    Request& append(std::span<const std::byte> octets);

    struct Free {
        void operator()(nl_msg* message) const;
    };

    std::unique_ptr<nl_msg, Free> message_;
};

/// Called for each message that is not an ack, an error or the end of a dump.
using OnMessage = std::function<void(nlmsghdr& message)>;

class Netlink {
  public:
    /// A socket for requests: replies are waited for at most a second, so that nothing hangs.
    [[nodiscard]] static std::expected<Netlink, std::error_code> open(int protocol);

    /// A non-blocking socket, subscribed to multicast groups (RTNLGRP_…) or to none.
    [[nodiscard]] static std::expected<Netlink, std::error_code>
    subscribe(int protocol, std::span<const int> groups, int buffer_octets);

    [[nodiscard]] int descriptor() const;

    /// Sends and reads until the ack or the end of the dump; replies go to `on_message`. The error
    /// is the kernel's errno; `interrupted`: the dump is not consistent; `timed_out`: no answer.
    [[nodiscard]] std::error_code exchange(Request& request, const OnMessage& on_message = {});

    /// Sends without waiting for anything.
    [[nodiscard]] std::error_code send(Request& request);

    struct Received {
        std::error_code error;
        bool is_end = false; ///< of the dump, or the ack
    };

    /// Reads one datagram; `resource_unavailable_try_again` when there is none,
    /// `no_buffer_space` when some were lost, `interrupted` at the end of a dump that is not
    /// consistent.
    [[nodiscard]] Received receive(const OnMessage& on_message);

  private:
    struct Free {
        void operator()(nl_sock* socket) const;
    };

    explicit Netlink(nl_sock* socket);

    std::unique_ptr<nl_sock, Free> socket_;
    std::vector<std::uint8_t> buffer_;
    /// Of the last request: what answers another one came too late. Notifications have none.
    std::optional<std::uint32_t> sequence_;
    bool is_inconsistent_ = false;
};

/// The octets of an attribute; empty when there is none.
[[nodiscard]] std::span<const std::uint8_t> octets_of(const nlattr* attribute);

} // namespace anyvip::vip::kernel
