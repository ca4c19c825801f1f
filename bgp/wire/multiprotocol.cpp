// SPDX-License-Identifier: Apache-2.0
// What the two multiprotocol attributes may hold. Where others reset the session, a malformed one
// disables its family (RFC 4760 §7, which RFC 7606 §7.11 leaves open), so that our own
// announcements live on.
#include "bgp/wire/multiprotocol.hpp"

#include <string>
#include <utility>

#include "bgp/wire/errors.hpp"
#include "bgp/wire/nlri.hpp"
#include "bgp/wire/reader.hpp"

namespace anyvip::bgp::wire {

namespace {

AfiSafi read_afi_safi(Reader& reader) {
    AfiSafi family;
    family.afi = reader.u16();
    family.safi = reader.u8();
    return family;
}

bool is_next_hop_length(std::size_t octets, Family family, const DecodeContext& context) {
    const bool is_v6 = octets == 16 || octets == 32;
    if (family == Family::Ipv6) {
        return is_v6;
    }
    return octets == 4 || (is_v6 && context.extended_next_hop); // RFC 8950 §4
}

bool is_usable(const IpAddress& address) {
    return !address.is_unspecified() && !address.is_multicast() && !address.is_v4_mapped() &&
           !address.is_class_e();
}

/// RFC 2545 §3: one IPv6 address, or a global and a link-local one. BIRD sends `::` and a
/// link-local address on sessions that have no global one.
NextHop parse_next_hop(std::span<const std::uint8_t> octets) {
    NextHop next_hop;
    if (octets.size() != 32) {
        next_hop.address = IpAddress::from_octets(octets);
        return next_hop;
    }
    next_hop.address = IpAddress::from_octets(octets.first(16));
    const IpAddress second = IpAddress::from_octets(octets.subspan(16));
    if (second.is_link_local()) {
        next_hop.link_local = second;
        if (next_hop.address.is_unspecified()) {
            next_hop.address = second;
        }
    }
    return next_hop;
}

/// The routes of both attributes. An empty range when they cannot be used.
NlriRange checked_routes(UpdateJudge& judge,
                         const Attribute& attribute,
                         Family family,
                         std::span<const std::uint8_t> octets) {
    const bool add_path = judge.context.add_path[static_cast<std::size_t>(family)];
    const NlriCheck check = check_nlri(octets, family, add_path);
    if (!check.is_well_formed) {
        judge.multiprotocol_fault(
            errors::malformed_multiprotocol(attribute, "prefix too long or cut off"),
            afi_safi(family));
        return {};
    }
    if (check.has_multicast) {
        judge.note(errors::multicast_prefix());
    }
    return {octets, family, add_path};
}

} // namespace

// +--------+------+--------+----------+----------+------ … ------+
// | AFI, 2 | SAFI | length | next hop | reserved | routes        |
// +--------+------+--------+----------+----------+------ … ------+
void read_mp_reach(UpdateJudge& judge, const Attribute& attribute) {
    Reader reader(attribute.value);
    const AfiSafi code = read_afi_safi(reader);
    const auto next_hop = reader.take(reader.u8());
    reader.u8();
    if (reader.failed()) {
        judge.multiprotocol_fault(
            errors::malformed_multiprotocol(attribute, "next hop exceeds the attribute"), code);
        return;
    }
    const auto family = negotiated_family(code, judge.context);
    if (!family) {
        judge.has_empty_reach = reader.empty();
        judge.note(errors::family_not_negotiated(code));
        return;
    }
    if (!is_next_hop_length(next_hop.size(), *family, judge.context)) {
        judge.multiprotocol_fault(
            errors::malformed_multiprotocol(
                attribute, "next hop of " + std::to_string(next_hop.size()) + " octets"),
            code);
        return;
    }
    judge.has_empty_reach = reader.empty();
    judge.update.mp_announced = checked_routes(judge, attribute, *family, reader.rest());
    const NextHop parsed = parse_next_hop(next_hop);
    if (!is_usable(parsed.address)) {
        judge.note(errors::unusable_next_hop(attribute, parsed.address));
        return;
    }
    judge.update.mp_next_hop = parsed;
}

// +--------+------+------ … ------+
// | AFI, 2 | SAFI | routes        |
// +--------+------+------ … ------+
void read_mp_unreach(UpdateJudge& judge, const Attribute& attribute) {
    Reader reader(attribute.value);
    const AfiSafi code = read_afi_safi(reader);
    const auto family = negotiated_family(code, judge.context);
    if (!family) {
        judge.note(errors::family_not_negotiated(code));
        return;
    }
    judge.update.mp_withdrawn = checked_routes(judge, attribute, *family, reader.rest());
}

void multiprotocol_header_fault(UpdateJudge& judge,
                                const Attribute& attribute,
                                std::string_view detail) {
    Error error = errors::malformed_multiprotocol(attribute, detail);
    const auto code = family_of(attribute);
    if (!code) {
        error.severity = Severity::Reset;
        judge.note(std::move(error));
        return;
    }
    judge.multiprotocol_fault(std::move(error), *code);
}

std::optional<AfiSafi> family_of(const Attribute& attribute) {
    Reader reader(attribute.value);
    const AfiSafi code = read_afi_safi(reader);
    return reader.failed() ? std::nullopt : std::optional{code};
}

} // namespace anyvip::bgp::wire
