// SPDX-License-Identifier: Apache-2.0
// UPDATEs that we send: octets and message in one table that drives both directions, and how many
// routes fit into one.
#include <doctest/doctest.h>

#include "bgp/wire/framer.hpp"
#include "support.hpp"

using namespace anyvip;
using namespace anyvip::bgp;
using namespace anyvip::bgp::wire;
using namespace anyvip::bgp::wire::test;

namespace {

struct Row {
    std::string name;
    std::string_view octets;
    std::vector<std::string> prefixes;
    PathAttributes attributes;
    EncodeContext context;
    bool extended_next_hop = false; ///< RFC 8950 was negotiated
};

constexpr EncodeContext external{.local_asn = Asn{65010}};
constexpr EncodeContext internal{.local_asn = Asn{65010}, .is_internal = true};

PathAttributes via(std::string_view next_hop) {
    PathAttributes attributes;
    attributes.next_hop.address = address(next_hop);
    return attributes;
}

PathAttributes full() {
    PathAttributes attributes = via("10.0.0.11");
    attributes.path_count = 3;
    attributes.med = 10;
    attributes.local_pref = 200; // not sent to external peers
    attributes.communities = {Community{0xFDF20064}, graceful_shutdown};
    attributes.extended_communities = {link_bandwidth(Asn{65010}, 1.25e6F)};
    attributes.large_communities = {{65010, 1, 0x0A00000B}};
    return attributes;
}

PathAttributes drained_internal() {
    PathAttributes attributes = via("10.0.0.11");
    attributes.local_pref = 0;
    return attributes;
}

PathAttributes with_link_local() {
    PathAttributes attributes = via("2001:db8::11");
    attributes.next_hop.link_local = address("fe80::11");
    return attributes;
}

std::vector<Row> rows() {
    return {
        {"A01: one IPv4 VIP to an external peer",
         R"(
            16*ff 0030 02
            0000 0014                   # nothing withdrawn, 20 octets of attributes
            40 01 01 00                 # ORIGIN IGP
            40 02 06 02 01 0000fdf2     # AS_PATH 65010
            40 03 04 0a00000b           # NEXT_HOP
            20 cb00710a                 # 203.0.113.10/32)",
         {"203.0.113.10/32"},
         via("10.0.0.11"),
         external},
        {"A02: iBGP has an empty AS_PATH and LOCAL_PREF 100",
         R"(
            16*ff 0030 02
            0000 0015
            40 01 01 00
            40 02 00                    # AS_PATH, empty but present
            40 03 04 0a00000b
            40 05 04 00000064           # LOCAL_PREF 100
            18 c63364                   # 198.51.100.0/24)",
         {"198.51.100.0/24"},
         via("10.0.0.11"),
         internal},
        {"A08: LOCAL_PREF 0 is a value",
         R"(
            16*ff 0031 02
            0000 0015
            40 01 01 00
            40 02 00
            40 03 04 0a00000b
            40 05 04 00000000
            20 cb00710a)",
         {"203.0.113.10/32"},
         drained_internal(),
         internal},
        {"A03: an IPv6 VIP, MP_REACH_NLRI first and no NEXT_HOP",
         R"(
            16*ff 0054 02
            0000 003d
            80 0e 2d                    # MP_REACH_NLRI
               0002 01                  # IPv6 unicast
               10 20010db8000000000000000000000011
               00                       # reserved
               80 20010db8000000000000000000000010
               2c 20010db80000          # 2001:db8::/44
            40 01 01 00
            40 02 06 02 01 0000fdf2)",
         {"2001:db8::10/128", "2001:db8::/44"},
         via("2001:db8::11"),
         external},
        {"A03: RFC 2545 §3: global and link-local next hop",
         R"(
            16*ff 005c 02
            0000 0045
            80 0e 35
               0002 01
               20 20010db8000000000000000000000011 fe800000000000000000000000000011
               00
               78 20010db80000000000000000000000 # 2001:db8::/120
            40 01 01 00
            40 02 06 02 01 0000fdf2)",
         {"2001:db8::/120"},
         with_link_local(),
         external},
        {"A09: RFC 8950 §3: IPv4 with an IPv6 next hop",
         R"(
            16*ff 0041 02
            0000 002a
            80 0e 1a
               0001 01                  # IPv4 unicast
               10 20010db8000000000000000000000011
               00
               20 cb00710a
            40 01 01 00
            40 02 06 02 01 0000fdf2)",
         {"203.0.113.10/32"},
         via("2001:db8::11"),
         external,
         true},
        {"all attributes, ascending; LOCAL_PREF not to an external peer",
         R"(
            16*ff 0064 02
            0000 0048
            40 01 01 00
            40 02 0e 02 03 0000fdf2 0000fdf2 0000fdf2
            40 03 04 0a00000b
            80 04 04 0000000a           # MED 10
            c0 08 08 fdf20064 ffff0000  # 65010:100, graceful-shutdown
            c0 10 08 0004fdf249989680   # link bandwidth
            c0 20 0c 0000fdf2 00000001 0a00000b
            20 cb00710a)",
         {"203.0.113.10/32"},
         full(),
         external},
        {"O25: AS_TRANS and AS4_PATH to a two-octet speaker",
         R"(
            16*ff 0037 02
            0000 001b
            40 01 01 00
            40 02 04 02 01 5ba0         # AS_PATH 23456
            40 03 04 0a00000b
            c0 11 06 02 01 fa56ea01     # AS4_PATH 4200000001
            20 cb00710a)",
         {"203.0.113.10/32"},
         via("10.0.0.11"),
         {.local_asn = Asn{4200000001}, .four_octet_asn = false}},
        {"RFC 6793 §4.2.2: no AS4_PATH when the number fits",
         R"(
            16*ff 002e 02
            0000 0012
            40 01 01 00
            40 02 04 02 01 fdf2
            40 03 04 0a00000b
            20 cb00710a)",
         {"203.0.113.10/32"},
         via("10.0.0.11"),
         {.local_asn = Asn{65010}, .four_octet_asn = false}},
        {"the default route has no address octets",
         R"(
            16*ff 002c 02
            0000 0014
            40 01 01 00
            40 02 06 02 01 0000fdf2
            40 03 04 0a00000b
            00)",
         {"0.0.0.0/0"},
         via("10.0.0.11"),
         external},
    };
}

std::vector<Prefix> prefixes_of(const Row& row) {
    std::vector<Prefix> prefixes;
    for (const std::string& text : row.prefixes) {
        prefixes.push_back(prefix(text));
    }
    return prefixes;
}

/// The session as the receiver of `row` sees it.
DecodeContext receiver_of(const Row& row) {
    DecodeContext context;
    context.local_asn = Asn{65001};
    context.peer_asn = row.context.four_octet_asn || row.context.local_asn.value <= 0xFFFF
                           ? row.context.local_asn
                           : as_trans;
    context.is_internal = row.context.is_internal;
    context.four_octet_asn = row.context.four_octet_asn;
    context.families = {true, true};
    context.extended_next_hop = row.extended_next_hop;
    return context;
}

std::vector<Prefix> many(Family family, std::uint32_t count) {
    std::vector<Prefix> prefixes;
    for (std::uint32_t i = 0; i < count; ++i) {
        std::array<std::uint8_t, 16> octets{0x20, 0x01, 0x0D, 0xB8};
        octets[14] = static_cast<std::uint8_t>(i >> 8);
        octets[15] = static_cast<std::uint8_t>(i);
        prefixes.push_back(Prefix::host(family == Family::Ipv4 ? IpAddress::v4(0x0A000000 + i)
                                                               : IpAddress::v6(octets)));
    }
    return prefixes;
}

/// Encodes until nothing is left; checks every message with the framer.
template <class Encode>
std::vector<std::size_t> counts(std::span<const Prefix> prefixes, Encode encode) {
    std::vector<std::size_t> result;
    while (!prefixes.empty()) {
        Octets out;
        const std::size_t taken = encode(prefixes, out);
        REQUIRE(taken > 0);
        const auto frame = next_frame(out, false);
        REQUIRE(frame.has_value());
        REQUIRE(frame->has_value());
        CHECK((*frame)->whole.size() == out.size());
        CHECK(out.size() <= max_message_octets);
        result.push_back(taken);
        prefixes = prefixes.subspan(taken);
    }
    return result;
}

using Counts = std::vector<std::size_t>;

} // namespace

TEST_CASE("UPDATE out: octets and message say the same in both directions") {
    for (const Row& row : rows()) {
        CAPTURE(row.name);
        const auto prefixes = prefixes_of(row);
        const Octets expected = hex(row.octets);
        Octets out;
        CHECK(encode_announce(prefixes, row.attributes, row.context, out) == prefixes.size());
        CHECK(to_hex(out) == to_hex(expected));

        const Update update = decode_update(body_of(expected), receiver_of(row));
        CHECK(update.verdict == Severity::None);
        CHECK(update.errors.empty());
        const bool classic = update.next_hop.has_value();
        REQUIRE(classic != update.mp_next_hop.has_value());
        std::string texts;
        for (const Prefix& one : prefixes) {
            texts += (texts.empty() ? "" : " ") + anyvip::to_string(one);
        }
        CHECK(to_text(classic ? update.announced : update.mp_announced) == texts);
        CHECK(to_text(classic ? update.mp_announced : update.announced).empty());
        CHECK((classic ? NextHop{*update.next_hop, std::nullopt} : *update.mp_next_hop) ==
              row.attributes.next_hop);
        CHECK(update.origin == 0);
        CHECK(update.path_length == (row.context.is_internal ? 0 : row.attributes.path_count));
        CHECK(update.med == row.attributes.med);
        CHECK(update.local_pref.has_value() == row.context.is_internal);
        CHECK(update.communities.size() == row.attributes.communities.size() * 4);
        CHECK(update.extended_communities.size() == row.attributes.extended_communities.size() * 8);
        CHECK(large_communities_of(update) == row.attributes.large_communities);
        CHECK(has_community(update, graceful_shutdown) == (row.attributes.communities.size() == 2));
    }
}

TEST_CASE("Withdrawals: octets and message say the same in both directions") {
    const DecodeContext context = external_session();
    const std::vector<Prefix> v4{prefix("203.0.113.10/32"), prefix("198.51.100.0/24")};
    const std::vector<Prefix> v6{prefix("2001:db8::10/128")};

    Octets out;
    CHECK(encode_withdraw(v4, false, out) == 2);
    CHECK(to_hex(out) == to_hex(hex("16*ff 0020 02 0009 20 cb00710a 18 c63364 0000")));
    CHECK(to_text(decode_update(body_of(out), context).withdrawn) ==
          "203.0.113.10/32 198.51.100.0/24");

    out.clear();
    CHECK(encode_withdraw(v4, true, out) == 2);
    CHECK(to_hex(out) ==
          to_hex(hex("16*ff 0026 02 0000 000f 80 0f 0c 0001 01 20 cb00710a 18 c63364")));
    CHECK(to_text(decode_update(body_of(out), context).mp_withdrawn) ==
          "203.0.113.10/32 198.51.100.0/24");

    out.clear();
    CHECK(encode_withdraw(v6, false, out) == 1);
    CHECK(to_hex(out) == to_hex(hex("16*ff 002e 02 0000 0017 80 0f 14 0002 01"
                                    "80 20010db8000000000000000000000010")));
    CHECK(to_text(decode_update(body_of(out), context).mp_withdrawn) == "2001:db8::10/128");
}

TEST_CASE("RFC 4724 §2: End-of-RIB is 23 octets for IPv4 and an empty MP_UNREACH_NLRI for IPv6") {
    Octets out;
    encode_end_of_rib(Family::Ipv4, out);
    CHECK(to_hex(out) == to_hex(hex("16*ff 0017 02 0000 0000")));
    CHECK(decode_update(body_of(out), external_session()).end_of_rib == Family::Ipv4);
    out.clear();
    encode_end_of_rib(Family::Ipv6, out);
    CHECK(to_hex(out) == to_hex(hex("16*ff 001d 02 0000 0006 80 0f 03 0002 01")));
    CHECK(decode_update(body_of(out), external_session()).end_of_rib == Family::Ipv6);
}

TEST_CASE("A04: 2,000 IPv4 VIPs with equal attributes are 3 messages of 810, 810 and 380") {
    const auto encode = [](auto prefixes, Octets& out) {
        return encode_announce(prefixes, via("10.0.0.11"), external, out);
    };
    CHECK(counts(many(Family::Ipv4, 2000), encode) == Counts{810, 810, 380});
}

TEST_CASE("A05: 2,000 IPv4 withdrawals are 3 messages of 814, 814 and 372") {
    const auto encode = [](auto prefixes, Octets& out) {
        return encode_withdraw(prefixes, false, out);
    };
    CHECK(counts(many(Family::Ipv4, 2000), encode) == Counts{814, 814, 372});
}

TEST_CASE("IPv6: 237 routes with one next hop, 236 with two, 239 withdrawals") {
    const auto one = [](auto prefixes, Octets& out) {
        return encode_announce(prefixes, via("2001:db8::11"), external, out);
    };
    CHECK(counts(many(Family::Ipv6, 300), one) == Counts{237, 63});
    const auto two = [](auto prefixes, Octets& out) {
        return encode_announce(prefixes, with_link_local(), external, out);
    };
    CHECK(counts(many(Family::Ipv6, 300), two) == Counts{236, 64});
    const auto withdraw = [](auto prefixes, Octets& out) {
        return encode_withdraw(prefixes, false, out);
    };
    CHECK(counts(many(Family::Ipv6, 300), withdraw) == Counts{239, 61});
}

TEST_CASE("RFC 4271 §4.3: lengths above 255 are extended, AS_PATH segments hold at most 255") {
    PathAttributes attributes = via("10.0.0.11");
    attributes.path_count = 300;
    for (std::uint32_t i = 0; i < 64; ++i) {
        attributes.communities.push_back(Community{i});
    }
    const std::vector<Prefix> prefixes{prefix("203.0.113.10/32")};
    Octets out;
    CHECK(encode_announce(prefixes, attributes, external, out) == 1);
    const std::string text = to_hex(out);
    CHECK(text.find("500204b402ff0000fdf2") != std::string::npos); // 1204 octets, first segment
    CHECK(text.find("0000fdf2022d0000fdf2") != std::string::npos); // second segment of 45
    CHECK(text.find("d0080100") != std::string::npos);             // 256 octets of communities
    DecodeContext context = external_session();
    context.peer_asn = Asn{65010};
    const Update update = decode_update(body_of(out), context);
    CHECK(update.verdict == Severity::None);
    CHECK(update.path_length == 300);
    CHECK(as_numbers(update.as_path, true).size() == 64);
    CHECK(as_numbers(update.as_path, true, 1000).size() == 300);
}

TEST_CASE("Encoding appends and leaves what is there alone") {
    Octets out{1, 2, 3};
    encode_end_of_rib(Family::Ipv4, out);
    const std::vector<Prefix> prefixes{prefix("203.0.113.10/32")};
    CHECK(encode_announce(prefixes, via("10.0.0.11"), external, out) == 1);
    CHECK(out.size() == 3 + 23 + 48);
    CHECK(out[2] == 3);
    CHECK(out[3 + 23 + 17] == 48);
}
