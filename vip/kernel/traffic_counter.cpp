// SPDX-License-Identifier: Apache-2.0
#include "vip/kernel/traffic_counter.hpp"

#include <algorithm>
#include <cerrno>
#include <span>
#include <system_error>
#include <thread>
#include <utility>

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vip/kernel/packet_filter.hpp"

namespace anyvip::vip::kernel {

namespace {

constexpr std::chrono::milliseconds turn{50};
constexpr int max_batches_a_turn = 64;
constexpr std::size_t batch = 32;
constexpr std::size_t header_octets = 40;

std::size_t index_of(Family family) {
    return family == Family::Ipv4 ? 0 : 1;
}

std::error_code last_error() {
    return {errno, std::system_category()};
}

/// The destination of a packet that begins with its IP header.
IpAddress destination_of(Family family, std::span<const std::uint8_t> packet) {
    const auto destination =
        family == Family::Ipv4 ? packet.subspan(16, 4) : packet.subspan(24, 16);
    return IpAddress::from_octets(destination);
}

// Closing a packet socket waits for all processors to have left its hook (10 to 20 ms): not in the
// loop, where another VIP may have to be withdrawn meanwhile. Without a thread to be had it is
// closed here all the same.
void close_elsewhere(int socket) {
    try {
        std::thread([socket] { ::close(socket); }).detach();
    } catch (const std::system_error&) {
        ::close(socket);
    }
}

} // namespace

TrafficCounter::TrafficCounter(boost::asio::io_context& loop,
                               std::function<void(const PacketCounts&)> on_counted)
    : on_counted_(std::move(on_counted)), timer_(loop, [this] { read_all(); }) {}

TrafficCounter::~TrafficCounter() {
    close();
}

std::error_code TrafficCounter::watch(std::vector<IpAddress> addresses) {
    std::ranges::sort(addresses);
    if (addresses == addresses_) {
        return {};
    }
    const bool was_watching = !addresses_.empty();
    addresses_ = std::move(addresses);
    std::error_code error;
    for (const Family family : {Family::Ipv4, Family::Ipv6}) {
        error = error ? error : listen(family);
    }
    if (error || addresses_.empty()) {
        close();
    } else if (!was_watching) {
        timer_.arm(turn);
    }
    return error;
}

// Bound to one protocol the socket sees what is received and not what is sent, and it is bound only
// when the filter is in place. A new filter replaces the old one in one step.
std::error_code TrafficCounter::listen(Family family) {
    int& socket = sockets_[index_of(family)];
    const bool is_wanted = std::ranges::any_of(
        addresses_, [&](const IpAddress& address) { return address.family() == family; });
    if (socket < 0 && !is_wanted) {
        return {};
    }
    const bool is_new = socket < 0;
    if (is_new) {
        socket = ::socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (socket < 0) {
            return last_error();
        }
    }
    auto program = packet_filter(family, addresses_);
    const sock_fprog filter{.len = static_cast<std::uint16_t>(program.size()),
                            .filter = program.data()};
    if (::setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) != 0) {
        return last_error();
    }
    if (is_new) {
        sockaddr_ll address{};
        address.sll_family = AF_PACKET;
        address.sll_protocol = htons(family == Family::Ipv4 ? ETH_P_IP : ETH_P_IPV6);
        if (::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
            return last_error();
        }
    }
    return {};
}

void TrafficCounter::read_all() {
    timer_.arm(turn);
    read(Family::Ipv4);
    read(Family::Ipv6);
    on_counted_(std::exchange(counts_, {})); // may change what is watched
}

void TrafficCounter::read(Family family) {
    const int socket = sockets_[index_of(family)];
    std::array<std::array<std::uint8_t, header_octets>, batch> packets{};
    std::array<iovec, batch> parts{};
    std::array<mmsghdr, batch> messages{};
    for (std::size_t i = 0; i < batch; ++i) {
        parts[i] = {.iov_base = packets[i].data(), .iov_len = header_octets};
        messages[i].msg_hdr.msg_iov = &parts[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    const std::size_t least_octets = family == Family::Ipv4 ? 20 : 40;
    for (int i = 0; socket >= 0 && i < max_batches_a_turn; ++i) {
        const int count = ::recvmmsg(socket, messages.data(), batch, MSG_DONTWAIT, nullptr);
        for (int n = 0; n < count; ++n) {
            const auto& packet = packets[static_cast<std::size_t>(n)];
            if (messages[static_cast<std::size_t>(n)].msg_len < least_octets) {
                continue;
            }
            const IpAddress destination = destination_of(family, packet);
            if (std::ranges::binary_search(addresses_, destination)) {
                ++counts_[destination];
            }
        }
        if (count < static_cast<int>(batch)) {
            return;
        }
    }
}

void TrafficCounter::close() {
    timer_.disarm();
    addresses_.clear();
    counts_.clear();
    for (int& socket : sockets_) {
        if (socket >= 0) {
            close_elsewhere(std::exchange(socket, -1));
        }
    }
}

} // namespace anyvip::vip::kernel
