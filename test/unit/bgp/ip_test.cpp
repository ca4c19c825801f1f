// SPDX-License-Identifier: Apache-2.0
// Addresses and prefixes: one text for each value, and every text that is none.
#include "bgp/ip.hpp"

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

using namespace anyvip;

namespace {

IpAddress address(std::string_view text) {
    const auto parsed = IpAddress::parse(text);
    REQUIRE_MESSAGE(parsed.has_value(), std::string(text));
    return *parsed;
}

Prefix prefix(std::string_view text) {
    const auto parsed = Prefix::parse(text);
    REQUIRE_MESSAGE(parsed.has_value(), std::string(text));
    return *parsed;
}

} // namespace

TEST_CASE("RFC 5952 §4, §5: every address has exactly one text") {
    const std::vector<std::pair<std::string, std::string>> texts{
        {"0.0.0.0", "0.0.0.0"},
        {"255.255.255.255", "255.255.255.255"},
        {"203.0.113.10", "203.0.113.10"},
        {"::", "::"},
        {"::1", "::1"},
        {"1::", "1::"},
        {"2001:DB8::10", "2001:db8::10"},
        {"2001:0db8:0000:0000:0000:0000:0000:0010", "2001:db8::10"},
        {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
        {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
        {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},
        {"1:2:3:4:5:6:0:0", "1:2:3:4:5:6::"},
        {"0:0:3:4:5:6:7:8", "::3:4:5:6:7:8"},
        {"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
        {"::ffff:192.0.2.1", "::ffff:192.0.2.1"},
        {"::ffff:c000:201", "::ffff:192.0.2.1"},
        {"64:ff9b::192.0.2.1", "64:ff9b::c000:201"},
        {"1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"},
        {"fe80::1", "fe80::1"},
    };
    for (const auto& [text, canonical] : texts) {
        CHECK(to_string(address(text)) == canonical);
        CHECK(address(canonical) == address(text));
    }
}

TEST_CASE("Text that is no address is refused") {
    for (const std::string text : {"",
                                   "1",
                                   "1.2.3",
                                   "1.2.3.4.5",
                                   "1.2.3.256",
                                   "01.2.3.4",
                                   "1.2.3.-4",
                                   "1.2.3.4 ",
                                   " 1.2.3.4",
                                   "1..3.4",
                                   ":",
                                   ":::",
                                   "1:2:3:4:5:6:7",
                                   "1:2:3:4:5:6:7:8:9",
                                   "1::2::3",
                                   "12345::",
                                   "g::",
                                   "::1:",
                                   ":1::",
                                   "1:2:3:4:5:6:7:8::",
                                   "fe80::1%0",
                                   "1.2.3.4::",
                                   "::1.2.3",
                                   "::1.2.3.4:5",
                                   "1:2:3:4:5:6:7:1.2.3.4",
                                   "::+1",
                                   "1:2:3:4::5:6:7:8",
                                   "+1.2.3.4"}) {
        CHECK_MESSAGE(!IpAddress::parse(text).has_value(), text);
    }
}

TEST_CASE("Classes of addresses") {
    CHECK(address("0.0.0.0").is_unspecified());
    CHECK(address("::").is_unspecified());
    CHECK_FALSE(address("::1").is_unspecified());
    CHECK(address("127.8.9.1").is_loopback());
    CHECK(address("::1").is_loopback());
    CHECK_FALSE(address("::2").is_loopback());
    CHECK_FALSE(address("1::1").is_loopback());
    CHECK(address("224.0.0.1").is_multicast());
    CHECK(address("239.255.255.255").is_multicast());
    CHECK_FALSE(address("240.0.0.0").is_multicast());
    CHECK(address("ff02::1").is_multicast());
    CHECK(address("169.254.1.1").is_link_local());
    CHECK(address("fe80::1").is_link_local());
    CHECK(address("febf::1").is_link_local());
    CHECK_FALSE(address("fec0::1").is_link_local());
    CHECK(address("::ffff:1.2.3.4").is_v4_mapped());
    CHECK_FALSE(address("::1.2.3.4").is_v4_mapped());
    CHECK_FALSE(address("1.2.3.4").is_v4_mapped());
    CHECK(address("240.0.0.1").is_class_e());
    CHECK(address("255.255.255.255").is_class_e());
    CHECK_FALSE(address("f000::").is_class_e());
}

TEST_CASE("An address is its octets") {
    const IpAddress v4 = address("192.0.2.1");
    CHECK(v4.to_v4() == 0xC0000201);
    CHECK(v4.octets().size() == 4);
    CHECK(IpAddress::from_octets(v4.octets()) == v4);
    const IpAddress v6 = address("2001:db8::1");
    CHECK(v6.to_v4() == 0);
    CHECK(v6.octets().size() == 16);
    CHECK(IpAddress::from_octets(v6.octets()) == v6);
    CHECK(IpAddress::from_octets(v6.octets().first(5)) == IpAddress());
    CHECK(address("255.255.255.255") < address("::")); // by family first
    CHECK(address("9.0.0.0") < address("10.0.0.0"));
    CHECK(to_string(Family::Ipv4) == "ipv4");
    CHECK(to_string(Family::Ipv6) == "ipv6");
}

TEST_CASE("A prefix has no host bits and a length of its family") {
    CHECK(prefix("203.0.113.10") == Prefix::host(address("203.0.113.10")));
    CHECK(to_string(prefix("203.0.113.10")) == "203.0.113.10/32");
    CHECK(to_string(prefix("2001:db8::1")) == "2001:db8::1/128");
    CHECK(to_string(prefix("0.0.0.0/0")) == "0.0.0.0/0");
    CHECK(to_string(Prefix::of(address("10.255.255.255"), 9)) == "10.128.0.0/9");
    CHECK(to_string(Prefix::of(address("2001:db8:ffff::1"), 33)) == "2001:db8:8000::/33");
    CHECK(Prefix::of(address("10.0.0.1"), 200) == prefix("10.0.0.1/32"));
    CHECK(prefix("10.0.0.0/8").contains(address("10.200.0.1")));
    CHECK_FALSE(prefix("10.0.0.0/8").contains(address("11.0.0.1")));
    CHECK_FALSE(prefix("0.0.0.0/0").contains(address("::")));
    CHECK(prefix("10.0.0.1/32").is_host());
    CHECK_FALSE(prefix("10.0.0.0/31").is_host());
    for (const std::string text : {"10.0.0.1/24",
                                   "10.0.0.0/33",
                                   "::/129",
                                   "10.0.0.0/",
                                   "10.0.0.0/-1",
                                   "10.0.0.0/08",
                                   "/8"}) {
        CHECK_MESSAGE(!Prefix::parse(text).has_value(), text);
    }
    CHECK(Prefix::parse("10.0.0.1/24").error() ==
          "\"10.0.0.1/24\" has host bits that are not zero; 10.0.0.0/24 is meant?");
}
