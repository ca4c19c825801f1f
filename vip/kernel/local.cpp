// SPDX-License-Identifier: Apache-2.0
#include "vip/kernel/local.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <limits>
#include <string>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vip/kernel/address_message.hpp"

namespace anyvip::vip::kernel {

namespace {

std::uint8_t family_of(const IpAddress& address) {
    return address.is_v4() ? AF_INET : AF_INET6;
}

struct DefaultRoute {
    std::uint32_t metric = std::numeric_limits<std::uint32_t>::max();
    int interface_index = 0;
    std::optional<IpAddress> preferred_source;
};

/// The interface of a route or of its first next hop.
int interface_of(const std::array<nlattr*, RTA_MAX + 1>& attributes) {
    if (attributes[RTA_OIF] != nullptr) {
        return static_cast<int>(nla_get_u32(attributes[RTA_OIF]));
    }
    rtnexthop first{};
    const auto next_hops = octets_of(attributes[RTA_MULTIPATH]);
    if (next_hops.size() >= sizeof first) {
        std::memcpy(&first, next_hops.data(), sizeof first);
    }
    return first.rtnh_ifindex;
}

void consider(nlmsghdr& message, DefaultRoute& best) {
    std::array<nlattr*, RTA_MAX + 1> attributes{};
    if (nlmsg_parse(&message, sizeof(rtmsg), attributes.data(), RTA_MAX, nullptr) < 0) {
        return;
    }
    const auto& route = *static_cast<const rtmsg*>(nlmsg_data(&message));
    const bool is_default = route.rtm_family == AF_INET && route.rtm_dst_len == 0 &&
                            route.rtm_type == RTN_UNICAST && route.rtm_table == RT_TABLE_MAIN;
    const int index = interface_of(attributes);
    const std::uint32_t metric =
        attributes[RTA_PRIORITY] != nullptr ? nla_get_u32(attributes[RTA_PRIORITY]) : 0;
    if (!is_default || index == 0 || (best.interface_index != 0 && metric >= best.metric)) {
        return;
    }
    const auto source = octets_of(attributes[RTA_PREFSRC]);
    best = {.metric = metric,
            .interface_index = index,
            .preferred_source =
                source.size() == 4 ? std::optional(IpAddress::from_octets(source)) : std::nullopt};
}

/// For the family's socket calls.
struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t length = 0;
};

SocketAddress socket_address(const IpAddress& address, unsigned scope) {
    SocketAddress result;
    const auto octets = address.octets();
    if (address.is_v4()) {
        sockaddr_in v4{};
        v4.sin_family = AF_INET;
        v4.sin_port = htons(179); // any: nothing is sent
        std::memcpy(&v4.sin_addr, octets.data(), octets.size());
        result.length = sizeof v4;
        std::memcpy(&result.storage, &v4, sizeof v4);
    } else {
        sockaddr_in6 v6{};
        v6.sin6_family = AF_INET6;
        v6.sin6_port = htons(179);
        v6.sin6_scope_id = scope;
        std::memcpy(&v6.sin6_addr, octets.data(), octets.size());
        result.length = sizeof v6;
        std::memcpy(&result.storage, &v6, sizeof v6);
    }
    return result;
}

IpAddress address_of(const sockaddr_storage& storage) {
    std::array<std::uint8_t, 16> octets{};
    if (storage.ss_family == AF_INET) {
        std::memcpy(octets.data(),
                    &reinterpret_cast<const sockaddr_in&>(storage).sin_addr,
                    sizeof(in_addr));
        return IpAddress::from_octets(std::span(octets).first(4));
    }
    std::memcpy(
        octets.data(), &reinterpret_cast<const sockaddr_in6&>(storage).sin6_addr, sizeof(in6_addr));
    return IpAddress::v6(octets);
}

/// What a look-up ends with when there is no route, or one that says unreachable, prohibit or
/// blackhole, or the host does not know the address family.
bool is_without_route(const std::error_code& error) {
    static constexpr std::array answers{
        ENETUNREACH, EHOSTUNREACH, EACCES, EINVAL, EAFNOSUPPORT, EOPNOTSUPP};
    return std::ranges::find(answers, error.value()) != answers.end();
}

} // namespace

std::expected<bool, std::error_code> is_local_address(const IpAddress& address) {
    auto netlink = Netlink::open(NETLINK_ROUTE);
    if (!netlink) {
        return std::unexpected(netlink.error());
    }
    Request request(RTM_GETROUTE, 0);
    rtmsg header{};
    header.rtm_family = family_of(address);
    header.rtm_dst_len = host_length(address.family());
    request.header(header);
    request.attribute(RTA_DST, address.octets());
    bool is_local = false;
    const auto error = netlink->exchange(request, [&](nlmsghdr& message) {
        is_local = nlmsg_valid_hdr(&message, sizeof(rtmsg)) != 0 &&
                   static_cast<const rtmsg*>(nlmsg_data(&message))->rtm_type == RTN_LOCAL;
    });
    if (error && !is_without_route(error)) {
        return std::unexpected(error);
    }
    return !error && is_local;
}

std::string interface_towards(const IpAddress& destination) {
    auto netlink = Netlink::open(NETLINK_ROUTE);
    if (!netlink) {
        return {};
    }
    Request request(RTM_GETROUTE, 0);
    rtmsg header{};
    header.rtm_family = family_of(destination);
    header.rtm_dst_len = host_length(destination.family());
    request.header(header);
    request.attribute(RTA_DST, destination.octets());
    std::array<char, IF_NAMESIZE> name{};
    const auto error = netlink->exchange(request, [&](nlmsghdr& message) {
        std::array<nlattr*, RTA_MAX + 1> attributes{};
        if (nlmsg_parse(&message, sizeof(rtmsg), attributes.data(), RTA_MAX, nullptr) >= 0 &&
            static_cast<const rtmsg*>(nlmsg_data(&message))->rtm_type == RTN_UNICAST) {
            ::if_indextoname(static_cast<unsigned>(interface_of(attributes)), name.data());
        }
    });
    return error ? std::string() : std::string(name.data());
}

std::optional<IpAddress> local_address_towards(const IpAddress& destination,
                                               std::string_view interface) {
    const int descriptor = ::socket(family_of(destination), SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) {
        return std::nullopt;
    }
    const unsigned scope = interface.empty() ? 0 : ::if_nametoindex(std::string(interface).c_str());
    const SocketAddress towards = socket_address(destination, scope);
    SocketAddress local;
    local.length = sizeof local.storage;
    // Connecting a datagram socket is a route look-up: no packet leaves.
    const bool is_found =
        ::connect(
            descriptor, reinterpret_cast<const sockaddr*>(&towards.storage), towards.length) == 0 &&
        ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&local.storage), &local.length) == 0;
    ::close(descriptor);
    return is_found ? std::optional(address_of(local.storage)) : std::nullopt;
}

std::vector<IpAddress> default_route_addresses() {
    auto netlink = Netlink::open(NETLINK_ROUTE);
    if (!netlink) {
        return {};
    }
    // With strict checking the kernel filters by table itself. Without it more is read, no more.
    const int on = 1;
    ::setsockopt(netlink->descriptor(), SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof on);
    Request routes(RTM_GETROUTE, NLM_F_DUMP);
    rtmsg header{};
    header.rtm_family = AF_INET;
    header.rtm_table = RT_TABLE_MAIN;
    routes.header(header);
    DefaultRoute best;
    if (netlink->exchange(routes, [&](nlmsghdr& message) { consider(message, best); }) ||
        best.interface_index == 0) {
        return {};
    }
    std::vector<IpAddress> result;
    if (best.preferred_source) {
        result.push_back(*best.preferred_source);
    }
    Request addresses(RTM_GETADDR, NLM_F_DUMP);
    ifaddrmsg of_family{};
    of_family.ifa_family = AF_INET;
    addresses.header(of_family);
    const auto error = netlink->exchange(addresses, [&](nlmsghdr& message) {
        const auto parsed = parse_address(message);
        if (parsed && parsed->index == best.interface_index && parsed->mark != address_mark &&
            !parsed->address.address.is_loopback() &&
            std::ranges::find(result, parsed->address.address) == result.end()) {
            result.push_back(parsed->address.address);
        }
    });
    return error ? std::vector<IpAddress>{} : result;
}

} // namespace anyvip::vip::kernel
