// SPDX-License-Identifier: Apache-2.0
// UPDATEs that others send and that are legal, however odd (RFC 4271 §4.3, RFC 7606 §5).
#include <doctest/doctest.h>

#include "support.hpp"

using namespace anyvip;
using namespace anyvip::bgp;
using namespace anyvip::bgp::wire;
using namespace anyvip::bgp::wire::test;

namespace {

constexpr std::string_view path_65001 = "40 01 01 00  40 02 06 02 01 0000fde9 ";

Update decode(const UpdateText& text, const DecodeContext& context = external_session()) {
    static Octets body; // the result points into it
    body = update_body(text);
    return decode_update(body, context);
}

Update decode_attributes(const std::string& attributes,
                         const DecodeContext& context = external_session()) {
    return decode({.attributes = std::string(path_65001) + "40 03 04 0a000001 " + attributes,
                   .nlri = "20 cb00710a"},
                  context);
}

std::string numbers_text(std::span<const std::uint8_t> path, bool four_octet_asn) {
    std::string text;
    for (const Asn asn : as_numbers(path, four_octet_asn)) {
        text += (text.empty() ? "" : " ") + to_string(asn);
    }
    return text;
}

} // namespace

TEST_CASE("U17: our own VIP, shown back with our AS and our next hop, is a normal UPDATE") {
    const Update update = decode({.attributes = "40 01 01 00"
                                                "50 02 000a 02 02 0000fde9 0000fdf2"
                                                "40 03 04 0a00000b",
                                  .nlri = "20 cb00710a"});
    CHECK(update.verdict == Severity::None);
    CHECK(update.errors.empty());
    CHECK(numbers_text(update.as_path, true) == "65001 65010");
    CHECK(update.path_length == 2);
    CHECK(update.next_hop == address("10.0.0.11"));
    CHECK(to_text(update.announced) == "203.0.113.10/32");
    CHECK_FALSE(update.end_of_rib.has_value());
}

TEST_CASE("RFC 7606 §5.1: all kinds of routes in one message and the attributes in any order") {
    const Update update = decode({.withdrawn = "18 c63364",
                                  .attributes = "40 03 04 0a000001"
                                                "80 0f 07 0002 01 18 20010d"
                                                "40 02 06 02 01 0000fde9"
                                                "80 0e 19 0002 01"
                                                "10 20010db8000000000000000000000001 00"
                                                "18 20010d"
                                                "40 01 01 02",
                                  .nlri = "20 cb00710a 00"});
    CHECK(update.verdict == Severity::None);
    CHECK(update.errors.empty());
    CHECK(to_text(update.withdrawn) == "198.51.100.0/24");
    CHECK(to_text(update.announced) == "203.0.113.10/32 0.0.0.0/0");
    CHECK(to_text(update.mp_withdrawn) == "2001:d00::/24");
    CHECK(to_text(update.mp_announced) == "2001:d00::/24");
    CHECK(update.announced.count() == 2);
    CHECK(update.origin == 2);
    CHECK(update.mp_next_hop == NextHop{address("2001:db8::1"), std::nullopt});
}

TEST_CASE("RFC 7606 §3 c: the Partial bit and the low nibble of the flags do not matter") {
    const Update update = decode({.attributes = "5f 01 0001 00 "
                                                "60 02 06 02 01 0000fde9"
                                                "41 03 04 0a000001"
                                                "e0 08 04 00010002",
                                  .nlri = "20 cb00710a"});
    CHECK(update.verdict == Severity::None);
    CHECK(update.errors.empty());
    CHECK(has_community(update, Community{0x00010002}));
    CHECK_FALSE(has_community(update, graceful_shutdown));
}

TEST_CASE("RFC 4271 §4.3: bits behind the prefix length are irrelevant") {
    const Update update = decode({.withdrawn = "09 ffff"});
    CHECK(to_text(update.withdrawn) == "255.128.0.0/9");
}

TEST_CASE("U10: unknown optional attributes of any size are ignored") {
    for (const std::string attribute : {"d0 c8 0f00 3840*aa",
                                        "80 c8 00",
                                        "c0 c8 01 00",
                                        "c0 23 04 0000fde9",
                                        "c0 19 14 20*00",
                                        "80 1a 0b 01 000b 8*00",
                                        "c0 28 03 010000",
                                        "c0 80 05 5*00"}) {
        CAPTURE(attribute);
        const Update update = decode_attributes(attribute);
        CHECK(update.verdict == Severity::None);
        CHECK(update.errors.empty());
    }
}

TEST_CASE("RFC 4271 §9.1.2.2: the path length counts a set as one") {
    const Update update =
        decode({.attributes = "40 01 01 00"
                              "40 02 18 02 02 0000fde9 0000fdea 01 03 00000001 00000002 00000003"
                              "40 03 04 0a000001",
                .nlri = "20 cb00710a"});
    CHECK(update.path_length == 3);
    CHECK(numbers_text(update.as_path, true) == "65001 65002 1 2 3");
}

TEST_CASE("RFC 6793 §4.2.3: two-octet paths, with AS4_PATH beside") {
    DecodeContext context = external_session();
    context.four_octet_asn = false;
    const Update update = decode({.attributes = "40 01 01 00"
                                                "40 02 06 02 02 fde9 5ba0"
                                                "40 03 04 0a000001"
                                                "c0 07 06 5ba0 0a000001"
                                                "c0 11 06 02 01 fa56ea01"
                                                "c0 12 08 fa56ea01 0a000001",
                                  .nlri = "20 cb00710a"},
                                 context);
    CHECK(update.errors.empty());
    CHECK(numbers_text(update.as_path, false) == "65001 23456");
    CHECK(numbers_text(update.as4_path, true) == "4200000001");

    context.peer_asn = Asn{4200000001};
    const Update hidden = decode({.attributes = "40 01 01 00"
                                                "40 02 04 02 01 5ba0"
                                                "40 03 04 0a000001",
                                  .nlri = "20 cb00710a"},
                                 context);
    CHECK(hidden.errors.empty());
}

TEST_CASE("iBGP: empty AS_PATH, LOCAL_PREF, ORIGINATOR_ID and CLUSTER_LIST are in place") {
    const Update update = decode({.attributes = "40 01 01 00"
                                                "40 02 00"
                                                "40 03 04 0a000001"
                                                "80 04 04 00000007"
                                                "40 05 04 000000c8"
                                                "40 06 00"
                                                "c0 07 08 0000fde9 0a000001"
                                                "80 09 04 0a000001"
                                                "80 0a 08 0a000001 0a000002",
                                  .nlri = "20 cb00710a"},
                                 internal_session());
    CHECK(update.errors.empty());
    CHECK(update.local_pref == 200);
    CHECK(update.med == 7);
    CHECK(update.path_length == 0);
}

TEST_CASE("RFC 7911 §3: path identifiers stand before each prefix of the family that has them") {
    DecodeContext context = external_session();
    context.add_path = {true, false};
    const Update update = decode({.withdrawn = "00000007 18 c63364",
                                  .attributes = std::string(path_65001) + "40 03 04 0a000001",
                                  .nlri = "00000001 20 cb00710a 00000002 20 cb00710a"},
                                 context);
    CHECK(update.errors.empty());
    CHECK(to_text(update.withdrawn) == "7@198.51.100.0/24");
    CHECK(to_text(update.announced) == "1@203.0.113.10/32 2@203.0.113.10/32");
    CHECK(update.announced.count() == 2);

    context.add_path = {false, true};
    const Update v6 = decode({.attributes = "80 0f 0b 0002 01 00000009 18 20010d"}, context);
    CHECK(to_text(v6.mp_withdrawn) == "9@2001:d00::/24");
}

TEST_CASE("RFC 8950 §4: IPv4 routes with an IPv6 next hop where that was negotiated") {
    const std::string attributes = std::string(path_65001) + "80 0e 2a 0001 01 20"
                                                             "20010db8000000000000000000000001"
                                                             "fe800000000000000000000000000001 00"
                                                             "20 cb00710a";
    DecodeContext context = external_session();
    context.extended_next_hop = true;
    const Update update = decode({.attributes = attributes}, context);
    CHECK(update.errors.empty());
    CHECK(to_text(update.mp_announced) == "203.0.113.10/32");
    CHECK(update.mp_next_hop == NextHop{address("2001:db8::1"), address("fe80::1")});

    const Update refused = decode({.attributes = attributes});
    CHECK(refused.verdict == Severity::AfiSafiDisable);
    CHECK(refused.disabled == Family::Ipv4);
}

TEST_CASE("MP_REACH_NLRI for IPv4 with an IPv4 next hop is legal") {
    const Update update = decode(
        {.attributes = std::string(path_65001) + "80 0e 0e 0001 01 04 0a000001 00 20 cb00710a"});
    CHECK(update.errors.empty());
    CHECK(to_text(update.mp_announced) == "203.0.113.10/32");
    CHECK(update.mp_next_hop == NextHop{address("10.0.0.1"), std::nullopt});
}

TEST_CASE("BIRD's form of a session without global addresses: `::` and a link-local next hop") {
    const Update update = decode({.attributes = std::string(path_65001) +
                                                "80 0e 29 0002 01 20 16*00 "
                                                "fe800000000000000000000000000001 00 18 20010d"});
    CHECK(update.errors.empty());
    CHECK(update.mp_next_hop == NextHop{address("fe80::1"), address("fe80::1")});
}

TEST_CASE("RFC 4760 §3: NEXT_HOP beside MP_REACH_NLRI alone is ignored, right or wrong") {
    const std::string reach = "80 0e 19 0002 01 10 20010db8000000000000000000000001 00 18 20010d ";
    for (const std::string next_hop :
         {"40 03 04 00000000", "40 03 03 0a0000", "80 03 04 0a000001"}) {
        const Update update = decode({.attributes = next_hop + std::string(path_65001) + reach});
        CHECK(update.errors.empty());
        CHECK_FALSE(update.next_hop.has_value());
    }
}

TEST_CASE("RFC 7606 §5.3: a message without routes is valid and no End-of-RIB") {
    const Update update = decode({.attributes = path_65001});
    CHECK(update.verdict == Severity::None);
    CHECK_FALSE(update.end_of_rib.has_value());
    CHECK_FALSE(decode({.withdrawn = "18 c63364"}).end_of_rib.has_value());
    CHECK_FALSE(decode({.attributes = "80 0f 07 0002 01 18 20010d"}).end_of_rib.has_value());
}

TEST_CASE("RFC 4724 §2: End-of-RIB of a family that is not in use is nobody's") {
    DecodeContext context = external_session();
    context.families = {false, false};
    CHECK_FALSE(decode({}, context).end_of_rib.has_value());
    CHECK_FALSE(decode({.attributes = "80 0f 03 0002 01"}, context).end_of_rib.has_value());
    CHECK(decode({.attributes = "90 0f 0003 0002 01"}).end_of_rib == Family::Ipv6);
}

TEST_CASE("Routes of a family that was not negotiated are ignored and counted") {
    DecodeContext context = external_session();
    context.families = {false, false};
    const Update update = decode({.withdrawn = "18 c63364",
                                  .attributes = "80 0f 07 0002 01 18 20010d"
                                                "80 0e 09 4004 47 04 00000000 00",
                                  .nlri = "20 cb00710a"},
                                 context);
    CHECK(update.verdict == Severity::None);
    CHECK(update.errors.size() == 4);
    CHECK(update.withdrawn.empty());
    CHECK(update.announced.empty());
    CHECK(update.mp_withdrawn.empty());
    CHECK(update.mp_announced.empty());
}

TEST_CASE("A walk over the prefixes ends, and an empty range has none") {
    NlriRange range;
    CHECK(range.empty());
    CHECK(range.count() == 0);
    CHECK_FALSE(range.pop_front().has_value());
}
