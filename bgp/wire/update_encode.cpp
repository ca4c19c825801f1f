// SPDX-License-Identifier: Apache-2.0
// The UPDATEs that we send. One kind of routes a message and the multiprotocol attribute first
// (RFC 7606 §5.1), the others ascending (RFC 4271 §5); the Partial bit is never set, because we
// originate everything.
#include <algorithm>

#include "bgp/wire/nlri.hpp"
#include "bgp/wire/registry.hpp"
#include "bgp/wire/update.hpp"
#include "bgp/wire/writer.hpp"

namespace anyvip::bgp::wire {

namespace {

using Octets = std::vector<std::uint8_t>;

constexpr std::uint8_t well_known = flag_transitive;
constexpr std::uint8_t optional_transitive = flag_optional | flag_transitive;
constexpr std::uint8_t optional_non_transitive = flag_optional;

constexpr std::uint8_t origin_igp = 0;
constexpr std::uint32_t default_local_pref = 100;
constexpr std::size_t max_segment_asns = 255;

/// Space for attributes and routes: header, and the two length fields, go off.
constexpr std::size_t max_payload_octets = max_message_octets - header_octets - 4;

/// The longest form of flags, type and length.
constexpr std::size_t extended_header_octets = 4;

void write_header(Writer& writer, AttributeType type, std::uint8_t flags, std::size_t length) {
    const bool extended = length > 255;
    writer.u8(extended ? flags | flag_extended_length : flags);
    writer.u8(static_cast<std::uint8_t>(type));
    if (extended) {
        writer.u16(static_cast<std::uint16_t>(length));
    } else {
        writer.u8(static_cast<std::uint8_t>(length));
    }
}

enum class AsnWidth : std::uint8_t { Two = 2, Four = 4 };

/// `count` times one number as AS_SEQUENCE segments of at most 255 (RFC 4271 §4.3).
void write_path(Writer& writer, AttributeType type, Asn asn, std::size_t count, AsnWidth width) {
    const std::size_t segments = (count + max_segment_asns - 1) / max_segment_asns;
    const std::uint8_t flags = type == AttributeType::AsPath ? well_known : optional_transitive;
    write_header(writer, type, flags, segments * 2 + count * static_cast<std::size_t>(width));
    while (count > 0) {
        const std::size_t size = std::min(count, max_segment_asns);
        writer.u8(static_cast<std::uint8_t>(SegmentType::Sequence));
        writer.u8(static_cast<std::uint8_t>(size));
        for (std::size_t i = 0; i < size; ++i) {
            if (width == AsnWidth::Four) {
                writer.u32(asn.value);
            } else {
                writer.u16(static_cast<std::uint16_t>(asn.value));
            }
        }
        count -= size;
    }
}

/// AS_PATH; empty, but present, on iBGP (RFC 4271 §5.1.2).
void write_as_path(Writer& writer, std::size_t count, const EncodeContext& context) {
    const bool fits = context.local_asn.value <= 0xFFFF;
    const Asn asn = context.four_octet_asn || fits ? context.local_asn : as_trans;
    const AsnWidth width = context.four_octet_asn ? AsnWidth::Four : AsnWidth::Two;
    write_path(writer, AttributeType::AsPath, asn, count, width);
}

void write_u32(Writer& writer, AttributeType type, std::uint8_t flags, std::uint32_t value) {
    write_header(writer, type, flags, 4);
    writer.u32(value);
}

void write_communities(Writer& writer, const PathAttributes& attributes) {
    if (!attributes.communities.empty()) {
        write_header(writer,
                     AttributeType::Communities,
                     optional_transitive,
                     attributes.communities.size() * 4);
        for (const Community community : attributes.communities) {
            writer.u32(community.value);
        }
    }
    if (!attributes.extended_communities.empty()) {
        write_header(writer,
                     AttributeType::ExtendedCommunities,
                     optional_transitive,
                     attributes.extended_communities.size() * 8);
        for (const ExtendedCommunity community : attributes.extended_communities) {
            writer.u64(community.value);
        }
    }
}

void write_large_communities(Writer& writer, const PathAttributes& attributes) {
    if (attributes.large_communities.empty()) {
        return;
    }
    write_header(writer,
                 AttributeType::LargeCommunities,
                 optional_transitive,
                 attributes.large_communities.size() * 12);
    for (const LargeCommunity& community : attributes.large_communities) {
        writer.u32(community.global);
        writer.u32(community.local1);
        writer.u32(community.local2);
    }
}

/// Everything but the multiprotocol attribute. `classic`: NEXT_HOP belongs to IPv4 routes outside
/// of MP_REACH_NLRI only.
Octets
common_attributes(const PathAttributes& attributes, const EncodeContext& context, bool classic) {
    Octets octets;
    Writer writer(octets);
    const std::size_t path_count = context.is_internal ? 0 : attributes.path_count;
    write_header(writer, AttributeType::Origin, well_known, 1);
    writer.u8(origin_igp);
    write_as_path(writer, path_count, context);
    if (classic) {
        write_u32(writer, AttributeType::NextHop, well_known, attributes.next_hop.address.to_v4());
    }
    if (attributes.med) {
        write_u32(writer, AttributeType::MultiExitDisc, optional_non_transitive, *attributes.med);
    }
    if (context.is_internal) {
        // RFC 4271 §5.1.5: always to internal peers, never to external ones.
        write_u32(writer,
                  AttributeType::LocalPref,
                  well_known,
                  attributes.local_pref.value_or(default_local_pref));
    }
    write_communities(writer, attributes);
    if (!context.four_octet_asn && context.local_asn.value > 0xFFFF && path_count > 0) {
        // RFC 6793 §4.2.2: the path that AS_TRANS hides.
        write_path(writer, AttributeType::As4Path, context.local_asn, path_count, AsnWidth::Four);
    }
    write_large_communities(writer, attributes);
    if (context.only_to_customer) {
        write_u32(
            writer, AttributeType::OnlyToCustomer, optional_transitive, context.local_asn.value);
    }
    return octets;
}

/// How many leading prefixes fit into `space_octets`, and their size.
struct Fit {
    std::size_t count = 0;
    std::size_t size_octets = 0;
};

Fit fit(std::span<const Prefix> prefixes, std::size_t space_octets) {
    Fit result;
    for (const Prefix& prefix : prefixes) {
        const std::size_t size = encoded_octets(prefix);
        // At least one: the caller of an impossible route must not loop for ever.
        if (result.count > 0 && result.size_octets + size > space_octets) {
            break;
        }
        result.size_octets += size;
        ++result.count;
    }
    return result;
}

std::size_t space_behind(std::size_t used_octets) {
    return max_payload_octets - std::min(max_payload_octets, used_octets);
}

void write_prefixes(Writer& writer, std::span<const Prefix> prefixes) {
    for (const Prefix& prefix : prefixes) {
        write_prefix(writer, prefix);
    }
}

void write_afi_safi(Writer& writer, Family family) {
    writer.u16(afi_safi(family).afi);
    writer.u8(afi_safi(family).safi);
}

/// RFC 4760 §3:
// +------+------+--------+----------+----------+------ … ------+
// | AFI  | SAFI | length | next hop | reserved | routes        |
// +------+------+--------+----------+----------+------ … ------+
void write_mp_reach(Writer& writer, std::span<const Prefix> prefixes, const NextHop& next_hop) {
    write_afi_safi(writer, prefixes.front().family());
    const auto global = next_hop.address.octets();
    writer.u8(static_cast<std::uint8_t>(next_hop.link_local ? global.size() + 16 : global.size()));
    writer.octets(global);
    if (next_hop.link_local) {
        writer.octets(next_hop.link_local->octets()); // RFC 2545 §3
    }
    writer.u8(0);
    write_prefixes(writer, prefixes);
}

} // namespace

std::size_t encode_announce(std::span<const Prefix> prefixes,
                            const PathAttributes& attributes,
                            const EncodeContext& context,
                            std::vector<std::uint8_t>& out) {
    // IPv4 in MP_REACH_NLRI with an IPv4 next hop is legal, but OpenBGPD resets the session.
    const bool classic =
        prefixes.front().family() == Family::Ipv4 && attributes.next_hop.address.is_v4();
    const Octets common = common_attributes(attributes, context, classic);

    Writer writer(out);
    const std::size_t start = writer.begin_message(MessageType::Update);
    writer.u16(0); // Withdrawn Routes Length
    const std::size_t length_at = writer.position();
    writer.u16(0); // Total Path Attribute Length, filled in below
    Fit taken;
    if (classic) {
        taken = fit(prefixes, space_behind(common.size()));
        writer.octets(common);
        writer.patch_u16(length_at, common.size());
        write_prefixes(writer, prefixes.first(taken.count));
    } else {
        const std::size_t next_hop_octets =
            attributes.next_hop.address.octets().size() + (attributes.next_hop.link_local ? 16 : 0);
        const std::size_t fixed_octets = 3 + 1 + next_hop_octets + 1;
        taken = fit(prefixes, space_behind(extended_header_octets + fixed_octets + common.size()));
        write_header(writer,
                     AttributeType::MpReachNlri,
                     optional_non_transitive,
                     fixed_octets + taken.size_octets);
        write_mp_reach(writer, prefixes.first(taken.count), attributes.next_hop);
        writer.octets(common);
        writer.patch_u16(length_at, writer.position() - length_at - 2);
    }
    writer.end_message(start);
    return taken.count;
}

std::size_t encode_withdraw(std::span<const Prefix> prefixes,
                            bool multiprotocol,
                            std::vector<std::uint8_t>& out) {
    const Family family = prefixes.front().family();
    Writer writer(out);
    const std::size_t start = writer.begin_message(MessageType::Update);
    Fit taken;
    if (family == Family::Ipv4 && !multiprotocol) {
        taken = fit(prefixes, max_payload_octets);
        writer.u16(static_cast<std::uint16_t>(taken.size_octets));
        write_prefixes(writer, prefixes.first(taken.count));
        writer.u16(0);
    } else {
        taken = fit(prefixes, space_behind(extended_header_octets + 3));
        writer.u16(0);
        const std::size_t length_at = writer.position();
        writer.u16(0);
        write_header(
            writer, AttributeType::MpUnreachNlri, optional_non_transitive, 3 + taken.size_octets);
        write_afi_safi(writer, family);
        write_prefixes(writer, prefixes.first(taken.count));
        writer.patch_u16(length_at, writer.position() - length_at - 2);
    }
    writer.end_message(start);
    return taken.count;
}

void encode_end_of_rib(Family family, std::vector<std::uint8_t>& out) {
    Writer writer(out);
    const std::size_t start = writer.begin_message(MessageType::Update);
    writer.u16(0);
    if (family == Family::Ipv4) {
        writer.u16(0);
    } else {
        writer.u16(6);
        write_header(writer, AttributeType::MpUnreachNlri, optional_non_transitive, 3);
        write_afi_safi(writer, family);
    }
    writer.end_message(start);
}

} // namespace anyvip::bgp::wire
