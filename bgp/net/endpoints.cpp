// SPDX-License-Identifier: Apache-2.0
// What the host knows of a connected socket.
#include "bgp/net/endpoints.hpp"

#include <ifaddrs.h>
#include <net/if.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "bgp/net/socket_address.hpp"

namespace anyvip::bgp::net {
namespace {

using InterfaceAddresses = std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)>;

InterfaceAddresses list_addresses() {
    ifaddrs* list = nullptr;
    if (::getifaddrs(&list) != 0) {
        list = nullptr;
    }
    return {list, &::freeifaddrs};
}

/// The interface that has this address; a link-local one is unique only together with its scope.
std::string find_owner(const ifaddrs* list, const SocketAddress& local) {
    for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
        const auto found = from_raw(entry->ifa_addr);
        if (found && found->address == local.address && found->scope == local.scope) {
            return entry->ifa_name;
        }
    }
    return {};
}

std::uint8_t mask_length(const sockaddr* mask) {
    const auto address = from_raw(mask);
    int bits = 0;
    if (address) {
        for (const std::uint8_t octet : address->address.octets()) {
            bits += std::popcount(octet);
        }
    }
    return static_cast<std::uint8_t>(bits);
}

void add_subnet(std::vector<Prefix>& subnets, const IpAddress& address, std::uint8_t length) {
    const Prefix subnet = Prefix::of(address, length);
    if (std::ranges::find(subnets, subnet) == subnets.end()) {
        subnets.push_back(subnet);
    }
}

void add_next_hop_candidate(Endpoints& ends, const IpAddress& address) {
    std::optional<IpAddress>& place = address.is_v4()           ? ends.interface_ipv4
                                      : address.is_link_local() ? ends.interface_link_local
                                                                : ends.interface_ipv6;
    if (!place && !address.is_loopback()) {
        place = address;
    }
}

} // namespace

std::optional<Endpoints> read_endpoints(int socket, const std::set<IpAddress>& vips) {
    const auto local = local_end(socket);
    const auto remote = remote_end(socket);
    if (!local || !remote) {
        return std::nullopt;
    }
    Endpoints ends;
    ends.local = local->address;
    ends.remote = remote->address;
    const InterfaceAddresses list = list_addresses();
    ends.interface = find_owner(list.get(), *local);
    for (const ifaddrs* entry = list.get(); entry != nullptr; entry = entry->ifa_next) {
        const auto own = from_raw(entry->ifa_addr);
        if (!own || ends.interface != entry->ifa_name || vips.contains(own->address)) {
            continue;
        }
        const std::uint8_t length = mask_length(entry->ifa_netmask);
        add_subnet(ends.local_subnets, own->address, length);
        // On a point-to-point interface the connected subnet is that of the other end.
        const auto other = from_raw(entry->ifa_dstaddr);
        if ((entry->ifa_flags & IFF_POINTOPOINT) != 0 && other) {
            add_subnet(ends.local_subnets, other->address, length);
        }
        add_next_hop_candidate(ends, own->address);
    }
    return ends;
}

} // namespace anyvip::bgp::net
