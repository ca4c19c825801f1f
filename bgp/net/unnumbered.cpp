// SPDX-License-Identifier: Apache-2.0
// Neighbour discovery on one interface.
#include "bgp/net/unnumbered.hpp"

#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <expected>
#include <map>
#include <span>
#include <system_error>
#include <utility>
#include <vector>

#include <boost/asio/steady_timer.hpp>

#include "bgp/limits.hpp"
#include "bgp/net/descriptor.hpp"
#include "bgp/net/neighbour_discovery.hpp"
#include "bgp/net/router_table.hpp"
#include "bgp/net/socket_address.hpp"
#include "bgp/types.hpp"

namespace anyvip::bgp::net {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds round_interval = 1s;
/// RFC 4861 §6.2.4 and §10: something is sent in each of the first few rounds.
constexpr int fast_rounds = 4;
/// Later as on FRR's unnumbered links, while there is a session. While there is none, the router
/// may be waiting for us: every round. RFC 4861 §6.2.6 has 3 s for many hosts on a link; here there
/// is one.
constexpr std::chrono::milliseconds settled_interval = 10s;

template <typename Value> bool set_option(int socket, int level, int name, const Value& value) {
    return ::setsockopt(socket, level, name, &value, sizeof value) == 0;
}

IpAddress all_nodes_or_routers(std::uint8_t last_octet) {
    return IpAddress::v6({0xFF, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last_octet});
}

/// A raw ICMPv6 socket that hears advertisements and solicitations of this interface only.
std::expected<FileDescriptor, std::error_code> open_socket(const std::string& interface,
                                                           std::uint32_t index) {
    FileDescriptor socket(
        ::socket(AF_INET6, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_ICMPV6));
    icmp6_filter filter;
    ICMP6_FILTER_SETBLOCKALL(&filter);
    ICMP6_FILTER_SETPASS(icmp_router_advertisement, &filter);
    ICMP6_FILTER_SETPASS(icmp_router_solicitation, &filter);
    ipv6_mreq routers{};
    std::ranges::copy(all_nodes_or_routers(2).octets(), routers.ipv6mr_multiaddr.s6_addr);
    routers.ipv6mr_interface = index;
    const int handle = socket.get();
    const bool is_ready =
        handle >= 0 && set_option(handle, IPPROTO_ICMPV6, ICMP6_FILTER, filter) &&
        ::setsockopt(handle,
                     SOL_SOCKET,
                     SO_BINDTODEVICE,
                     interface.c_str(),
                     static_cast<socklen_t>(interface.size() + 1)) == 0 &&
        set_option(handle, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1) &&
        set_option(handle, IPPROTO_IPV6, IPV6_MULTICAST_IF, static_cast<int>(index)) &&
        set_option(handle, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 255) &&
        set_option(handle, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0) &&
        set_option(handle, IPPROTO_IPV6, IPV6_JOIN_GROUP, routers);
    if (!is_ready) {
        return std::unexpected(std::error_code(errno, std::system_category()));
    }
    return socket;
}

std::optional<MacAddress> read_mac(int socket, const std::string& interface) {
    ifreq request{};
    interface.copy(request.ifr_name, IFNAMSIZ - 1);
    if (::ioctl(socket, SIOCGIFHWADDR, &request) != 0 ||
        request.ifr_hwaddr.sa_family != ARPHRD_ETHER) {
        return std::nullopt;
    }
    MacAddress mac{};
    std::memcpy(mac.data(), request.ifr_hwaddr.sa_data, mac.size());
    return mac;
}

/// Without a carrier the router may be replaced unseen.
bool is_running(int socket, const std::string& interface) {
    ifreq request{};
    interface.copy(request.ifr_name, IFNAMSIZ - 1);
    return ::ioctl(socket, SIOCGIFFLAGS, &request) != 0 || (request.ifr_flags & IFF_RUNNING) != 0;
}

int hop_limit_of(msghdr& header) {
    for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr;
         part = CMSG_NXTHDR(&header, part)) {
        if (part->cmsg_level == IPPROTO_IPV6 && part->cmsg_type == IPV6_HOPLIMIT) {
            int value = 0;
            std::memcpy(&value, CMSG_DATA(part), sizeof value);
            return value;
        }
    }
    return 0;
}

} // namespace

struct RouterDiscovery::Impl : std::enable_shared_from_this<Impl> {
    Impl(boost::asio::io_context& loop,
         std::string name,
         bool sends,
         std::function<bool()> has_session,
         std::function<void()> change)
        : io(loop), interface(std::move(name)), advertises(sends),
          is_settled(std::move(has_session)), on_change(std::move(change)), timer(io) {}

    void round();
    void arm(std::chrono::milliseconds delay);
    void open();
    void close(std::string reason);
    void send_messages();
    void send(const std::vector<std::uint8_t>& message, const IpAddress& to);
    void wait();
    void read_some();
    bool read_one();
    void report();

    [[nodiscard]] std::pair<std::optional<IpAddress>, std::string> present() const {
        return {routers.lone(), socket_problem + std::to_string(routers.size())};
    }

    boost::asio::io_context& io;
    std::string interface;
    bool advertises;
    std::function<bool()> is_settled;
    std::function<void()> on_change;
    boost::asio::steady_timer timer;
    std::optional<Descriptor> socket;
    std::uint32_t index = 0;
    int rounds = 0; ///< since the socket was opened
    Instant last_sent;
    bool is_asked = false;
    bool was_settled = false;
    RouterTable routers;
    std::string socket_problem;
    std::pair<std::optional<IpAddress>, std::string> reported{std::nullopt, "0"};
};

RouterDiscovery::RouterDiscovery(boost::asio::io_context& io,
                                 std::string interface,
                                 bool advertises,
                                 std::function<bool()> is_settled,
                                 std::function<void()> on_change)
    : impl_(std::make_shared<Impl>(
          io, std::move(interface), advertises, std::move(is_settled), std::move(on_change))) {
    impl_->arm(0ms);
}

RouterDiscovery::~RouterDiscovery() = default;

std::optional<IpAddress> RouterDiscovery::router() const {
    return impl_->routers.lone();
}

std::string RouterDiscovery::problem() const {
    if (impl_->routers.size() < 2) {
        return impl_->routers.size() == 0 ? impl_->socket_problem : std::string{};
    }
    return "several routers on " + impl_->interface + " (" + impl_->routers.names() +
           "): give each peer its address instead of the interface";
}

std::map<IpAddress, Instant> RouterDiscovery::heard() const {
    return impl_->routers.lifetimes();
}

void RouterDiscovery::take_over(const std::map<IpAddress, Instant>& heard) {
    impl_->routers.restore(heard, std::chrono::steady_clock::now());
    impl_->reported = impl_->present();
}

void RouterDiscovery::Impl::round() {
    // An interface that was made anew has another index, and its old socket hears nothing.
    if (socket && ::if_nametoindex(interface.c_str()) != index) {
        close({});
    }
    if (!socket) {
        open();
    }
    bool has_lost_session = false;
    if (socket) {
        ++rounds;
        if (!is_running(socket->native_handle(), interface)) {
            routers.link_lost();
            rounds = 0; // the carrier, and perhaps another router, may be back any time
        }
        const Instant now = std::chrono::steady_clock::now();
        const bool has_session = is_settled();
        has_lost_session = std::exchange(was_settled, has_session) && !has_session;
        if (std::exchange(is_asked, false) || rounds <= fast_rounds || !has_session ||
            now - last_sent >= settled_interval) {
            last_sent = now;
            send_messages();
        }
    }
    arm(round_interval);
    if (has_lost_session) {
        reported = present();
        on_change(); // what the session held on to is looked at again
    } else {
        report();
    }
}

void RouterDiscovery::Impl::send_messages() {
    const auto mac = read_mac(socket->native_handle(), interface);
    if (routers.is_in_doubt()) {
        send(router_solicitation(mac), all_nodes_or_routers(2));
    }
    if (advertises) {
        send(router_advertisement(mac), all_nodes_or_routers(1));
    }
}

void RouterDiscovery::Impl::arm(std::chrono::milliseconds delay) {
    timer.expires_after(delay);
    timer.async_wait([weak = weak_from_this()](const Error& error) {
        const auto self = weak.lock();
        if (!error && self) {
            self->round();
        }
    });
}

void RouterDiscovery::Impl::open() {
    rounds = 0;
    index = ::if_nametoindex(interface.c_str());
    if (index == 0) {
        close("no interface \"" + interface + "\"");
        return;
    }
    auto opened = open_socket(interface, index);
    if (!opened) {
        close("neighbour discovery on " + interface + ": " + opened.error().message());
        return;
    }
    socket = watch(io, std::move(*opened));
    socket_problem = socket ? "" : "neighbour discovery on " + interface + ": out of memory";
    if (socket) {
        wait();
    }
}

void RouterDiscovery::Impl::close(std::string reason) {
    socket.reset();
    routers.clear();
    socket_problem = std::move(reason);
}

void RouterDiscovery::Impl::send(const std::vector<std::uint8_t>& message, const IpAddress& to) {
    const RawSocketAddress raw = to_raw({to, index, 0});
    // A link that is down, or has no link-local address yet, is tried again in the next round.
    std::ignore = ::sendto(socket->native_handle(),
                           message.data(),
                           message.size(),
                           MSG_DONTWAIT | MSG_NOSIGNAL,
                           raw.get(),
                           raw.length);
}

void RouterDiscovery::Impl::wait() {
    socket->async_wait(Descriptor::wait_read, [weak = weak_from_this()](const Error& error) {
        const auto self = weak.lock();
        if (!error && self && self->socket) {
            self->read_some();
        }
    });
}

void RouterDiscovery::Impl::read_some() {
    for (int count = 0; count < limits::discovery_messages_at_once && read_one(); ++count) {
    }
    wait();
    report();
}

bool RouterDiscovery::Impl::read_one() {
    std::array<std::uint8_t, 1500> buffer;
    alignas(cmsghdr) std::array<std::uint8_t, CMSG_SPACE(sizeof(int))> control;
    sockaddr_storage source{};
    iovec part{.iov_base = buffer.data(), .iov_len = buffer.size()};
    msghdr header{};
    header.msg_name = &source;
    header.msg_namelen = sizeof source;
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    const ssize_t octets = ::recvmsg(socket->native_handle(), &header, MSG_DONTWAIT);
    if (octets < 0) {
        return false;
    }
    const auto from = from_raw(reinterpret_cast<const sockaddr*>(&source));
    if (!from || (header.msg_flags & MSG_TRUNC) != 0) {
        return true;
    }
    const IcmpMessage message{from->address,
                              hop_limit_of(header),
                              std::span(buffer).first(static_cast<std::size_t>(octets))};
    if (const auto lifetime = router_lifetime(message)) {
        routers.heard(message.source, *lifetime, std::chrono::steady_clock::now());
    } else if (advertises && is_router_solicitation(message)) {
        const auto since = std::chrono::duration_cast<std::chrono::milliseconds>(
            std::chrono::steady_clock::now() - last_sent);
        is_asked = true;
        arm(std::max(0ms, round_interval - since));
    }
    return true;
}

void RouterDiscovery::Impl::report() {
    if (auto now = present(); now != reported) {
        reported = std::move(now);
        on_change();
    }
}

} // namespace anyvip::bgp::net
