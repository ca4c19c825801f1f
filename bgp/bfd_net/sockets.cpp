// SPDX-License-Identifier: Apache-2.0
#include "bgp/bfd_net/sockets.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <sys/socket.h>

#include "bgp/limits.hpp"
#include "bgp/net/socket_address.hpp"
#include "bgp/net/socket_options.hpp"

namespace anyvip::bgp::bfd_net {

namespace {

using net::FileDescriptor;

[[nodiscard]] std::error_code last_error() {
    return {errno, std::system_category()};
}

[[nodiscard]] std::error_code switch_on(int socket, int level, int option) {
    const int on = 1;
    return ::setsockopt(socket, level, option, &on, sizeof on) == 0 ? std::error_code()
                                                                    : last_error();
}

[[nodiscard]] std::expected<FileDescriptor, std::error_code> open_udp(Family family) {
    FileDescriptor socket(
        ::socket(net::domain_of(family), SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!socket.is_open()) {
        return std::unexpected(last_error());
    }
    if (family == Family::Ipv6) {
        if (const auto error = net::set_ipv6_only(socket.get())) {
            return std::unexpected(error);
        }
    }
    return socket;
}

[[nodiscard]] IpAddress any_address(Family family) {
    return family == Family::Ipv4 ? IpAddress() : IpAddress::v6({});
}

[[nodiscard]] std::error_code bind_to(int socket, const net::SocketAddress& address) {
    const net::RawSocketAddress raw = net::to_raw(address);
    return ::bind(socket, raw.get(), raw.length) == 0 ? std::error_code() : last_error();
}

[[nodiscard]] std::uint8_t mask_length(const sockaddr* mask) {
    std::uint8_t bits = 0;
    if (const auto address = mask == nullptr ? std::nullopt : net::from_raw(mask)) {
        for (const std::uint8_t octet : address->address.octets()) {
            bits = static_cast<std::uint8_t>(bits + __builtin_popcount(octet));
        }
    }
    return bits;
}

/// The interface that has this address of ours and whose subnet holds the peer; else 0.
[[nodiscard]] std::uint32_t interface_towards(const IpAddress& local, const IpAddress& peer) {
    ifaddrs* list = nullptr;
    if (::getifaddrs(&list) != 0) {
        return 0;
    }
    std::uint32_t index = 0;
    for (const ifaddrs* entry = list; entry != nullptr && index == 0; entry = entry->ifa_next) {
        const auto own = net::from_raw(entry->ifa_addr);
        if (own && own->address == local &&
            Prefix::of(local, mask_length(entry->ifa_netmask)).contains(peer)) {
            index = ::if_nametoindex(entry->ifa_name);
        }
    }
    ::freeifaddrs(list);
    return index;
}

[[nodiscard]] std::error_code
bind_source(int socket, const Endpoint& endpoint, std::uint32_t scope, std::uint16_t& port) {
    const IpAddress local = endpoint.local.value_or(any_address(endpoint.peer.family()));
    std::error_code error;
    for (int tried = 0; tried < limits::bfd_source_ports; ++tried) {
        error = bind_to(socket, {local, local.is_link_local() ? scope : 0, port});
        if (error != std::errc::address_in_use) {
            return error;
        }
        port = port == UINT16_MAX ? first_source_port : static_cast<std::uint16_t>(port + 1);
    }
    return error;
}

/// Reads an ancillary value; they are not aligned.
template <class T> [[nodiscard]] T value_of(const cmsghdr* header) {
    T value{};
    std::memcpy(&value, CMSG_DATA(header), sizeof value);
    return value;
}

void read_ancillary(const cmsghdr* header, const ClockPair& clocks, bfd::Arrival& arrival) {
    if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_TIMESTAMPNS) {
        const auto stamp = value_of<timespec>(header);
        const std::int64_t stamp_ns = stamp.tv_sec * 1000000000LL + stamp.tv_nsec;
        // Never in the future: the wall clock may have been set between the two readings.
        const auto age = std::max<std::int64_t>(clocks.wall_ns - stamp_ns, 0);
        arrival.at = clocks.monotonic - std::chrono::nanoseconds(age);
    } else if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_TTL) {
        arrival.ttl = static_cast<std::uint8_t>(value_of<int>(header));
    } else if (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_HOPLIMIT) {
        arrival.ttl = static_cast<std::uint8_t>(value_of<int>(header));
    } else if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_PKTINFO) {
        arrival.interface = static_cast<std::uint32_t>(value_of<in_pktinfo>(header).ipi_ifindex);
    } else if (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_PKTINFO) {
        arrival.interface = value_of<in6_pktinfo>(header).ipi6_ifindex;
    }
}

} // namespace

std::expected<FileDescriptor, std::error_code> open_receiver(Family family, bool is_multihop) {
    auto socket = open_udp(family);
    if (!socket) {
        return socket;
    }
    const int fd = socket->get();
    const bool is_v4 = family == Family::Ipv4;
    std::error_code error = switch_on(fd, SOL_SOCKET, SO_TIMESTAMPNS);
    if (!error) {
        error = is_v4 ? switch_on(fd, IPPROTO_IP, IP_RECVTTL)
                      : switch_on(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT);
    }
    if (!error) {
        error = is_v4 ? switch_on(fd, IPPROTO_IP, IP_PKTINFO)
                      : switch_on(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO);
    }
    if (!error) {
        // Without SO_REUSEADDR: beside another BFD speaker each would get some of the packets.
        error =
            bind_to(fd, {any_address(family), 0, is_multihop ? multihop_port : single_hop_port});
    }
    if (error) {
        return std::unexpected(error);
    }
    return socket;
}

std::expected<Sender, std::error_code> open_sender(const Endpoint& endpoint, std::uint16_t port) {
    const Family family = endpoint.peer.family();
    const bool is_single_hop = endpoint.multihop == 0;
    const std::uint32_t scope =
        endpoint.device[0] == '\0' ? 0 : ::if_nametoindex(endpoint.device.data());
    if (endpoint.device[0] != '\0' && scope == 0) {
        return std::unexpected(last_error());
    }
    auto socket = open_udp(family);
    if (!socket) {
        return std::unexpected(socket.error());
    }
    const int fd = socket->get();
    std::error_code error = net::set_transmit_ttl(fd, family);
    if (!error) {
        error = net::set_network_control(fd, family);
    }
    if (!error) {
        error = bind_source(fd, endpoint, scope, port);
    }
    if (!error) {
        const net::RawSocketAddress raw =
            net::to_raw({endpoint.peer, scope, is_single_hop ? single_hop_port : multihop_port});
        error = ::connect(fd, raw.get(), raw.length) == 0 ? std::error_code() : last_error();
    }
    if (error) {
        return std::unexpected(error);
    }
    std::uint32_t interface = scope;
    if (is_single_hop && interface == 0) {
        const auto local = net::local_end(fd);
        interface = local ? interface_towards(local->address, endpoint.peer) : 0;
    }
    return Sender{*std::move(socket), port, interface};
}

std::error_code send(int socket, std::span<const std::uint8_t> payload) {
    // The first call may return what ICMP said about an earlier datagram.
    for (int attempt = 0;; ++attempt) {
        if (::send(socket, payload.data(), payload.size(), MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) {
            return {};
        }
        if (attempt == 1 || (errno != ECONNREFUSED && errno != EINTR)) {
            return last_error();
        }
    }
}

ClockPair read_clock_pair() {
    timespec wall{};
    ::clock_gettime(CLOCK_REALTIME, &wall);
    return {std::chrono::steady_clock::now(), wall.tv_sec * 1000000000LL + wall.tv_nsec};
}

std::optional<Datagram> receive(int socket, bool is_multihop, const ClockPair& clocks) {
    Datagram datagram;
    sockaddr_storage from{};
    alignas(cmsghdr) std::array<char, 256> control;
    iovec vector{datagram.octets.data(), datagram.octets.size()};
    msghdr message{};
    message.msg_name = &from;
    message.msg_namelen = sizeof from;
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t size = ::recvmsg(socket, &message, MSG_DONTWAIT);
    const auto source = net::from_raw(reinterpret_cast<const sockaddr*>(&from));
    if (size < 0 || !source) {
        return std::nullopt;
    }
    datagram.size = static_cast<std::size_t>(size);
    datagram.arrival.source = source->address;
    datagram.arrival.is_multihop = is_multihop;
    datagram.arrival.at = clocks.monotonic;
    for (const cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
         header = CMSG_NXTHDR(&message, const_cast<cmsghdr*>(header))) {
        read_ancillary(header, clocks, datagram.arrival);
    }
    return datagram;
}

} // namespace anyvip::bgp::bfd_net
