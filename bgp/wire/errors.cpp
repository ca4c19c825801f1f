// SPDX-License-Identifier: Apache-2.0
// The catalogue: code, subcode, severity, rule, data and text of every error, one function each.
#include "bgp/wire/errors.hpp"

#include <algorithm>
#include <utility>

namespace anyvip::bgp::wire::errors {

namespace {

using Octets = std::span<const std::uint8_t>;

/// NOTIFICATION data that still fits into a message of 4096 octets.
constexpr std::size_t max_data_octets = 4096 - 21;

std::vector<std::uint8_t> copy(Octets octets) {
    const auto fitting = octets.first(std::min(octets.size(), max_data_octets));
    return {fitting.begin(), fitting.end()};
}

std::vector<std::uint8_t> big_endian(std::uint16_t value) {
    return {static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value)};
}

Error header_error(std::uint8_t subcode,
                   std::string_view rule,
                   std::vector<std::uint8_t> data,
                   std::string detail) {
    return {1, subcode, Severity::Reset, rule, std::move(data), std::move(detail)};
}

Error open_error(std::uint8_t subcode,
                 std::string_view rule,
                 std::vector<std::uint8_t> data,
                 std::string detail) {
    return {2, subcode, Severity::Reset, rule, std::move(data), std::move(detail)};
}

Error update_error(std::uint8_t subcode,
                   Severity severity,
                   std::string_view rule,
                   std::vector<std::uint8_t> data,
                   std::string detail) {
    return {3, subcode, severity, rule, std::move(data), std::move(detail)};
}

/// RFC 4271 §6.3: the data of attribute errors is the erroneous attribute.
Error attribute_error(std::uint8_t subcode,
                      Severity severity,
                      std::string_view rule,
                      const Attribute& attribute,
                      std::string_view detail) {
    return update_error(subcode,
                        severity,
                        rule,
                        copy(attribute.whole),
                        attribute_name(attribute.type) + ": " + std::string(detail));
}

} // namespace

// ---- header

Error connection_not_synchronized() {
    return header_error(1, "header-marker", {}, "marker is not all ones");
}

Error bad_message_length(std::uint16_t length_octets) {
    return header_error(2,
                        "header-length",
                        big_endian(length_octets),
                        "message length " + std::to_string(length_octets));
}

Error bad_message_type(std::uint8_t type) {
    return header_error(3, "header-type", {type}, "message type " + std::to_string(type));
}

Error bad_route_refresh_length(Octets message) {
    return {7,
            1,
            Severity::Reset,
            "route-refresh-length",
            copy(message),
            "ROUTE-REFRESH of " + std::to_string(message.size()) + " octets"};
}

// ---- OPEN

Error unsupported_version(std::uint8_t version) {
    // RFC 4271 §6.2: the data is the largest version that we support.
    return open_error(1, "open-version", big_endian(4), "version " + std::to_string(version));
}

Error malformed_parameters(std::string_view detail) {
    return open_error(0, "open-parameters", {}, std::string(detail));
}

Error unsupported_parameter(std::uint8_t type) {
    return open_error(
        4, "open-parameter-type", {}, "optional parameter type " + std::to_string(type));
}

Error malformed_capability(std::uint8_t code, std::size_t length_octets) {
    return open_error(0,
                      "open-capability-length",
                      {},
                      "capability " + std::to_string(code) + " of " +
                          std::to_string(length_octets) + " octets");
}

Error conflicting_asn(Asn first, Asn second) {
    std::vector<std::uint8_t> data = big_endian(static_cast<std::uint16_t>(second.value >> 16));
    const auto low = big_endian(static_cast<std::uint16_t>(second.value));
    data.insert(data.end(), low.begin(), low.end());
    return open_error(2,
                      "open-conflicting-asn",
                      std::move(data),
                      "capability 65 says both AS " + to_string(first) + " and AS " +
                          to_string(second));
}

// ---- UPDATE as a whole

Error malformed_lengths() {
    return update_error(1, Severity::Reset, "update-lengths", {}, "lengths exceed the message");
}

Error invalid_network(std::string_view field) {
    return update_error(10,
                        Severity::Reset,
                        "invalid-network",
                        {},
                        std::string(field) + ": prefix too long or cut off");
}

Error attribute_overrun(Octets rest) {
    return update_error(1,
                        Severity::TreatAsWithdraw,
                        "attribute-overrun",
                        copy(rest),
                        "an attribute exceeds Total Path Attribute Length");
}

Error repeated_multiprotocol(const Attribute& attribute) {
    return attribute_error(
        1, Severity::Reset, "repeated-multiprotocol", attribute, "appears twice");
}

Error duplicate_attribute(const Attribute& attribute) {
    return attribute_error(
        1, Severity::Discard, "duplicate-attribute", attribute, "appears twice, the first counts");
}

Error missing_attribute(AttributeType type) {
    const auto number = static_cast<std::uint8_t>(type);
    return update_error(3,
                        Severity::TreatAsWithdraw,
                        "missing-attribute",
                        {number},
                        attribute_name(number) + " is missing");
}

Error route_leak(Asn marked_by) {
    return update_error(9,
                        Severity::TreatAsWithdraw,
                        "route-leak",
                        {},
                        "route leak: ONLY_TO_CUSTOMER of AS " + to_string(marked_by));
}

Error unrecognized_well_known(const Attribute& attribute) {
    return attribute_error(2,
                           Severity::TreatAsWithdraw,
                           "unrecognized-well-known",
                           attribute,
                           "well-known by its flags, but not known");
}

Error family_not_negotiated(AfiSafi family) {
    return update_error(9,
                        Severity::None,
                        "family-not-negotiated",
                        {},
                        "routes of AFI " + std::to_string(family.afi) + " SAFI " +
                            std::to_string(family.safi) + " ignored");
}

Error multicast_prefix() {
    return update_error(10, Severity::None, "multicast-prefix", {}, "multicast prefix ignored");
}

// ---- single attributes

Error attribute_flags(const Attribute& attribute, Severity severity) {
    return attribute_error(4,
                           severity,
                           "attribute-flags",
                           attribute,
                           "flags " + std::to_string(attribute.flags) + " conflict with the type");
}

Error attribute_length(const Attribute& attribute, Severity severity) {
    return attribute_error(5,
                           severity,
                           "attribute-length",
                           attribute,
                           "length " + std::to_string(attribute.value.size()));
}

Error invalid_origin(const Attribute& attribute) {
    return attribute_error(6,
                           Severity::TreatAsWithdraw,
                           "origin",
                           attribute,
                           "value " + std::to_string(attribute.value.front()));
}

Error malformed_as_path(const Attribute& attribute, std::string_view detail) {
    return attribute_error(11, Severity::TreatAsWithdraw, "as-path", attribute, detail);
}

Error zero_in_as_path(const Attribute& attribute) {
    return attribute_error(
        11, Severity::TreatAsWithdraw, "as-path-zero", attribute, "AS 0 in the path");
}

Error set_in_as_path(const Attribute& attribute) {
    return attribute_error(11,
                           Severity::TreatAsWithdraw,
                           "as-path-set",
                           attribute,
                           "AS_SET is deprecated and not accepted");
}

Error wrong_first_as(const Attribute& attribute, Asn expected) {
    return attribute_error(11,
                           Severity::TreatAsWithdraw,
                           "as-path-first-as",
                           attribute,
                           "does not begin with the peer's AS " + to_string(expected));
}

Error invalid_next_hop(const Attribute& attribute, const IpAddress& next_hop) {
    return attribute_error(8,
                           Severity::TreatAsWithdraw,
                           "next-hop",
                           attribute,
                           anyvip::to_string(next_hop) + " is no host address");
}

Error unusable_next_hop(const Attribute& attribute, const IpAddress& next_hop) {
    return attribute_error(8,
                           Severity::Discard,
                           "multiprotocol-next-hop",
                           attribute,
                           "next hop " + anyvip::to_string(next_hop) + " is not usable");
}

Error malformed_multiprotocol(const Attribute& attribute, std::string_view detail) {
    return attribute_error(9, Severity::AfiSafiDisable, "multiprotocol", attribute, detail);
}

Error malformed_aggregator(const Attribute& attribute, std::string_view detail) {
    return attribute_error(9, Severity::Discard, "aggregator", attribute, detail);
}

Error malformed_as4_path(const Attribute& attribute, std::string_view detail) {
    return attribute_error(9, Severity::Discard, "as4-path", attribute, detail);
}

Error confederation_in_as4_path(const Attribute& attribute) {
    return attribute_error(9,
                           Severity::Discard,
                           "as4-path-confederation",
                           attribute,
                           "confederation segments are left out");
}

Error as4_from_four_octet_speaker(const Attribute& attribute) {
    return attribute_error(9,
                           Severity::Discard,
                           "as4-from-four-octet-speaker",
                           attribute,
                           "has no place between four-octet speakers");
}

Error attribute_from_external_peer(const Attribute& attribute) {
    return attribute_error(9,
                           Severity::Discard,
                           "attribute-from-external-peer",
                           attribute,
                           "is not accepted from an external peer");
}

} // namespace anyvip::bgp::wire::errors
