// SPDX-License-Identifier: Apache-2.0
// The socket options of a BGP speaker, one function each.
#include "bgp/net/socket_options.hpp"

#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <limits>

#include "bgp/net/socket_address.hpp"

namespace anyvip::bgp::net {
namespace {

std::error_code last_error() {
    return {errno, std::system_category()};
}

template <typename Value>
std::error_code set_option(int socket, int level, int name, const Value& value) {
    return ::setsockopt(socket, level, name, &value, sizeof value) == 0 ? std::error_code{}
                                                                        : last_error();
}

std::error_code set_md5(int socket, const IpAddress& peer, std::string_view key) {
    tcp_md5sig request{};
    const RawSocketAddress address = to_raw({peer, 0, 0});
    std::memcpy(&request.tcpm_addr, &address.storage, sizeof request.tcpm_addr);
    std::ranges::copy(key, request.tcpm_key);
    request.tcpm_keylen = static_cast<std::uint16_t>(key.size());
    return set_option(socket, IPPROTO_TCP, TCP_MD5SIG, request);
}

// `struct tcp_ao_add`, `struct tcp_ao_del` and their options of linux/tcp.h since 6.7; older
// headers lack them.
constexpr int tcp_ao_add_key = 38;
constexpr int tcp_ao_del_key = 39;

struct alignas(8) TcpAoAdd {
    sockaddr_storage peer;
    char algorithm[64];
    std::int32_t interface_index;
    std::uint32_t flags; // bit 0: set_current, bit 1: set_rnext; both only when connected
    std::uint16_t reserved;
    std::uint8_t prefix_bits;
    std::uint8_t send_id;
    std::uint8_t receive_id;
    std::uint8_t mac_octets;
    std::uint8_t key_flags;
    std::uint8_t key_octets;
    std::uint8_t key[max_key_octets];
};

static_assert(sizeof(TcpAoAdd) == 288);

struct alignas(8) TcpAoDelete {
    sockaddr_storage peer;
    std::int32_t interface_index;
    std::uint32_t flags; // bit 2: do not wait for readers of the key; on listening sockets only
    std::uint16_t reserved;
    std::uint8_t prefix_bits;
    std::uint8_t send_id;
    std::uint8_t receive_id;
    std::uint8_t current_key;
    std::uint8_t next_key;
    std::uint8_t key_flags;
};

static_assert(sizeof(TcpAoDelete) == 144);

} // namespace

std::error_code set_md5_key(int socket, const IpAddress& peer, std::string_view key) {
    if (key.empty() || key.size() > max_key_octets) {
        return std::make_error_code(std::errc::invalid_argument);
    }
    return set_md5(socket, peer, key);
}

std::error_code remove_md5_key(int socket, const IpAddress& peer) {
    const std::error_code error = set_md5(socket, peer, {});
    return error == std::errc::no_such_file_or_directory ? std::error_code{} : error;
}

std::error_code
set_tcp_ao_key(int socket, const IpAddress& peer, const TcpAoConfig& config, std::string_view key) {
    if (key.empty() || key.size() > max_key_octets) {
        return std::make_error_code(std::errc::invalid_argument);
    }
    // RFC 5926 §3.2: both algorithms of BGP routers truncate their MAC to 96 bits.
    const std::string_view name =
        config.algorithm == "aes-128-cmac-96" ? "cmac(aes128)" : "hmac(sha1)";
    TcpAoAdd request{};
    request.peer = to_raw({peer, 0, 0}).storage;
    std::ranges::copy(name, request.algorithm);
    request.prefix_bits = host_length(peer.family());
    request.send_id = config.send_id;
    request.receive_id = config.recv_id;
    request.mac_octets = 12;
    request.key_octets = static_cast<std::uint8_t>(key.size());
    std::ranges::copy(key, request.key);
    return set_option(socket, IPPROTO_TCP, tcp_ao_add_key, request);
}

std::error_code remove_tcp_ao_key(int socket, const IpAddress& peer, const TcpAoConfig& config) {
    TcpAoDelete request{};
    request.peer = to_raw({peer, 0, 0}).storage;
    request.flags = 1U << 2;
    request.prefix_bits = host_length(peer.family());
    request.send_id = config.send_id;
    request.receive_id = config.recv_id;
    return set_option(socket, IPPROTO_TCP, tcp_ao_del_key, request);
}

std::error_code set_ttl_security(int socket, Family family, std::uint8_t hops) {
    const int least = hops == 0 ? 0 : 256 - hops;
    return family == Family::Ipv4 ? set_option(socket, IPPROTO_IP, IP_MINTTL, least)
                                  : set_option(socket, IPPROTO_IPV6, IPV6_MINHOPCOUNT, least);
}

std::error_code set_save_syn(int socket) {
    return set_option(socket, IPPROTO_TCP, TCP_SAVE_SYN, 1);
}

// The saved octets begin with the IP header: the TTL is its ninth octet, the hop limit its eighth.
std::optional<std::uint8_t> take_syn_ttl(int socket, Family family) {
    std::array<std::uint8_t, 512> headers{};
    socklen_t length = headers.size();
    const std::size_t offset = family == Family::Ipv4 ? 8 : 7;
    if (::getsockopt(socket, IPPROTO_TCP, TCP_SAVED_SYN, headers.data(), &length) != 0 ||
        length <= offset) {
        return std::nullopt;
    }
    return headers.at(offset);
}

std::error_code set_transmit_ttl(int socket, Family family) {
    constexpr int ttl = 255;
    return family == Family::Ipv4 ? set_option(socket, IPPROTO_IP, IP_TTL, ttl)
                                  : set_option(socket, IPPROTO_IPV6, IPV6_UNICAST_HOPS, ttl);
}

std::error_code set_network_control(int socket, Family family) {
    constexpr int class_selector_6 = 0xC0;
    return family == Family::Ipv4 ? set_option(socket, IPPROTO_IP, IP_TOS, class_selector_6)
                                  : set_option(socket, IPPROTO_IPV6, IPV6_TCLASS, class_selector_6);
}

std::error_code set_no_delay(int socket) {
    return set_option(socket, IPPROTO_TCP, TCP_NODELAY, 1);
}

std::error_code set_user_timeout(int socket, std::chrono::milliseconds timeout) {
    const auto limited = std::clamp<std::chrono::milliseconds::rep>(
        timeout.count(), 0, std::numeric_limits<int>::max());
    return set_option(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<unsigned>(limited));
}

std::error_code set_ipv6_only(int socket) {
    return set_option(socket, IPPROTO_IPV6, IPV6_V6ONLY, 1);
}

std::error_code set_reuse_address(int socket) {
    return set_option(socket, SOL_SOCKET, SO_REUSEADDR, 1);
}

std::error_code set_bind_address_no_port(int socket) {
    // The option of the IP level serves IPv6 sockets too.
    return set_option(socket, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
}

std::error_code set_abortive_close(int socket) {
    return set_option(socket, SOL_SOCKET, SO_LINGER, linger{.l_onoff = 1, .l_linger = 0});
}

std::expected<std::size_t, std::error_code> unacknowledged_octets(int socket) {
    int octets = 0;
    if (::ioctl(socket, SIOCOUTQ, &octets) != 0) {
        return std::unexpected(last_error());
    }
    return static_cast<std::size_t>(std::max(octets, 0));
}

} // namespace anyvip::bgp::net
