// SPDX-License-Identifier: Apache-2.0
// Router Advertisement and Solicitation.
#include "bgp/net/neighbour_discovery.hpp"

namespace anyvip::bgp::net {
namespace {

constexpr std::size_t advertisement_octets = 16;
constexpr std::size_t solicitation_octets = 8;
constexpr std::uint8_t option_source_link_layer = 1;

/// Hop limit 255 proves that no router has forwarded it; every option has a length other than 0
/// and ends within the message.
bool is_valid(const IcmpMessage& message, std::uint8_t type, std::size_t header_octets) {
    const auto octets = message.octets;
    if (message.hop_limit != 255 || octets.size() < header_octets || octets[0] != type ||
        octets[1] != 0) {
        return false;
    }
    std::size_t at = header_octets;
    while (at + 2 <= octets.size() && octets[at + 1] != 0) {
        at += 8U * octets[at + 1];
    }
    return at == octets.size();
}

void append_source(std::vector<std::uint8_t>& octets, const std::optional<MacAddress>& mac) {
    if (mac) {
        octets.push_back(option_source_link_layer);
        octets.push_back(1); // in units of 8 octets
        octets.insert(octets.end(), mac->begin(), mac->end());
    }
}

} // namespace

//  0               1               2               3
// +---------------+---------------+-------------------------------+
// | type 134      | code 0        | checksum                      |
// +---------------+---------------+-------------------------------+
// | hop limit     | M O reserved  | router lifetime, seconds      |
// +---------------+---------------+-------------------------------+
// | reachable time, ms                                            |
// | retransmission timer, ms                                      |
// +---------------------------------------------------------------+
// | options: type, length in 8 octets, value                      |
std::optional<std::chrono::seconds> router_lifetime(const IcmpMessage& message) {
    // RFC 4861 §6.1.2: routers advertise from their link-local address only.
    if (!message.source.is_v6() || !message.source.is_link_local() ||
        !is_valid(message, icmp_router_advertisement, advertisement_octets)) {
        return std::nullopt;
    }
    return std::chrono::seconds(message.octets[6] << 8 | message.octets[7]);
}

bool is_router_solicitation(const IcmpMessage& message) {
    return is_valid(message, icmp_router_solicitation, solicitation_octets);
}

std::vector<std::uint8_t> router_advertisement(const std::optional<MacAddress>& mac) {
    std::vector<std::uint8_t> octets(advertisement_octets);
    octets[0] = icmp_router_advertisement;
    append_source(octets, mac);
    return octets;
}

std::vector<std::uint8_t> router_solicitation(const std::optional<MacAddress>& mac) {
    std::vector<std::uint8_t> octets(solicitation_octets);
    octets[0] = icmp_router_solicitation;
    append_source(octets, mac);
    return octets;
}

} // namespace anyvip::bgp::net
