// SPDX-License-Identifier: Apache-2.0
// RFC 7606 §7, one row a type: which flags and lengths it has, what a mistake in it costs, and the
// function that judges its value.
#include "bgp/wire/attribute_table.hpp"

#include <array>
#include <iterator>
#include <utility>

#include "bgp/wire/as_path.hpp"
#include "bgp/wire/errors.hpp"
#include "bgp/wire/multiprotocol.hpp"
#include "bgp/wire/reader.hpp"

namespace anyvip::bgp::wire {

namespace {

// The three kinds of attributes by their flags (RFC 4271 §5).
constexpr std::uint8_t well_known = flag_transitive;
constexpr std::uint8_t transitive = flag_optional | flag_transitive;
constexpr std::uint8_t optional = flag_optional;

constexpr LengthRule exactly(std::uint16_t octets) {
    return {octets, octets, 1};
}

/// One or more items.
constexpr LengthRule items_of(std::uint16_t octets) {
    return {octets, 0xFFFF, octets};
}

constexpr LengthRule at_least(std::uint16_t octets) {
    return {octets, 0xFFFF, 1};
}

void read_origin(UpdateJudge& judge, const Attribute& attribute) {
    const std::uint8_t origin = attribute.value.front();
    if (origin > 2) {
        judge.fault(errors::invalid_origin(attribute));
        return;
    }
    judge.update.origin = origin;
}

/// RFC 4271 §6.3: with an external peer the leftmost AS is the peer's, as far as two octets can
/// say it.
bool begins_with_peer(const PathCheck& path, const DecodeContext& context) {
    const bool is_hidden = !context.four_octet_asn && context.peer_asn.value > 0xFFFF;
    return context.is_internal || path.first_asn == (is_hidden ? as_trans : context.peer_asn);
}

void read_as_path(UpdateJudge& judge, const Attribute& attribute) {
    const PathCheck path = check_path(attribute.value, judge.context.four_octet_asn);
    if (!path.problem.empty()) {
        judge.fault(errors::malformed_as_path(attribute, path.problem));
        return;
    }
    if (path.has_confederation) {
        // RFC 5065 §5: we are in no confederation, so neither is the peer.
        judge.fault(errors::malformed_as_path(attribute, "confederation segment"));
        return;
    }
    if (path.has_zero) {
        judge.fault(errors::zero_in_as_path(attribute));
        return;
    }
    judge.update.as_path = attribute.value;
    judge.update.path_length = path.length;
    if (path.has_set) {
        judge.note(errors::set_in_as_path(attribute));
    } else if (!begins_with_peer(path, judge.context)) {
        judge.fault(errors::wrong_first_as(attribute, judge.context.peer_asn));
    }
}

/// RFC 4271 §6.3: an IP host address; RFC 7606 §7.3.
void read_next_hop(UpdateJudge& judge, const Attribute& attribute) {
    const IpAddress next_hop = IpAddress::from_octets(attribute.value);
    if (next_hop.is_unspecified() || next_hop.is_multicast() || next_hop.is_class_e()) {
        judge.fault(errors::invalid_next_hop(attribute, next_hop));
        return;
    }
    judge.update.next_hop = next_hop;
}

void read_med(UpdateJudge& judge, const Attribute& attribute) {
    judge.update.med = Reader(attribute.value).u32();
}

void read_local_pref(UpdateJudge& judge, const Attribute& attribute) {
    judge.update.local_pref = Reader(attribute.value).u32();
}

/// Nothing here uses the value; being well-formed is all that is asked.
void read_nothing(UpdateJudge&, const Attribute&) {}

/// RFC 7606 §7.7, RFC 7607 §2. The AS number is as wide as the session's.
void read_aggregator(UpdateJudge& judge, const Attribute& attribute) {
    const bool four_octet_asn =
        attribute.is(AttributeType::As4Aggregator) || judge.context.four_octet_asn;
    if (attribute.value.size() != (four_octet_asn ? 8U : 6U)) {
        judge.fault(errors::attribute_length(attribute, Severity::Discard));
        return;
    }
    Reader reader(attribute.value);
    const Asn asn{four_octet_asn ? reader.u32() : reader.u16()};
    if (asn.value == 0) {
        judge.note(errors::malformed_aggregator(attribute, "AS 0"));
    } else if (attribute.is(AttributeType::As4Aggregator)) {
        judge.has_as4_aggregator = true;
    } else if (!four_octet_asn && asn != as_trans) {
        judge.has_plain_aggregator = true;
    }
}

/// RFC 6793 §6: a malformed one is discarded, whatever else says so.
void read_as4_path(UpdateJudge& judge, const Attribute& attribute) {
    const PathCheck path = check_path(attribute.value, true);
    if (!path.problem.empty()) {
        judge.note(errors::malformed_as4_path(attribute, path.problem));
        return;
    }
    if (path.has_zero) {
        judge.note(errors::malformed_as4_path(attribute, "AS 0 in the path"));
        return;
    }
    if (path.has_set) {
        judge.note(errors::set_in_as_path(attribute)); // RFC 9774 §3 names AS4_PATH too
    }
    if (path.has_confederation) {
        // RFC 6793 §6: these segments go, what is left counts.
        // DEVIATION RFC 9774 §3: so does an AS_CONFED_SET; the route is not treated as withdrawn.
        judge.note(errors::confederation_in_as4_path(attribute));
    }
    judge.update.as4_path = attribute.value;
    judge.update.as4_path_length = path.length;
}

void read_communities(UpdateJudge& judge, const Attribute& attribute) {
    judge.update.communities = attribute.value;
}

void read_extended(UpdateJudge& judge, const Attribute& attribute) {
    judge.update.extended_communities = attribute.value;
}

void read_large(UpdateJudge& judge, const Attribute& attribute) {
    judge.update.large_communities = attribute.value;
}

void read_only_to_customer(UpdateJudge& judge, const Attribute& attribute) {
    judge.only_to_customer = Asn{Reader(attribute.value).u32()};
}

using enum AttributeType;
using enum Severity;
using enum Scope;

// clang-format off
constexpr AttributeRow rows[] = {
    // type               flags      mistake         from whom length       value
    {Origin,              well_known, TreatAsWithdraw, Everybody, exactly(1),   read_origin},
    {AsPath,              well_known, TreatAsWithdraw, Everybody, at_least(0),  read_as_path},
    {NextHop,             well_known, TreatAsWithdraw, Everybody, exactly(4),   read_next_hop},
    {MultiExitDisc,       optional,   TreatAsWithdraw, Everybody, exactly(4),   read_med},
    {LocalPref,           well_known, TreatAsWithdraw, Internal,  exactly(4),   read_local_pref},
    {AtomicAggregate,     well_known, Discard,         Everybody, exactly(0),   read_nothing},
    {Aggregator,          transitive, Discard,         Everybody, at_least(6),  read_aggregator},
    {Communities,         transitive, TreatAsWithdraw, Everybody, items_of(4),  read_communities},
    {OriginatorId,        optional,   TreatAsWithdraw, Internal,  exactly(4),   read_nothing},
    {ClusterList,         optional,   TreatAsWithdraw, Internal,  items_of(4),  read_nothing},
    {MpReachNlri,         optional,   AfiSafiDisable,  Everybody, at_least(5),  read_mp_reach},
    {MpUnreachNlri,       optional,   AfiSafiDisable,  Everybody, at_least(3),  read_mp_unreach},
    {ExtendedCommunities, transitive, TreatAsWithdraw, Everybody, items_of(8),  read_extended},
    {As4Path,             transitive, Discard,         TwoOctet,  at_least(6),  read_as4_path},
    {As4Aggregator,       transitive, Discard,         TwoOctet,  exactly(8),   read_aggregator},
    {LargeCommunities,    transitive, TreatAsWithdraw, Everybody, items_of(12), read_large},
    {OnlyToCustomer,      transitive, TreatAsWithdraw, WithRole,  exactly(4),   read_only_to_customer},
};
// clang-format on

/// Row number plus one by type; 0: no row.
constexpr auto row_of_type = [] {
    std::array<std::uint8_t, 256> index{};
    for (std::size_t i = 0; i < std::size(rows); ++i) {
        index[static_cast<std::uint8_t>(rows[i].type)] = static_cast<std::uint8_t>(i + 1);
    }
    return index;
}();

} // namespace

const AttributeRow* find_row(std::uint8_t type, const DecodeContext& context) {
    const std::size_t number = row_of_type[type];
    const AttributeRow* row = number == 0 ? nullptr : &rows[number - 1];
    return row != nullptr && row->scope == WithRole && !context.role ? nullptr : row;
}

void judge_attribute(UpdateJudge& judge, const AttributeRow& row, const Attribute& attribute) {
    if (row.scope == Internal && !judge.context.is_internal) {
        judge.note(errors::attribute_from_external_peer(attribute));
        return;
    }
    if (row.scope == TwoOctet && judge.context.four_octet_asn) {
        judge.note(errors::as4_from_four_octet_speaker(attribute));
        return;
    }
    // RFC 7606 §3 c: only Optional and Transitive are compared.
    const bool has_wrong_flags = (attribute.flags & flags_of_type) != row.flags;
    if (!has_wrong_flags && row.length.allows(attribute.value.size())) {
        row.read(judge, attribute);
        return;
    }
    if (row.on_error == AfiSafiDisable) {
        multiprotocol_header_fault(judge, attribute, has_wrong_flags ? "wrong flags" : "too short");
        return;
    }
    Error error = has_wrong_flags ? errors::attribute_flags(attribute, row.on_error)
                                  : errors::attribute_length(attribute, row.on_error);
    if (row.scope == TwoOctet || row.scope == WithRole) {
        judge.note(std::move(error)); // RFC 6793 §6, RFC 9234 §5: never more than this
    } else {
        judge.fault(std::move(error));
    }
}

} // namespace anyvip::bgp::wire
