// SPDX-License-Identifier: Apache-2.0
// One question to the routing table (rtnetlink).
#include "bgp/net/gateway.hpp"

#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>

#include "bgp/net/file_descriptor.hpp"
#include "bgp/net/socket_address.hpp"

namespace anyvip::bgp::net {
namespace {

/// RTM_GETROUTE for one destination, and for one source where that is configured.
struct Question {
    alignas(NLMSG_ALIGNTO) std::array<std::uint8_t, 128> octets{};
    std::size_t size = NLMSG_LENGTH(sizeof(rtmsg));

    explicit Question(const IpAddress& destination) {
        rtmsg route{};
        route.rtm_family = static_cast<unsigned char>(domain_of(destination.family()));
        route.rtm_dst_len = host_length(destination.family());
        std::memcpy(&octets.at(NLMSG_HDRLEN), &route, sizeof route);
        add(RTA_DST, destination.octets());
    }

    void add(std::uint16_t type, std::span<const std::uint8_t> value) {
        const rtattr header{static_cast<std::uint16_t>(RTA_LENGTH(value.size())), type};
        std::memcpy(&octets.at(size), &header, sizeof header);
        std::memcpy(&octets.at(size + RTA_LENGTH(0)), value.data(), value.size());
        size += RTA_SPACE(value.size());
    }

    [[nodiscard]] std::span<const std::uint8_t> message() {
        const nlmsghdr header{static_cast<std::uint32_t>(size), RTM_GETROUTE, NLM_F_REQUEST, 1, 0};
        std::memcpy(octets.data(), &header, sizeof header);
        return std::span(octets).first(size);
    }
};

IpAddress address_of(std::span<const std::uint8_t> octets) {
    return octets.size() == 4 || octets.size() == 16 ? IpAddress::from_octets(octets) : IpAddress();
}

/// RTA_GATEWAY, or RTA_VIA, whose address behind two octets is of the other family.
std::optional<IpAddress> gateway_in(std::span<const std::uint8_t> answer) {
    nlmsghdr header{};
    std::size_t at = NLMSG_LENGTH(sizeof(rtmsg));
    if (answer.size() < at) {
        return std::nullopt;
    }
    std::memcpy(&header, answer.data(), sizeof header);
    if (header.nlmsg_type != RTM_NEWROUTE) {
        return std::nullopt;
    }
    while (answer.size() >= at + sizeof(rtattr)) {
        rtattr attribute{};
        std::memcpy(&attribute, &answer[at], sizeof attribute);
        if (attribute.rta_len < RTA_LENGTH(0) || attribute.rta_len > answer.size() - at) {
            break;
        }
        const auto value = answer.subspan(at, attribute.rta_len).subspan(RTA_LENGTH(0));
        if (attribute.rta_type == RTA_GATEWAY) {
            return address_of(value);
        }
        if (attribute.rta_type == RTA_VIA && value.size() > 2) {
            return address_of(value.subspan(2));
        }
        at += RTA_ALIGN(attribute.rta_len);
    }
    return std::nullopt;
}

} // namespace

std::string find_gateway_problem(const NetConfig& config) {
    if (!config.address || config.address->is_link_local()) {
        return {};
    }
    Question question(*config.address);
    if (config.local_address && config.local_address->family() == config.address->family()) {
        question.add(RTA_SRC, config.local_address->octets());
    }
    const FileDescriptor netlink(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
    const auto message = question.message();
    std::array<std::uint8_t, 4096> buffer{};
    const ssize_t sent = ::send(netlink.get(), message.data(), message.size(), 0);
    // The kernel answers within the call that asks.
    const ssize_t size =
        sent < 0 ? -1 : ::recv(netlink.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (size <= 0) {
        return {};
    }
    const auto gateway = gateway_in(std::span(buffer).first(static_cast<std::size_t>(size)));
    // One that is its own gateway ("via X onlink", a host route of its own) is on the link.
    if (!gateway || *gateway == *config.address) {
        return {};
    }
    return anyvip::to_string(*config.address) + " is reached through " +
           anyvip::to_string(*gateway) + ", not on a connected subnet: set multihop";
}

} // namespace anyvip::bgp::net
