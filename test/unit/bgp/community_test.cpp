// SPDX-License-Identifier: Apache-2.0
// Communities: configuration text to value and back.
#include <doctest/doctest.h>

#include <string>

#include "bgp/types.hpp"

using namespace anyvip::bgp;

TEST_CASE("AS numbers and identifiers print as people write them") {
    CHECK(to_string(Asn{4200000001}) == "4200000001");
    CHECK(to_string(RouterId{0x0A00000B}) == "10.0.0.11");
}

TEST_CASE("RFC 1997: communities by number and by name") {
    CHECK(parse_community("65010:100").value().value == 0xFDF20064);
    CHECK(to_string(Community{0xFDF20064}) == "65010:100");
    CHECK(parse_community("no-export") == no_export);
    CHECK(parse_community("65535:65281") == no_export);
    CHECK(parse_community("no-advertise") == no_advertise);
    CHECK(parse_community("graceful-shutdown") == graceful_shutdown);
    CHECK(to_string(graceful_shutdown) == "graceful-shutdown");
    for (const std::string text : {"",
                                   "1",
                                   "1:",
                                   ":1",
                                   "65536:1",
                                   "1:65536",
                                   "1:2:3",
                                   "-1:2",
                                   "1: 2",
                                   "no-exports",
                                   "0x1:2"}) {
        CHECK_MESSAGE(!parse_community(text).has_value(), text);
    }
}

TEST_CASE("RFC 8092: large communities") {
    const LargeCommunity mark{4200000001, 1, 0x0A00000B};
    CHECK(parse_large_community("4200000001:1:167772171") == mark);
    CHECK(to_string(mark) == "4200000001:1:167772171");
    for (const std::string text : {"1:2", "1:2:3:4", "4294967296:1:1", "1::1", "a:1:1"}) {
        CHECK_MESSAGE(!parse_large_community(text).has_value(), text);
    }
}

TEST_CASE("RFC 4360 §4, §5, RFC 5668: the size of A decides the form") {
    struct Row {
        std::string text;
        std::uint64_t value;
    };

    for (const Row& row : {Row{"rt:65010:4294967295", 0x0002FDF2FFFFFFFF},
                           Row{"so:1:2", 0x0003000100000002},
                           Row{"rt:192.0.2.1:7", 0x0102C00002010007},
                           Row{"so:4200000001:65535", 0x0203FA56EA01FFFF}}) {
        CHECK(parse_extended_community(row.text).value().value == row.value);
        CHECK(to_string(ExtendedCommunity{row.value}) == row.text);
    }
    for (const std::string text : {"rt:1",
                                   "rt:1:2:3",
                                   "xx:1:2",
                                   "rt:65536:65536",
                                   "rt:192.0.2.1:65536",
                                   "rt:1.2.3:4",
                                   "rt:1:4294967296",
                                   "rt::1"}) {
        CHECK_MESSAGE(!parse_extended_community(text).has_value(), text);
    }
    CHECK(to_string(ExtendedCommunity{0x030C000000000008}) == "0x030c000000000008");
    CHECK(to_string(ExtendedCommunity{0x0602000000000008}) == "0x0602000000000008");
}

TEST_CASE("A10: link bandwidth is 00 04, AS number or AS_TRANS, IEEE-754 bytes a second") {
    CHECK(link_bandwidth(Asn{65010}, 1.25e6F).value == 0x0004FDF249989680);
    CHECK(link_bandwidth(Asn{4200000001}, 1.25e6F).value == 0x00045BA049989680);
    CHECK(to_string(link_bandwidth(Asn{65010}, 1.25e9F)) == "bandwidth:65010:1250000000");
    CHECK(to_string(ExtendedCommunity{0x4004FDF249989680}) == "bandwidth:65010:1250000");
}
