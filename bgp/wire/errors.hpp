// SPDX-License-Identifier: Apache-2.0
// The error catalogue of the codec: one factory for each rule that a received message can break,
// with the NOTIFICATION it deserves and the severity that RFC 7606 gives it. `strict_rfc4271`
// raises severities later, in the judge of UPDATEs.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "bgp/types.hpp"
#include "bgp/wire/attribute.hpp"
#include "bgp/wire/error.hpp"
#include "bgp/wire/open.hpp"

namespace anyvip::bgp::wire::errors {

// ---- header, RFC 4271 §6.1

[[nodiscard]] Error connection_not_synchronized();
[[nodiscard]] Error bad_message_length(std::uint16_t length_octets);
[[nodiscard]] Error bad_message_type(std::uint8_t type);
/// RFC 7313 §5: the data is the whole message.
[[nodiscard]] Error bad_route_refresh_length(std::span<const std::uint8_t> message);

// ---- OPEN, RFC 4271 §6.2

[[nodiscard]] Error unsupported_version(std::uint8_t version);
/// Optional parameters whose lengths contradict each other or the message.
[[nodiscard]] Error malformed_parameters(std::string_view detail);
[[nodiscard]] Error unsupported_parameter(std::uint8_t type);
/// A capability that decides about the session and has an impossible length.
[[nodiscard]] Error malformed_capability(std::uint8_t code, std::size_t length_octets);
/// Capability 65 twice with different numbers.
[[nodiscard]] Error conflicting_asn(Asn first, Asn second);

// ---- UPDATE as a whole, RFC 4271 §6.3, RFC 7606 §3 to §5

[[nodiscard]] Error malformed_lengths();
/// `field`: "Withdrawn Routes" or "NLRI".
[[nodiscard]] Error invalid_network(std::string_view field);
[[nodiscard]] Error attribute_overrun(std::span<const std::uint8_t> rest);
[[nodiscard]] Error repeated_multiprotocol(const Attribute& attribute);
[[nodiscard]] Error duplicate_attribute(const Attribute& attribute);
[[nodiscard]] Error missing_attribute(AttributeType type);
/// RFC 9234 §5: ONLY_TO_CUSTOMER with this number where it must not come from.
[[nodiscard]] Error route_leak(Asn marked_by);
[[nodiscard]] Error unrecognized_well_known(const Attribute& attribute);
/// Routes of a family that was not negotiated: nothing is wrong that a NOTIFICATION could say.
[[nodiscard]] Error family_not_negotiated(AfiSafi family);
/// RFC 4271 §6.3: a prefix that cannot be a unicast route is ignored and logged.
[[nodiscard]] Error multicast_prefix();

// ---- single attributes, RFC 4271 §6.3, RFC 7606 §7; the severity is that of the attribute's row

[[nodiscard]] Error attribute_flags(const Attribute& attribute, Severity severity);
[[nodiscard]] Error attribute_length(const Attribute& attribute, Severity severity);
[[nodiscard]] Error invalid_origin(const Attribute& attribute);
[[nodiscard]] Error malformed_as_path(const Attribute& attribute, std::string_view detail);
/// RFC 7607 §2
[[nodiscard]] Error zero_in_as_path(const Attribute& attribute);
/// RFC 9774 §3
[[nodiscard]] Error set_in_as_path(const Attribute& attribute);
/// RFC 4271 §6.3: the leftmost AS must be the external peer's.
[[nodiscard]] Error wrong_first_as(const Attribute& attribute, Asn expected);
[[nodiscard]] Error invalid_next_hop(const Attribute& attribute, const IpAddress& next_hop);
/// A next hop in MP_REACH_NLRI that no packet can be sent to, such as the ::ffff:A.B.C.D of FRR on
/// IPv4 sessions. It is dropped, the path stays visible.
[[nodiscard]] Error unusable_next_hop(const Attribute& attribute, const IpAddress& next_hop);
/// RFC 4760 §7
[[nodiscard]] Error malformed_multiprotocol(const Attribute& attribute, std::string_view detail);
[[nodiscard]] Error malformed_aggregator(const Attribute& attribute, std::string_view detail);
/// RFC 6793 §6
[[nodiscard]] Error malformed_as4_path(const Attribute& attribute, std::string_view detail);
/// RFC 6793 §6: segments that must not be there; the others count.
[[nodiscard]] Error confederation_in_as4_path(const Attribute& attribute);
/// RFC 6793 §4.1: AS4_PATH and AS4_AGGREGATOR do not exist between four-octet speakers.
[[nodiscard]] Error as4_from_four_octet_speaker(const Attribute& attribute);
/// RFC 7606 §7.5, §7.9, §7.10: attributes of iBGP that came from an external peer.
[[nodiscard]] Error attribute_from_external_peer(const Attribute& attribute);

} // namespace anyvip::bgp::wire::errors
