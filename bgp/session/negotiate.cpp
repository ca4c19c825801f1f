// SPDX-License-Identifier: Apache-2.0
// Judging an OPEN: every refusal has its subcode and data here.
#include "bgp/session/negotiate.hpp"

#include <algorithm>
#include <limits>
#include <optional>
#include <string_view>
#include <utility>

#include "bgp/wire/registry.hpp"

namespace anyvip::bgp {

namespace {

constexpr std::uint32_t largest_two_octet_asn = std::numeric_limits<std::uint16_t>::max();
constexpr std::array both_families{Family::Ipv4, Family::Ipv6};

enum class OpenSubcode : std::uint8_t {
    BadPeerAs = 2,
    BadBgpIdentifier = 3,
    UnacceptableHoldTime = 6,
    UnsupportedCapability = 7,
    RoleMismatch = 11,
};

wire::Error refuse(OpenSubcode subcode,
                   std::string_view rule,
                   std::vector<std::uint8_t> data,
                   std::string why) {
    return wire::Error{.code = 2,
                       .subcode = std::to_underlying(subcode),
                       .severity = wire::Severity::Reset,
                       .rule = rule,
                       .data = std::move(data),
                       .detail = std::move(why)};
}

template <typename T> std::vector<std::uint8_t> octets_of(T value) {
    std::vector<std::uint8_t> octets;
    for (std::size_t i = sizeof(T); i-- > 0;) {
        octets.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
    }
    return octets;
}

template <typename T> bool is_in(const std::vector<T>& values, const T& value) {
    return std::ranges::find(values, value) != values.end();
}

std::array<bool, 2> families_of(const wire::Open& open) {
    if (!open.capabilities || open.capabilities->multiprotocol.empty()) {
        // RFC 4760 §8 asks for the capability; a speaker without any means IPv4 unicast.
        return {true, false};
    }
    const auto& listed = open.capabilities->multiprotocol;
    return {is_in(listed, wire::ipv4_unicast), is_in(listed, wire::ipv6_unicast)};
}

Asn asn_in(const wire::Open& open) {
    return open.capabilities && open.capabilities->four_octet_asn
               ? *open.capabilities->four_octet_asn
               : Asn{open.my_as};
}

bool is_known_internal(const PeerConfig& config, const Speaker& speaker) {
    return config.remote_as.kind == RemoteAs::Kind::Internal ||
           (config.remote_as.kind == RemoteAs::Kind::Number &&
            config.remote_as.number == speaker.asn);
}

/// RFC 9234 §4.2: provider 0 with customer 3, route server 1 with its client 2, peer 4 with peer.
bool roles_fit(std::uint8_t ours, std::uint8_t theirs) {
    return (ours <= 3 && ours + theirs == 3) || (ours == 4 && theirs == 4);
}

/// RFC 9234 §5: a route to a customer, a peer or a route server's client must not go up again.
bool marks_routes(const PeerConfig& config, bool is_internal) {
    constexpr std::array provider_server_peer{
        wire::role_provider, wire::role_route_server, wire::role_peer};
    return !is_internal && config.role &&
           std::ranges::find(provider_server_peer, *config.role) != provider_server_peer.end();
}

std::optional<wire::Error>
judge_asn(const wire::Open& theirs, const PeerConfig& config, const Speaker& speaker, Asn remote) {
    // The number that is wrong is that of the capability, when there is one and My AS is not 0.
    const bool from_capability =
        theirs.capabilities && theirs.capabilities->four_octet_asn && theirs.my_as != 0;
    const auto bad_peer_as = [&](std::string why) {
        return refuse(OpenSubcode::BadPeerAs,
                      "open-peer-as",
                      from_capability ? octets_of(remote.value) : octets_of(theirs.my_as),
                      std::move(why));
    };
    // RFC 7607 §2 and RFC 6793 §9: neither number belongs to anybody.
    if (theirs.my_as == 0 || remote.value == 0) {
        return bad_peer_as("AS number 0");
    }
    if (remote == as_trans) {
        return bad_peer_as("AS_TRANS is nobody's number");
    }
    const std::string got = "peer says AS " + to_string(remote);
    switch (config.remote_as.kind) {
    case RemoteAs::Kind::Number:
        if (remote != config.remote_as.number) {
            return bad_peer_as(got + ", configured is " + to_string(config.remote_as.number));
        }
        break;
    case RemoteAs::Kind::External:
        if (remote == speaker.asn) {
            return bad_peer_as(got + ", which is ours; configured is external");
        }
        break;
    case RemoteAs::Kind::Internal:
        if (remote != speaker.asn) {
            return bad_peer_as(got + ", configured is internal");
        }
        break;
    }
    return std::nullopt;
}

std::optional<wire::Error> judge_role(const wire::Open& theirs, const PeerConfig& config) {
    if (!config.role || !theirs.capabilities || !theirs.capabilities->role) {
        return std::nullopt;
    }
    if (theirs.capabilities->has_conflicting_roles ||
        !roles_fit(*config.role, *theirs.capabilities->role)) {
        return refuse(OpenSubcode::RoleMismatch, "open-role", {}, "roles do not fit (RFC 9234)");
    }
    return std::nullopt;
}

std::optional<wire::Error>
judge_header(const wire::Open& theirs, const Speaker& speaker, bool is_internal) {
    if (theirs.hold_time_s == 1 || theirs.hold_time_s == 2) {
        return refuse(OpenSubcode::UnacceptableHoldTime,
                      "open-hold-time",
                      octets_of(theirs.hold_time_s),
                      "hold time of " + std::to_string(theirs.hold_time_s) + " s");
    }
    // RFC 6286 §2.2: any number but 0, and unique inside one AS only.
    if (theirs.router_id.value == 0 || (is_internal && theirs.router_id == speaker.router_id)) {
        return refuse(OpenSubcode::BadBgpIdentifier,
                      "open-bgp-identifier",
                      octets_of(theirs.router_id.value),
                      "BGP identifier " + to_string(theirs.router_id));
    }
    return std::nullopt;
}

wire::Error no_common_family(const PeerConfig& config) {
    wire::Capabilities needed;
    for (const Family family : both_families) {
        if (config.families[std::to_underlying(family)]) {
            needed.multiprotocol.push_back(wire::afi_safi(family));
        }
    }
    return refuse(OpenSubcode::UnsupportedCapability,
                  "open-no-common-family",
                  wire::encode_capabilities(needed),
                  "no address family in common");
}

void fill_capabilities(Negotiated& result, const wire::Open& ours, const wire::Open& theirs) {
    if (!ours.capabilities || !theirs.capabilities) {
        return;
    }
    const wire::Capabilities& mine = *ours.capabilities;
    const wire::Capabilities& peer = *theirs.capabilities;
    result.four_octet_asn = peer.four_octet_asn.has_value();
    result.route_refresh = peer.route_refresh;
    result.enhanced_route_refresh = peer.enhanced_route_refresh;
    const wire::ExtendedNextHop tuple{.nlri_afi = 1, .nlri_safi = 1, .next_hop_afi = 2};
    result.extended_next_hop =
        is_in(mine.extended_next_hop, tuple) && is_in(peer.extended_next_hop, tuple);
    result.peer_graceful_restart = peer.graceful_restart && !peer.graceful_restart->tuples.empty();
    for (const Family family : both_families) {
        const std::size_t index = std::to_underlying(family);
        // RFC 7911 §4: 2 send, 3 both; other values are ignored. We only receive.
        result.add_path[index] =
            result.families[index] && std::ranges::any_of(peer.add_path, [&](const auto& entry) {
                return entry.family == wire::afi_safi(family) &&
                       (entry.send_receive == 2 || entry.send_receive == 3);
            });
    }
}

void fill_notices(Negotiated& result, const wire::Open& theirs, const PeerConfig& config) {
    const bool has_both = theirs.capabilities && theirs.capabilities->four_octet_asn;
    if (has_both && theirs.my_as != as_trans.value && theirs.my_as != result.remote_asn.value) {
        result.notices.push_back("OPEN says AS " + std::to_string(theirs.my_as) +
                                 ", its four-octet AS capability " + to_string(result.remote_asn) +
                                 ": the capability counts");
    }
    if (result.hold_time == std::chrono::seconds{0}) {
        result.notices.emplace_back("hold time 0 negotiated: a dead router will not be noticed");
    }
    for (const Family family : both_families) {
        const std::size_t index = std::to_underlying(family);
        if (config.families[index] && !result.families[index]) {
            result.notices.push_back("the router does not offer " + std::string(to_string(family)) +
                                     " unicast");
        }
    }
}

} // namespace

wire::Open make_open(const PeerConfig& config, const Speaker& speaker, bool with_capabilities) {
    wire::Open open;
    open.my_as = static_cast<std::uint16_t>(
        speaker.asn.value > largest_two_octet_asn ? as_trans.value : speaker.asn.value);
    open.hold_time_s = static_cast<std::uint16_t>(config.hold_time.count());
    open.router_id = speaker.router_id;
    if (!with_capabilities) {
        return open;
    }
    wire::Capabilities& offered = open.capabilities.emplace();
    for (const Family family : both_families) {
        if (config.families[std::to_underlying(family)]) {
            offered.multiprotocol.push_back(wire::afi_safi(family));
            offered.add_path.push_back({.family = wire::afi_safi(family), .send_receive = 1});
        }
    }
    if (config.extended_next_hop) {
        offered.extended_next_hop.push_back({.nlri_afi = 1, .nlri_safi = 1, .next_hop_afi = 2});
    }
    if (config.role && !is_known_internal(config, speaker)) {
        offered.role = config.role;
    }
    offered.route_refresh = true;
    offered.enhanced_route_refresh = true;
    offered.four_octet_asn = speaker.asn;
    // Helper only: no family is listed, for a dead node's routes must not be kept (RFC 4724 §3).
    offered.graceful_restart.emplace();
    return open;
}

Speaker speaker_in(const wire::Open& ours) {
    return {asn_in(ours), ours.router_id};
}

std::expected<Negotiated, wire::Error>
negotiate(const wire::Open& ours, const wire::Open& theirs, const PeerConfig& config) {
    const Speaker speaker = speaker_in(ours);
    Negotiated result;
    result.remote_asn = asn_in(theirs);
    result.remote_id = theirs.router_id;
    result.is_internal = result.remote_asn == speaker.asn;
    if (auto error = judge_asn(theirs, config, speaker, result.remote_asn)) {
        return std::unexpected(std::move(*error));
    }
    if (auto error = judge_header(theirs, speaker, result.is_internal)) {
        return std::unexpected(std::move(*error));
    }
    if (auto error = result.is_internal ? std::nullopt : judge_role(theirs, config)) {
        return std::unexpected(std::move(*error));
    }
    result.only_to_customer = marks_routes(config, result.is_internal);
    result.hold_time = std::chrono::seconds{std::min(ours.hold_time_s, theirs.hold_time_s)};
    const auto mine = families_of(ours);
    const auto peer = families_of(theirs);
    result.families = {mine[0] && peer[0], mine[1] && peer[1]};
    if (!result.families[0] && !result.families[1]) {
        return std::unexpected(no_common_family(config));
    }
    fill_capabilities(result, ours, theirs);
    fill_notices(result, theirs, config);
    return result;
}

bool can_go_without_capabilities(const PeerConfig& config, const Speaker& speaker) {
    const bool is_ipv4_only = config.families[0] && !config.families[1];
    const bool has_small_asns = speaker.asn.value <= largest_two_octet_asn &&
                                config.remote_as.number.value <= largest_two_octet_asn;
    return is_ipv4_only && has_small_asns && !config.extended_next_hop;
}

} // namespace anyvip::bgp
