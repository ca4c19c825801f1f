// SPDX-License-Identifier: Apache-2.0
// Paths that a router shows for our own VIPs (PROTOCOL section 5.5).
#include <doctest/doctest.h>

#include "bgp/rib/paths.hpp"
#include "test/support/raw_bgp.hpp"

using namespace anyvip;
using namespace anyvip::bgp;
namespace raw = anyvip::test::raw;

namespace {

const Prefix vip = Prefix::parse("203.0.113.10/32").value();
const Prefix other = Prefix::parse("203.0.113.11/32").value();
const raw::Octets nlri = raw::hex("20cb00710a");

struct Router {
    Paths paths;
    wire::DecodeContext context{.local_asn = Asn{65010},
                                .peer_asn = Asn{65001},
                                .is_internal = false,
                                .four_octet_asn = true,
                                .add_path = {},
                                .families = {true, true},
                                .extended_next_hop = false,
                                .strict = false};

    Router() { paths.watch({vip}); }

    bool
    say(const raw::Octets& withdrawn, const raw::Octets& attributes, const raw::Octets& routes) {
        const raw::Octets message = raw::update(withdrawn, attributes, routes);
        const auto update = wire::decode_update(std::span(message).subspan(19), context);
        return paths.update(update, context.four_octet_asn);
    }
};

raw::Octets attributes(const raw::Octets& more = {}) {
    return raw::join({raw::hex("40010100"),                     // ORIGIN
                      raw::hex("40020a0202 0000fde9 0000fdf3"), // AS_PATH 65001 65011
                      raw::hex("4003040a00000c"),               // NEXT_HOP 10.0.0.12
                      more});
}

} // namespace

TEST_CASE("a path of a watched prefix is kept with what tells nodes apart") {
    Router router;
    CHECK(router.say({},
                     attributes(raw::hex("c00804ffff0000"                    // GRACEFUL_SHUTDOWN
                                         "c0200c0000fdf2000000010a00000c")), // node mark
                     nlri));
    REQUIRE(router.paths.all().contains(vip));
    const ObservedPath& path = router.paths.all().at(vip).at(0);
    CHECK(path.next_hop == IpAddress::v4(0x0a00000c));
    CHECK(path.as_path == std::vector{Asn{65001}, Asn{65011}});
    CHECK(path.path_length == 2);
    CHECK(path.is_graceful_shutdown);
    CHECK(path.large_communities == std::vector{LargeCommunity{65010, 1, 0x0a00000c}});
}

TEST_CASE("a repetition changes nothing, a withdraw ends it, other prefixes do not count") {
    Router router;
    CHECK(router.say({}, attributes(), nlri));
    CHECK_FALSE(router.say({}, attributes(), nlri));
    CHECK_FALSE(router.say({}, attributes(), raw::hex("20cb00710b")));
    CHECK_FALSE(router.say(raw::hex("20cb00710b"), {}, {}));
    CHECK(router.say({}, attributes(raw::hex("80040400000005")), nlri)); // MED
    CHECK(router.say(nlri, {}, {}));
    CHECK(router.paths.all().empty());
}

TEST_CASE("our own AS number in the path is no reason to drop it") {
    Router router;
    CHECK(router.say({}, raw::hex("40010100 40020a0202 0000fde9 0000fdf2 4003040a00000b"), nlri));
    CHECK(router.paths.all().at(vip).at(0).as_path.back() == Asn{65010});
}

TEST_CASE("RFC 7606 §2: a route with a malformed attribute counts as withdrawn") {
    Router router;
    CHECK(router.say({}, attributes(), nlri));
    CHECK(router.say({}, raw::hex("40010103 40020a0202 0000fde9 0000fdf3 4003040a00000c"), nlri));
    CHECK(router.paths.all().empty());
}

TEST_CASE("RFC 7911: paths of one prefix are told apart, and at most 64 are kept") {
    Router router;
    router.context.add_path = {true, true};
    for (std::uint32_t id = 1; id <= 100; ++id) {
        router.say({}, attributes(), raw::join({raw::u32(id), nlri}));
    }
    CHECK(router.paths.all().at(vip).size() == 64);
    CHECK(router.say(raw::join({raw::u32(1), nlri}), {}, {}));
    CHECK(router.paths.all().at(vip).size() == 63);
}

TEST_CASE("RFC 6793 §4.2.3: the AS4_PATH of a two-octet speaker fills in the real numbers") {
    Router router;
    router.context.four_octet_asn = false;
    CHECK(router.say({},
                     raw::hex("40010100"
                              "4002060202 fde9 5ba0" // 65001 AS_TRANS
                              "4003040a00000c"
                              "c011060201 fa56ea01"), // 4200000001
                     nlri));
    CHECK(router.paths.all().at(vip).at(0).as_path == std::vector{Asn{65001}, Asn{4200000001}});
}

namespace {

/// The path that is understood of an AS_PATH of two-octet numbers and what comes with it.
std::vector<Asn> merged(const raw::Octets& as_path, const raw::Octets& more) {
    Router router;
    router.context.four_octet_asn = false;
    router.say(
        {}, raw::join({raw::hex("40010100"), as_path, raw::hex("4003040a00000c"), more}), nlri);
    return router.paths.all().contains(vip) ? router.paths.all().at(vip).at(0).as_path
                                            : std::vector<Asn>{};
}

/// 65001, then AS_TRANS.
const raw::Octets hidden_path = raw::hex("4002060202 fde9 5ba0");
const raw::Octets as4_path = raw::hex("c011060201 fa56ea01"); // 4200000001
const std::vector real_path{Asn{65001}, Asn{4200000001}};
const std::vector shown_path{Asn{65001}, as_trans};

/// An attribute with an extended length that holds one AS_SEQUENCE of these numbers.
raw::Octets long_path(std::uint8_t flags,
                      std::uint8_t type,
                      std::size_t width,
                      std::uint32_t first,
                      std::size_t count) {
    raw::Octets value = raw::hex("02");
    value.push_back(static_cast<std::uint8_t>(count));
    for (std::size_t i = 0; i < count; ++i) {
        const auto number = width == 2 ? raw::u16(first + i) : raw::u32(first + i);
        value.insert(value.end(), number.begin(), number.end());
    }
    return raw::join({raw::u8(flags | 0x10U), raw::u8(type), raw::u16(value.size()), value});
}

} // namespace

TEST_CASE("RFC 6793 §6: confederation segments of an AS4_PATH are left out, the rest is merged") {
    CHECK(merged(hidden_path, raw::hex("c0110c 0301 0000fdf3 0201 fa56ea01")) == real_path);
    CHECK(merged(hidden_path, raw::hex("c0110c 0201 fa56ea01 0401 0000fdf3")) == real_path);
    CHECK(merged(hidden_path, raw::hex("c01106 0301 0000fdf3")) == shown_path);
}

TEST_CASE("RFC 9774 §3: a route with an AS_SET in its AS4_PATH is treated as withdrawn") {
    CHECK(merged(hidden_path, raw::hex("c0110c 0101 0000fdf3 0201 fa56ea01")).empty());
}

TEST_CASE("RFC 6793 §4.2.3: an AGGREGATOR other than AS_TRANS makes AS4_PATH be ignored") {
    const raw::Octets as4_aggregator = raw::hex("c01208 fa56ea01 0a000001");
    const raw::Octets plain = raw::hex("c00706 fde9 0a000001");
    const raw::Octets as_trans_aggregator = raw::hex("c00706 5ba0 0a000001");
    CHECK(merged(hidden_path, raw::join({plain, as4_path, as4_aggregator})) == shown_path);
    CHECK(merged(hidden_path, raw::join({as4_aggregator, as4_path, plain})) == shown_path);
    CHECK(merged(hidden_path, raw::join({plain, as4_path})) == real_path);
    CHECK(merged(hidden_path, raw::join({as_trans_aggregator, as4_path, as4_aggregator})) ==
          real_path);
}

TEST_CASE("RFC 6793 §4.2.3: paths are merged by their whole lengths, and cut to 64 afterwards") {
    // 70 numbers of which the last 69 are in AS4_PATH.
    raw::Octets narrow = long_path(0x40, 2, 2, 65001, 1);
    const raw::Octets rest = long_path(0x40, 2, 2, 1, 69);
    narrow.insert(narrow.end(), rest.begin() + 4, rest.end());
    narrow[3] = static_cast<std::uint8_t>(narrow.size() - 4);
    const auto path = merged(narrow, long_path(0xC0, 17, 4, 4200000001, 69));
    REQUIRE(path.size() == 64);
    CHECK(path[0] == Asn{65001});
    CHECK(path[1] == Asn{4200000001});
    CHECK(path[63] == Asn{4200000063});

    // Longer by one than AS_PATH, both beyond 64: ignored.
    const auto ignored = merged(narrow, long_path(0xC0, 17, 4, 4200000001, 71));
    REQUIRE(ignored.size() == 64);
    CHECK(ignored[1] == Asn{1});
}

TEST_CASE(
    "RFC 7313 §4: after BoRR and EoRR what was not sent again is gone, in that family alone") {
    const Prefix vip6 = Prefix::parse("2001:db8::10/128").value();
    const raw::Octets reach6 = raw::hex("800e26 0002 01 10 20010db8000000000000000000000001 00 "
                                        "80 20010db8000000000000000000000010");
    Router router;
    router.paths.watch({vip, other, vip6});
    const raw::Octets both = raw::join({nlri, raw::hex("20cb00710b")});
    router.say({}, attributes(), both);
    router.say({}, attributes(reach6), {});
    REQUIRE(router.paths.all().size() == 3);

    router.paths.begin_refresh(Family::Ipv4);
    CHECK_FALSE(router.say({}, attributes(), nlri)); // as before, but no longer stale
    CHECK(router.paths.all().size() == 3);
    CHECK(router.paths.end_refresh(Family::Ipv4));
    CHECK(router.paths.all().contains(vip));
    CHECK_FALSE(router.paths.all().contains(other));
    CHECK(router.paths.all().contains(vip6));

    CHECK_FALSE(router.paths.end_refresh(Family::Ipv4)); // EoRR without BoRR
    router.paths.begin_refresh(Family::Ipv4);
    router.say(nlri, {}, {});
    router.say({}, attributes(), nlri); // withdrawn and announced again in between
    CHECK_FALSE(router.paths.end_refresh(Family::Ipv4));
    CHECK(router.paths.all().size() == 2);

    router.paths.begin_refresh(Family::Ipv6);
    router.paths.forget_all();
    router.say({}, attributes(reach6), {});
    CHECK_FALSE(router.paths.end_refresh(Family::Ipv6)); // a new session's path is not stale
}

TEST_CASE("RFC 7313 §4: with ADD-PATH each path is marked by itself") {
    Router router;
    router.context.add_path = {true, true};
    router.say({}, attributes(), raw::join({raw::hex("00000001"), nlri}));
    router.say({}, attributes(), raw::join({raw::hex("00000002"), nlri}));
    router.paths.begin_refresh(Family::Ipv4);
    router.say({}, attributes(), raw::join({raw::hex("00000002"), nlri}));
    CHECK(router.paths.end_refresh(Family::Ipv4));
    REQUIRE(router.paths.all().at(vip).size() == 1);
    CHECK(router.paths.all().at(vip).contains(2));
}

TEST_CASE("what is no longer watched is forgotten") {
    Router router;
    router.paths.watch({vip, other});
    router.say({}, attributes(), raw::join({nlri, raw::hex("20cb00710b")}));
    CHECK(router.paths.all().size() == 2);
    CHECK(router.paths.watch({other}));
    CHECK(router.paths.all().size() == 1);
    CHECK_FALSE(router.paths.forget(Family::Ipv6));
    CHECK(router.paths.forget(Family::Ipv4));
    CHECK_FALSE(router.paths.forget_all());
}
