// SPDX-License-Identifier: Apache-2.0
// Structure of a received UPDATE (RFC 4271 §4.3) in the order of RFC 7606: the three fields, the
// walk over the attributes, then what is missing and what follows.
#include <algorithm>
#include <bitset>
#include <string_view>
#include <utility>

#include "bgp/wire/attribute_table.hpp"
#include "bgp/wire/errors.hpp"
#include "bgp/wire/multiprotocol.hpp"
#include "bgp/wire/nlri.hpp"
#include "bgp/wire/reader.hpp"
#include "bgp/wire/update.hpp"
#include "bgp/wire/update_judge.hpp"

namespace anyvip::bgp::wire {

namespace {

using Octets = std::span<const std::uint8_t>;

/// The variable fields of an UPDATE.
struct Fields {
    Octets withdrawn;
    Octets attributes;
    Octets nlri;
};

// +----------------+-----------+-----------------+------------+------+
// | withdrawn      | withdrawn | total attribute | attributes | NLRI |
// | routes length,2| routes    | length, 2       |            |      |
// +----------------+-----------+-----------------+------------+------+
std::optional<Fields> split_fields(Octets body) {
    Reader reader(body);
    Fields fields;
    fields.withdrawn = reader.take(reader.u16());
    fields.attributes = reader.take(reader.u16());
    if (reader.failed()) {
        return std::nullopt;
    }
    fields.nlri = reader.rest();
    return fields;
}

/// The walk over the attributes of one message.
class AttributeWalk {
  public:
    AttributeWalk(UpdateJudge& judge, bool has_classic_nlri)
        : judge_(judge), has_classic_nlri_(has_classic_nlri) {}

    void run(Octets octets);

    [[nodiscard]] bool has(AttributeType type) const {
        return seen_[static_cast<std::uint8_t>(type)];
    }

    /// Something besides MP_UNREACH_NLRI, a cut-off attribute included.
    [[nodiscard]] bool has_other_than_unreach() const { return has_other_than_unreach_; }

  private:
    void take(const Attribute& attribute);
    void cut_off(Attribute attribute, Octets rest);
    void judge_next_hop();

    UpdateJudge& judge_;
    bool has_classic_nlri_;
    bool has_other_than_unreach_ = false;
    std::bitset<256> seen_;
    Attribute next_hop_;
};

/// RFC 7606 §4: what exceeds the field ends the walk; the routes are still found by the total
/// length.
void AttributeWalk::run(Octets octets) {
    Reader reader(octets);
    while (!reader.empty()) {
        const Octets rest = octets.last(reader.remaining());
        Attribute attribute;
        attribute.flags = reader.u8();
        attribute.type = reader.u8();
        const bool extended = (attribute.flags & flag_extended_length) != 0;
        attribute.value = reader.take(extended ? reader.u16() : reader.u8());
        if (reader.failed()) {
            cut_off(attribute, rest);
            break;
        }
        attribute.whole = rest.first(rest.size() - reader.remaining());
        take(attribute);
    }
    judge_next_hop();
}

void AttributeWalk::take(const Attribute& attribute) {
    const bool is_reach = attribute.is(AttributeType::MpReachNlri);
    const bool is_unreach = attribute.is(AttributeType::MpUnreachNlri);
    has_other_than_unreach_ |= !is_unreach;
    if (seen_[attribute.type]) {
        // RFC 7606 §3 g
        if (is_reach || is_unreach) {
            judge_.note(errors::repeated_multiprotocol(attribute));
        } else {
            judge_.fault(errors::duplicate_attribute(attribute));
        }
        return;
    }
    seen_.set(attribute.type);
    if (attribute.is(AttributeType::NextHop)) {
        next_hop_ = attribute;
    } else if (const AttributeRow* row = find_row(attribute.type, judge_.context)) {
        judge_attribute(judge_, *row, attribute);
    } else if ((attribute.flags & flag_optional) == 0) {
        // DEVIATION RFC 4271 §6.3: reset only when strict; a leaf gains nothing by it.
        judge_.fault(errors::unrecognized_well_known(attribute));
    }
}

/// RFC 7606 §3 j, §5.3: the routes of a multiprotocol attribute are lost with it. Without other
/// reachable routes in the message it resets anyway.
void AttributeWalk::cut_off(Attribute attribute, Octets rest) {
    has_other_than_unreach_ = true;
    Error error = errors::attribute_overrun(rest);
    const bool is_multiprotocol =
        attribute.is(AttributeType::MpReachNlri) || attribute.is(AttributeType::MpUnreachNlri);
    const bool has_other_routes =
        has_classic_nlri_ || (has(AttributeType::MpReachNlri) && !judge_.has_empty_reach);
    if (!is_multiprotocol || !has_other_routes) {
        judge_.fault(std::move(error));
        return;
    }
    if (seen_[attribute.type]) {
        attribute.whole = rest;
        judge_.note(errors::repeated_multiprotocol(attribute));
        return;
    }
    const std::size_t header_octets = (attribute.flags & flag_extended_length) != 0 ? 4 : 3;
    attribute.whole = rest;
    attribute.value = rest.subspan(std::min(rest.size(), header_octets));
    const auto family = family_of(attribute);
    if (!family) {
        error.severity = Severity::Reset;
    }
    judge_.fault(std::move(error));
    if (family) {
        judge_.multiprotocol_fault(
            errors::malformed_multiprotocol(attribute, "exceeds Total Path Attribute Length"),
            *family);
    }
}

/// RFC 4760 §3: NEXT_HOP means nothing to routes in MP_REACH_NLRI and is ignored beside them alone.
void AttributeWalk::judge_next_hop() {
    const bool is_meant = has_classic_nlri_ || !has(AttributeType::MpReachNlri);
    if (has(AttributeType::NextHop) && is_meant) {
        judge_attribute(judge_, *find_row(next_hop_.type, judge_.context), next_hop_);
    }
}

/// Withdrawn Routes or NLRI; nullopt after an error that resets.
std::optional<NlriRange> classic_routes(UpdateJudge& judge, Octets octets, std::string_view field) {
    const bool add_path = judge.context.add_path[static_cast<std::size_t>(Family::Ipv4)];
    const NlriCheck check = check_nlri(octets, Family::Ipv4, add_path);
    if (!check.is_well_formed) {
        judge.note(errors::invalid_network(field));
        return std::nullopt;
    }
    if (!octets.empty() && !negotiated_family(ipv4_unicast, judge.context)) {
        judge.note(errors::family_not_negotiated(ipv4_unicast));
        return NlriRange{};
    }
    if (check.has_multicast) {
        judge.note(errors::multicast_prefix());
    }
    return NlriRange{octets, Family::Ipv4, add_path};
}

/// RFC 7606 §3 d; RFC 4271 §5.1.5 for LOCAL_PREF, which is not one of its mandatory attributes.
void judge_missing(UpdateJudge& judge, const AttributeWalk& walk) {
    const Update& update = judge.update;
    if (update.announced.empty() && update.mp_announced.empty()) {
        return;
    }
    for (const AttributeType type : {AttributeType::Origin, AttributeType::AsPath}) {
        if (!walk.has(type)) {
            judge.fault(errors::missing_attribute(type));
        }
    }
    if (!update.announced.empty() && !walk.has(AttributeType::NextHop)) {
        judge.fault(errors::missing_attribute(AttributeType::NextHop));
    }
    if (judge.context.is_internal && !walk.has(AttributeType::LocalPref)) {
        judge.note(errors::missing_attribute(AttributeType::LocalPref));
    }
}

/// RFC 9234 §5: a route marked for customers that comes from below, or through a lateral peer that
/// has not marked it itself, has leaked. It is not eligible.
void judge_leak(UpdateJudge& judge) {
    const DecodeContext& context = judge.context;
    const Update& update = judge.update;
    if (!judge.only_to_customer || !context.role ||
        (update.announced.empty() && update.mp_announced.empty())) {
        return;
    }
    const bool is_from_below = *context.role == role_provider || *context.role == role_route_server;
    const bool is_from_other =
        *context.role == role_peer && *judge.only_to_customer != context.peer_asn;
    if (is_from_below || is_from_other) {
        judge.note(errors::route_leak(*judge.only_to_customer));
    }
}

/// RFC 4724 §2: an UPDATE of 23 octets, or MP_UNREACH_NLRI alone and without routes.
std::optional<Family> end_of_rib(const Fields& fields, const DecodeContext& context) {
    constexpr std::size_t empty_unreach_octets = 3;
    if (!fields.withdrawn.empty() || !fields.nlri.empty()) {
        return std::nullopt;
    }
    if (fields.attributes.empty()) {
        return negotiated_family(ipv4_unicast, context);
    }
    Reader reader(fields.attributes);
    const std::uint8_t flags = reader.u8();
    const std::uint8_t type = reader.u8();
    const std::size_t length = (flags & flag_extended_length) != 0 ? reader.u16() : reader.u8();
    if (type != static_cast<std::uint8_t>(AttributeType::MpUnreachNlri) ||
        length != empty_unreach_octets || reader.remaining() != length) {
        return std::nullopt;
    }
    AfiSafi family;
    family.afi = reader.u16();
    family.safi = reader.u8();
    return negotiated_family(family, context);
}

} // namespace

Update decode_update(Octets body, const DecodeContext& context) {
    Update update;
    UpdateJudge judge(context, update);
    const auto fields = split_fields(body);
    if (!fields) {
        judge.note(errors::malformed_lengths());
        return update;
    }
    const auto withdrawn = classic_routes(judge, fields->withdrawn, "Withdrawn Routes");
    if (!withdrawn) {
        return update;
    }
    update.withdrawn = *withdrawn;

    AttributeWalk walk(judge, !fields->nlri.empty());
    walk.run(fields->attributes);
    if (!fields->nlri.empty()) {
        const auto announced = classic_routes(judge, fields->nlri, "NLRI");
        if (!announced) {
            return update;
        }
        update.announced = *announced;
    }
    judge_missing(judge, walk);
    judge_leak(judge);
    if (judge.has_plain_aggregator && judge.has_as4_aggregator) {
        // RFC 6793 §4.2.3: a two-octet speaker has aggregated since; both AS4_* are of before.
        update.as4_path = {};
        update.as4_path_length = 0;
    }

    // RFC 7606 §5.2: without any reachable route there is nothing to treat as withdrawn, and no
    // trust that the routes were found. An MP_REACH_NLRI that is malformed, or of a family that we
    // do not know, may hold some.
    const bool has_reachable =
        !fields->nlri.empty() || (walk.has(AttributeType::MpReachNlri) && !judge.has_empty_reach);
    if (!has_reachable && walk.has_other_than_unreach() && update.verdict > Severity::Discard &&
        update.verdict < Severity::Reset) {
        judge.escalate();
    }
    if (update.verdict == Severity::None) {
        update.end_of_rib = end_of_rib(*fields, context);
    }
    return update;
}

bool has_community(const Update& update, Community community) {
    for (Reader reader(update.communities); !reader.empty();) {
        if (reader.u32() == community.value) {
            return true;
        }
    }
    return false;
}

std::vector<LargeCommunity> large_communities_of(const Update& update, std::size_t limit) {
    std::vector<LargeCommunity> communities;
    for (Reader reader(update.large_communities); !reader.empty() && communities.size() < limit;) {
        LargeCommunity community;
        community.global = reader.u32();
        community.local1 = reader.u32();
        community.local2 = reader.u32();
        communities.push_back(community);
    }
    return communities;
}

} // namespace anyvip::bgp::wire
