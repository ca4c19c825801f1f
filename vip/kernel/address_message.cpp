// SPDX-License-Identifier: Apache-2.0
#include "vip/kernel/address_message.hpp"

#include <array>
#include <cstring>

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <sys/socket.h>

namespace anyvip::vip::kernel {

namespace {

/// The fixed part and the attributes of a message, or nothing when it is too short.
template <typename Header, std::size_t Size>
const Header* parse(nlmsghdr& message, std::array<nlattr*, Size>& attributes) {
    if (nlmsg_parse(
            &message, sizeof(Header), attributes.data(), static_cast<int>(Size) - 1, nullptr) < 0) {
        return nullptr;
    }
    return static_cast<const Header*>(nlmsg_data(&message));
}

Request address_request(int type, int flags, int index, const Prefix& prefix) {
    Request request(type, flags);
    request.header(ifaddrmsg{
        .ifa_family =
            static_cast<std::uint8_t>(prefix.family() == Family::Ipv4 ? AF_INET : AF_INET6),
        .ifa_prefixlen = prefix.length_bits(),
        .ifa_flags = 0,
        .ifa_scope = static_cast<std::uint8_t>(prefix.family() == Family::Ipv4 ? RT_SCOPE_LINK
                                                                               : RT_SCOPE_UNIVERSE),
        .ifa_index = static_cast<std::uint32_t>(index)});
    request.attribute(IFA_LOCAL, prefix.address().octets());
    request.attribute(IFA_ADDRESS, prefix.address().octets());
    return request;
}

} // namespace

std::optional<LinkMessage> parse_link(nlmsghdr& message) {
    std::array<nlattr*, IFLA_MAX + 1> attributes{};
    const auto* header = parse<ifinfomsg>(message, attributes);
    // A bridge tells of its ports in its own family: there DELLINK means "left the bridge".
    if (header == nullptr || header->ifi_family != AF_UNSPEC ||
        attributes[IFLA_IFNAME] == nullptr) {
        return std::nullopt;
    }
    return LinkMessage{.index = header->ifi_index,
                       .name = nla_get_string(attributes[IFLA_IFNAME]),
                       .is_up = (header->ifi_flags & IFF_UP) != 0,
                       .is_gone = message.nlmsg_type == RTM_DELLINK};
}

std::optional<AddressMessage> parse_address(nlmsghdr& message) {
    std::array<nlattr*, IFA_MAX + 1> attributes{};
    const auto* header = parse<ifaddrmsg>(message, attributes);
    if (header == nullptr || (header->ifa_family != AF_INET && header->ifa_family != AF_INET6)) {
        return std::nullopt;
    }
    // On a point-to-point link IFA_ADDRESS is the other end; the own one is IFA_LOCAL.
    const auto octets =
        octets_of(attributes[attributes[IFA_LOCAL] != nullptr ? IFA_LOCAL : IFA_ADDRESS]);
    if (octets.size() != (header->ifa_family == AF_INET ? 4U : 16U)) {
        return std::nullopt;
    }
    AddressMessage result;
    result.is_gone = message.nlmsg_type == RTM_DELADDR;
    result.index = static_cast<int>(header->ifa_index);
    result.address = {IpAddress::from_octets(octets), header->ifa_prefixlen};
    const std::uint32_t flags = attributes[IFA_FLAGS] != nullptr
                                    ? nla_get_u32(attributes[IFA_FLAGS])
                                    : std::uint32_t{header->ifa_flags};
    const bool is_undecided = (flags & IFA_F_TENTATIVE) != 0 && (flags & IFA_F_OPTIMISTIC) == 0;
    result.is_usable = !is_undecided && (flags & IFA_F_DADFAILED) == 0;
    result.is_like_ours = header->ifa_family == AF_INET ? header->ifa_scope == RT_SCOPE_LINK
                                                        : (flags & IFA_F_DEPRECATED) != 0;
    if (attributes[IFA_PROTO] != nullptr) {
        result.mark = nla_get_u8(attributes[IFA_PROTO]);
    }
    return result;
}

/// Neither family's VIP becomes the source of other traffic: IPv4 by scope link, IPv6 by preferred
/// lifetime 0. Duplicate address detection would delay it, and every node of an anycast group is a
/// duplicate. A route to the whole of a shorter prefix is not wanted beside the local one.
Request add_request(int index, const Prefix& prefix, bool with_mark) {
    Request request = address_request(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, index, prefix);
    std::uint32_t flags = prefix.is_host() ? 0 : IFA_F_NOPREFIXROUTE;
    if (prefix.family() == Family::Ipv6) {
        flags |= IFA_F_NODAD;
        const ifa_cacheinfo lifetimes{
            .ifa_prefered = 0, .ifa_valid = 0xFFFFFFFF, .cstamp = 0, .tstamp = 0};
        std::array<std::uint8_t, sizeof lifetimes> octets{};
        std::memcpy(octets.data(), &lifetimes, sizeof lifetimes);
        request.attribute(IFA_CACHEINFO, octets);
    }
    request.attribute_u32(IFA_FLAGS, flags);
    if (with_mark) {
        request.attribute_u8(IFA_PROTO, address_mark); // libnl 3.7 has no name for it
    }
    return request;
}

Request remove_request(int index, const Prefix& prefix) {
    return address_request(RTM_DELADDR, 0, index, prefix);
}

} // namespace anyvip::vip::kernel
