// SPDX-License-Identifier: Apache-2.0
// Several errors in one UPDATE, errors without routes, and the strict mode.
#include <doctest/doctest.h>

#include "support.hpp"

using namespace anyvip;
using namespace anyvip::bgp;
using namespace anyvip::bgp::wire;
using namespace anyvip::bgp::wire::test;

namespace {

constexpr std::string_view mandatory = "40 01 01 00  40 02 06 02 01 0000fde9  40 03 04 0a000001 ";
constexpr std::string_view bad_origin = "40 01 01 03 ";
constexpr std::string_view rest_of_mandatory = "40 02 06 02 01 0000fde9  40 03 04 0a000001 ";
constexpr std::string_view route = "20 cb00710a";
constexpr std::string_view bad_reach = "80 0e 0e 0002 01 05 2001000000 00 18 20010d ";
constexpr std::string_view bad_reach_v4 = "80 0e 0e 0001 01 05 2001000000 00 18 20010d ";
constexpr std::string_view bad_unreach = "80 0f 05 0002 01 81 00 ";

struct Judged {
    Octets body; ///< the spans of `update` point into it
    Update update;
};

Judged judge(const std::string& attributes,
             std::string_view nlri,
             const DecodeContext& context = external_session()) {
    Judged judged{update_body({.attributes = attributes, .nlri = nlri}), {}};
    judged.update = decode_update(judged.body, context);
    return judged;
}

std::string join(std::initializer_list<std::string_view> parts) {
    std::string text;
    for (const std::string_view part : parts) {
        text += part;
    }
    return text;
}

DecodeContext strict_session() {
    DecodeContext context = external_session();
    context.strict = true;
    return context;
}

} // namespace

TEST_CASE("RFC 7606 §3 j: a multiprotocol attribute that is cut off disables its family") {
    constexpr std::string_view cut_reach = "80 0e c8 0002 01 10 ";
    for (const std::string_view cut : {cut_reach, std::string_view{"90 0f 00c8 0002 01 20 "}}) {
        const auto [body, update] = judge(join({mandatory, cut}), route);
        CHECK(update.verdict == Severity::AfiSafiDisable);
        CHECK(update.disabled == Family::Ipv6);
        REQUIRE(update.errors.size() == 2);
        CHECK(update.errors[0].rule == "multiprotocol");
        CHECK(update.errors[1].rule == "attribute-overrun"); // the route itself: treat-as-withdraw
        CHECK(update.errors[1].severity == Severity::TreatAsWithdraw);
        CHECK(to_text(update.announced) == "203.0.113.10/32");
    }
    // Beside routes in MP_REACH_NLRI as beside others: what it withdraws would stay.
    constexpr std::string_view reach =
        "80 0e 1a 0002 01 10 20010db8000000000000000000000001 00 20 20010db8 ";
    const auto [beside, withdrawn] =
        judge(join({mandatory, reach, "80 0f c8 0002 01 20 20010d"}), "");
    CHECK(withdrawn.verdict == Severity::AfiSafiDisable);
    CHECK(withdrawn.disabled == Family::Ipv6);
    const auto [twice, repeated] = judge(join({mandatory, reach, "80 0e c8 0002 01 10 "}), "");
    CHECK(repeated.verdict == Severity::Reset);
    const auto [foreign, ignored] = judge(join({mandatory, "80 0e c8 0001 80 0c "}), route);
    CHECK(ignored.verdict == Severity::TreatAsWithdraw); // a family that is not in use
    for (const std::string_view unreadable :
         {"80 0e c8 0002 ", "80 0e c8 ", "90 0e 00 ", "80 0f "}) {
        const auto [body, update] = judge(join({mandatory, unreadable}), route);
        CHECK(update.verdict == Severity::Reset);
        CHECK(to_text(update.errors[0]) ==
              "3/1 reset attribute-overrun " + to_hex(hex(unreadable)));
    }
    const auto [alone, reset] = judge(join({mandatory, cut_reach}), "");
    CHECK(reset.verdict == Severity::Reset);
    CHECK(reset.errors[0].subcode == 1);
}

TEST_CASE("RFC 9234 §5: which marked routes are leaks") {
    struct Row {
        std::uint8_t role; ///< ours
        std::string_view marked_by;
        bool is_leak;
    };

    constexpr std::string_view peer = "c0 23 04 0000fde9 ";
    constexpr std::string_view other = "c0 23 04 0000fdea ";
    for (const Row& row : {Row{0, peer, true}, // provider: from a customer
                           Row{0, "", false},
                           Row{1, peer, true},   // route server: from its client
                           Row{2, other, false}, // client: from a route server
                           Row{3, other, false}, // customer: from a provider
                           Row{4, peer, false},  // peer: marked by the peer itself
                           Row{4, other, true},
                           Row{4, "", false}}) {
        CAPTURE(row.role);
        DecodeContext context = external_session();
        context.role = row.role;
        const auto [body, update] = judge(join({mandatory, row.marked_by}), route, context);
        CHECK(update.errors.size() == (row.is_leak ? 1 : 0));
        CHECK(update.verdict == (row.is_leak ? Severity::TreatAsWithdraw : Severity::None));
        // Without routes nothing leaks.
        CHECK(judge(join({mandatory, row.marked_by}), "", context).update.errors.empty());
    }
}

TEST_CASE("U16: RFC 7606 §3 h: the strongest error decides and comes first, all are kept") {
    const auto [body, update] =
        judge(join({"40 06 01 00 ", bad_origin, rest_of_mandatory, bad_reach}), route);
    CHECK(update.verdict == Severity::AfiSafiDisable);
    CHECK(update.disabled == Family::Ipv6);
    REQUIRE(update.errors.size() == 3);
    CHECK(update.errors[0].rule == "multiprotocol");
    CHECK(update.errors[1].rule == "origin");
    CHECK(update.errors[2].rule == "attribute-length");
}

TEST_CASE("At most 16 errors are kept, the strongest of them") {
    std::string attributes;
    for (int i = 0; i < 40; ++i) {
        attributes += "c0 c8 00 "; // 39 of them duplicates
    }
    const auto [body, update] = judge(join({attributes, bad_origin, rest_of_mandatory}), route);
    CHECK(update.errors.size() == 16);
    CHECK(update.errors.front().rule == "origin");
    CHECK(update.verdict == Severity::TreatAsWithdraw);
}

TEST_CASE("U07: of two equal attributes the first counts") {
    const auto [body, update] = judge(join({mandatory,
                                            "40 01 01 02 80 04 04 00000001 "
                                            "80 04 04 00000002 "}),
                                      route);
    CHECK(update.origin == 0);
    CHECK(update.med == 1);
    CHECK(update.verdict == Severity::Discard);
    CHECK(to_text(update.announced) == "203.0.113.10/32");
}

TEST_CASE("U03: routes behind a cut-off attribute are still found") {
    const auto [body, update] = judge(join({mandatory, "c0 08 ff 00"}), route);
    CHECK(update.verdict == Severity::TreatAsWithdraw);
    CHECK(to_text(update.announced) == "203.0.113.10/32");
}

TEST_CASE("U15: RFC 7606 §5.2: an error in attributes that have no routes resets") {
    const auto [body, update] = judge(join({bad_origin, rest_of_mandatory}), "");
    CHECK(update.verdict == Severity::Reset);
    CHECK(to_text(update.errors.front()) == "3/6 reset origin 40010103");

    CHECK(judge("40", "").update.verdict == Severity::Reset);
    CHECK(judge(join({bad_unreach, mandatory}), "").update.verdict == Severity::Reset);
    CHECK(judge(join({mandatory, "40 06 01 00"}), "").update.verdict == Severity::Discard);
    CHECK(judge(std::string(bad_unreach), "").update.verdict == Severity::AfiSafiDisable);
    CHECK(judge(join({bad_origin, bad_reach}), "").update.verdict == Severity::AfiSafiDisable);
}

TEST_CASE("U15: RFC 7606 §5.2: an MP_REACH_NLRI counts as reachable routes only when it has some") {
    constexpr std::string_view no_routes =
        "80 0e 15 0002 01 10 20010db8000000000000000000000001 00 ";
    constexpr std::string_view foreign_without = "80 0e 05 0019 46 00 00 ";
    constexpr std::string_view foreign_with = "80 0e 06 0019 46 00 00 ff ";
    for (const std::string_view reach : {no_routes, foreign_without}) {
        const auto [body, update] = judge(join({reach, bad_origin}), "");
        CHECK(update.verdict == Severity::Reset);
        CHECK(to_text(update.errors.front()) == "3/6 reset origin 40010103");
        CHECK(judge(join({reach, bad_origin, rest_of_mandatory}), route).update.verdict ==
              Severity::TreatAsWithdraw);
        CHECK(judge(join({reach, "40 01 01 00"}), "").update.verdict == Severity::None);
    }
    CHECK(judge(join({foreign_with, bad_origin}), "").update.verdict == Severity::TreatAsWithdraw);
}

TEST_CASE("A disabled family shows no routes, the other one keeps its own") {
    const auto [body, update] = judge(join({mandatory, bad_reach}), route);
    CHECK(update.disabled == Family::Ipv6);
    CHECK(update.mp_announced.empty());
    CHECK(to_text(update.announced) == "203.0.113.10/32");
}

TEST_CASE("When both families would have to be disabled the session is reset") {
    const auto [body, update] = judge(join({bad_reach_v4, bad_unreach, mandatory}), "");
    CHECK(update.verdict == Severity::Reset);
    CHECK(update.errors.front().rule == "multiprotocol");
}

TEST_CASE("RFC 7606 §3 d: an IPv6 route needs ORIGIN and AS_PATH, but no NEXT_HOP") {
    const auto [body, update] =
        judge("80 0e 19 0002 01 10 20010db8000000000000000000000001 00 18 20010d", "");
    REQUIRE(update.errors.size() == 2);
    CHECK(to_hex(update.errors[0].data) == "01");
    CHECK(to_hex(update.errors[1].data) == "02");
    CHECK(update.verdict == Severity::TreatAsWithdraw);
}

TEST_CASE("An attribute that was malformed is not also missing") {
    CHECK(judge(join({bad_origin, rest_of_mandatory}), route).update.errors.size() == 1);
}

TEST_CASE("A malformed attribute leaves nothing behind") {
    const auto [body, update] =
        judge("40 01 01 03  40 02 06 02 01 00000000  40 03 04 00000000 c0 08 03 000000", route);
    CHECK(update.errors.size() == 4);
    CHECK_FALSE(update.origin.has_value());
    CHECK_FALSE(update.next_hop.has_value());
    CHECK(update.as_path.empty());
    CHECK(update.communities.empty());
}

TEST_CASE("strict_rfc4271 resets where RFC 4271 §6.3 and RFC 4760 §7 do") {
    struct Row {
        std::string attributes;
        std::string error;
    };

    for (const Row& row : {
             Row{join({bad_origin, rest_of_mandatory}), "3/6 reset origin 40010103"},
             Row{join({mandatory, "40 c8 00"}), "3/2 reset unrecognized-well-known 40c800"},
             Row{join({mandatory, "80 04 03 000000"}), "3/5 reset attribute-length 800403000000"},
             Row{join({mandatory, "40 04 04 00000000"}),
                 "3/4 reset attribute-flags 40040400000000"},
             Row{std::string(rest_of_mandatory), "3/3 reset missing-attribute 01"},
             Row{join({mandatory, "40 01 01 00"}), "3/1 reset duplicate-attribute 40010100"},
             Row{join({mandatory, "c0"}), "3/1 reset attribute-overrun c0"},
             Row{"40 01 01 00 40 02 06 02 01 0000fde9 40 03 04 00000000",
                 "3/8 reset next-hop 40030400000000"},
             Row{"40 01 01 00 40 02 02 02 00 40 03 04 0a000001", "3/11 reset as-path 4002020200"},
             Row{join({mandatory, "c0 07 06 fde9 0a000001"}),
                 "3/5 reset attribute-length c00706fde90a000001"},
             Row{join({mandatory, bad_unreach}), "3/9 reset multiprotocol 800f050002018100"},
         }) {
        const auto [body, update] = judge(row.attributes, route, strict_session());
        CAPTURE(row.error);
        CHECK(update.verdict == Severity::Reset);
        CHECK(to_text(update.errors.front()) == row.error);
    }
}

TEST_CASE("strict_rfc4271 changes nothing where RFC 4271 does not reset") {
    // RFC 4271 §5.1.5: LOCAL_PREF of an external peer is ignored; RFC 9774 and RFC 7607 are later.
    CHECK(judge(join({mandatory, "40 05 04 00000064"}), route, strict_session()).update.verdict ==
          Severity::Discard);
    CHECK(judge(join({mandatory, "c0 11 06 02 01 0000fde9"}), route, strict_session())
              .update.verdict == Severity::Discard);
    CHECK(judge("40 01 01 00 40 02 0c 02 01 0000fde9 01 01 00000001 40 03 04 0a000001",
                route,
                strict_session())
              .update.verdict == Severity::TreatAsWithdraw);
    CHECK(judge(std::string(mandatory), route, strict_session()).update.verdict == Severity::None);
}
