// SPDX-License-Identifier: Apache-2.0
#include "vip/kernel/route_message.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <span>

#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace anyvip::vip::kernel {

namespace {

using Attributes = std::array<nlattr*, RTA_MAX + 1>;

[[nodiscard]] std::string interface_name(int index) {
    std::array<char, IF_NAMESIZE> name{};
    return ::if_indextoname(static_cast<unsigned>(index), name.data()) == nullptr ? std::string()
                                                                                  : name.data();
}

/// RTA_GATEWAY, or RTA_VIA when the gateway is of the other family (RFC 8950).
[[nodiscard]] std::optional<IpAddress> gateway_of(const nlattr* gateway, const nlattr* via) {
    auto octets = octets_of(gateway);
    if (gateway == nullptr) {
        octets = octets_of(via);
        octets = octets.size() > sizeof(std::uint16_t) ? octets.subspan(sizeof(std::uint16_t))
                                                       : std::span<const std::uint8_t>();
    }
    if (octets.size() != 4 && octets.size() != 16) {
        return std::nullopt;
    }
    return IpAddress::from_octets(octets);
}

void add_next_hop(std::vector<NextHop>& next_hops,
                  const std::optional<IpAddress>& gateway,
                  int index) {
    if (gateway) {
        next_hops.push_back({*gateway, interface_name(index)});
    }
}

// rtnexthop { length, flags, hops, ifindex }, then attributes, for each next hop.
void add_next_hops(std::vector<NextHop>& next_hops, const nlattr* multipath) {
    auto rest = octets_of(multipath);
    while (rest.size() >= sizeof(rtnexthop)) {
        rtnexthop header{};
        std::memcpy(&header, rest.data(), sizeof header);
        if (header.rtnh_len < sizeof header || header.rtnh_len > rest.size()) {
            return;
        }
        std::vector<std::uint8_t> octets(rest.begin() + sizeof header,
                                         rest.begin() + header.rtnh_len);
        Attributes attributes{};
        if (nla_parse(attributes.data(),
                      RTA_MAX,
                      reinterpret_cast<nlattr*>(octets.data()),
                      static_cast<int>(octets.size()),
                      nullptr) < 0) {
            return;
        }
        add_next_hop(next_hops,
                     gateway_of(attributes[RTA_GATEWAY], attributes[RTA_VIA]),
                     header.rtnh_ifindex);
        rest = rest.subspan(std::min<std::size_t>(rest.size(), NLMSG_ALIGN(header.rtnh_len)));
    }
}

/// Those of a route, be it one or several.
[[nodiscard]] std::vector<NextHop> next_hops_of(const Attributes& attributes, int index) {
    std::vector<NextHop> next_hops;
    add_next_hop(next_hops, gateway_of(attributes[RTA_GATEWAY], attributes[RTA_VIA]), index);
    add_next_hops(next_hops, attributes[RTA_MULTIPATH]);
    return next_hops;
}

[[nodiscard]] int interface_index_of(const Attributes& attributes) {
    return attributes[RTA_OIF] != nullptr ? static_cast<int>(nla_get_u32(attributes[RTA_OIF])) : 0;
}

[[nodiscard]] std::vector<std::string> interfaces_of(const std::vector<NextHop>& next_hops) {
    std::vector<std::string> interfaces;
    for (const NextHop& next_hop : next_hops) {
        if (std::ranges::find(interfaces, next_hop.interface) == interfaces.end()) {
            interfaces.push_back(next_hop.interface);
        }
    }
    return interfaces;
}

[[nodiscard]] bool is_of_main_table(const rtmsg& header) {
    return (header.rtm_family == AF_INET || header.rtm_family == AF_INET6) &&
           header.rtm_src_len == 0 && header.rtm_tos == 0 && header.rtm_table == RT_TABLE_MAIN &&
           (header.rtm_flags & RTM_F_CLONED) == 0;
}

[[nodiscard]] std::string protocol_name(std::uint8_t protocol) {
    switch (protocol) {
    case RTPROT_KERNEL:
        return "kernel";
    case RTPROT_BOOT:
        return "boot";
    case RTPROT_STATIC:
        return "static";
    case RTPROT_RA:
        return "ra";
    case RTPROT_DHCP:
        return "dhcp";
    case RTPROT_BIRD:
        return "bird";
    case RTPROT_ZEBRA:
        return "zebra";
    case RTPROT_BGP:
        return "bgp";
    default:
        return std::to_string(protocol);
    }
}

[[nodiscard]] std::string describe(const DefaultRouteMessage& route, std::uint8_t type, int index) {
    std::string text = to_string(default_prefix(route.key.family)) + ' ';
    if (!route.next_hops.empty()) {
        text += to_string(NextHops(route.next_hops.begin(), route.next_hops.end()));
    } else if (type == RTN_UNICAST) {
        text += "dev " + interface_name(index);
    } else {
        text += type == RTN_BLACKHOLE ? "blackhole" : "unreachable";
    }
    return text + " proto " + protocol_name(route.protocol) + " metric " +
           std::to_string(route.key.metric);
}

[[nodiscard]] rtmsg header_of(Family family) {
    rtmsg header{};
    header.rtm_family = family == Family::Ipv4 ? AF_INET : AF_INET6;
    header.rtm_table = RT_TABLE_MAIN;
    header.rtm_protocol = route_protocol;
    header.rtm_scope = RT_SCOPE_UNIVERSE;
    header.rtm_type = RTN_UNICAST;
    return header;
}

void append(std::vector<std::uint8_t>& octets, const void* data, std::size_t size) {
    const auto* first = static_cast<const std::uint8_t*>(data);
    octets.insert(octets.end(), first, first + size);
}

// One attribute, padded to four octets.
void append_attribute(std::vector<std::uint8_t>& octets,
                      std::uint16_t type,
                      const std::vector<std::uint8_t>& value) {
    const rtattr header{.rta_len = static_cast<std::uint16_t>(RTA_LENGTH(value.size())),
                        .rta_type = type};
    append(octets, &header, sizeof header);
    append(octets, value.data(), value.size());
    octets.resize(RTA_ALIGN(octets.size()));
}

[[nodiscard]] std::vector<std::uint8_t> multipath(const std::vector<NextHop>& next_hops) {
    std::vector<std::uint8_t> octets;
    for (const NextHop& next_hop : next_hops) {
        std::vector<std::uint8_t> value;
        if (next_hop.address.is_v6()) {
            const std::uint16_t family = AF_INET6;
            append(value, &family, sizeof family);
        }
        append(value, next_hop.address.octets().data(), next_hop.address.octets().size());
        std::vector<std::uint8_t> attribute;
        append_attribute(attribute, next_hop.address.is_v6() ? RTA_VIA : RTA_GATEWAY, value);
        const rtnexthop header{.rtnh_len =
                                   static_cast<std::uint16_t>(sizeof(rtnexthop) + attribute.size()),
                               .rtnh_flags = 0,
                               .rtnh_hops = 0,
                               .rtnh_ifindex = outgoing_interface(next_hop.interface).index};
        append(octets, &header, sizeof header);
        append(octets, attribute.data(), attribute.size());
    }
    return octets;
}

} // namespace

std::optional<DefaultRouteMessage> parse_default_route(nlmsghdr& message) {
    Attributes attributes{};
    if (nlmsg_parse(&message, sizeof(rtmsg), attributes.data(), RTA_MAX, nullptr) < 0) {
        return std::nullopt;
    }
    const auto& header = *static_cast<const rtmsg*>(nlmsg_data(&message));
    if (!is_of_main_table(header) || header.rtm_dst_len != 0) {
        return std::nullopt;
    }
    DefaultRouteMessage route;
    route.key.family = header.rtm_family == AF_INET ? Family::Ipv4 : Family::Ipv6;
    route.key.metric =
        attributes[RTA_PRIORITY] != nullptr ? nla_get_u32(attributes[RTA_PRIORITY]) : 0;
    route.protocol = header.rtm_protocol;
    const int index = interface_index_of(attributes);
    route.next_hops = next_hops_of(attributes, index);
    route.text = describe(route, header.rtm_type, index);
    route.interfaces = interfaces_of(route.next_hops);
    if (route.next_hops.empty() && header.rtm_type == RTN_UNICAST && index != 0) {
        route.interfaces.push_back(interface_name(index));
    }
    return route;
}

std::optional<GatewayRouteMessage> parse_gateway_route(nlmsghdr& message) {
    Attributes attributes{};
    if (nlmsg_parse(&message, sizeof(rtmsg), attributes.data(), RTA_MAX, nullptr) < 0) {
        return std::nullopt;
    }
    const auto& header = *static_cast<const rtmsg*>(nlmsg_data(&message));
    if (!is_of_main_table(header) || header.rtm_dst_len == 0 || header.rtm_type != RTN_UNICAST) {
        return std::nullopt;
    }
    GatewayRouteMessage route{
        .family = header.rtm_family == AF_INET ? Family::Ipv4 : Family::Ipv6,
        .interfaces = interfaces_of(next_hops_of(attributes, interface_index_of(attributes)))};
    return route.interfaces.empty() ? std::nullopt : std::optional(std::move(route));
}

OutgoingInterface outgoing_interface(const std::string& name) {
    OutgoingInterface result;
    result.index = static_cast<int>(::if_nametoindex(name.c_str()));
    if (result.index == 0) {
        result.problem = "interface " + name + " does not exist";
        return result;
    }
    ifreq request{};
    name.copy(request.ifr_name, IFNAMSIZ - 1);
    const int descriptor = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const bool is_read = descriptor >= 0 && ::ioctl(descriptor, SIOCGIFFLAGS, &request) == 0;
    if (descriptor >= 0) {
        ::close(descriptor);
    }
    if (is_read && (request.ifr_flags & IFF_UP) == 0) {
        result.problem = "interface " + name + " is down";
    }
    return result;
}

Request ipv4_route_request(int type,
                           int flags,
                           std::uint32_t metric,
                           const std::vector<NextHop>& next_hops) {
    Request request(type, flags);
    request.header(header_of(Family::Ipv4));
    request.attribute_u32(RTA_PRIORITY, metric);
    request.attribute(RTA_MULTIPATH, multipath(next_hops));
    return request;
}

Request ipv6_route_request(int type, int flags, std::uint32_t metric, const NextHop& next_hop) {
    Request request(type, flags);
    request.header(header_of(Family::Ipv6));
    request.attribute_u32(RTA_PRIORITY, metric);
    request.attribute(RTA_GATEWAY, next_hop.address.octets());
    request.attribute_u32(RTA_OIF,
                          static_cast<std::uint32_t>(outgoing_interface(next_hop.interface).index));
    return request;
}

} // namespace anyvip::vip::kernel
