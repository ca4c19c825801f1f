// SPDX-License-Identifier: Apache-2.0
// Wanted against advertised: what is written, in which order, in how many messages.
#include <doctest/doctest.h>

#include <utility>
#include <vector>

#include "bgp/rib/adj_rib_out.hpp"
#include "test/support/raw_bgp.hpp"

using namespace anyvip;
using namespace anyvip::bgp;
namespace raw = anyvip::test::raw;

namespace {

constexpr std::size_t no_limit = 1U << 30U;

Prefix ipv4(std::uint32_t number) {
    return Prefix::host(IpAddress::v4(0x0a000000 + number));
}

Prefix ipv6(std::uint8_t number) {
    return Prefix::host(
        IpAddress::v6({0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, number}));
}

AttributesPtr attributes(std::uint32_t med = 0, std::string_view next_hop = "192.0.2.1") {
    wire::PathAttributes value;
    value.next_hop.address = IpAddress::parse(next_hop).value();
    value.med = med;
    return std::make_shared<const wire::PathAttributes>(value);
}

struct Table {
    AdjRibOut rib;
    wire::EncodeContext context{
        .local_asn = Asn{65010}, .is_internal = false, .four_octet_asn = true};

    std::vector<raw::Message> flush(std::size_t limit = no_limit) {
        std::vector<std::uint8_t> out;
        rib.flush(context, limit, 0, out);
        return raw::split(out);
    }
};

bool withdraws_ipv4(const raw::Message& message) {
    return message.body[0] != 0 || message.body[1] != 0;
}

} // namespace

TEST_CASE("A04: 2000 IPv4 routes with equal attributes are three messages of 810, 810 and 380") {
    Table table;
    wire::PathAttributes plain;
    plain.next_hop.address = IpAddress::v4(0xc0000201);
    for (std::uint32_t i = 0; i < 2000; ++i) {
        // Equal in value, not the same object.
        table.rib.want(ipv4(i), std::make_shared<const wire::PathAttributes>(plain));
    }
    const auto messages = table.flush();
    REQUIRE(messages.size() == 3);
    CHECK(messages[0].body.size() == 4 + 20 + 810 * 5);
    CHECK(messages[1].body.size() == 4 + 20 + 810 * 5);
    CHECK(messages[2].body.size() == 4 + 20 + 380 * 5);
    CHECK(table.rib.advertised_count()[0] == 2000);
    CHECK(table.flush().empty());
}

TEST_CASE("A05: 2000 withdrawals are three messages of 814, 814 and 372") {
    Table table;
    for (std::uint32_t i = 0; i < 2000; ++i) {
        table.rib.want(ipv4(i), attributes());
    }
    table.flush();
    for (std::uint32_t i = 0; i < 2000; ++i) {
        table.rib.want(ipv4(i), nullptr);
    }
    CHECK(table.rib.has_pending_withdrawals());
    const auto messages = table.flush();
    REQUIRE(messages.size() == 3);
    CHECK(messages[0].body.size() == 4 + 814 * 5);
    CHECK(messages[2].body.size() == 4 + 372 * 5);
    CHECK(table.rib.advertised_count().at(0) == 0);
    CHECK(table.rib.advertised(ipv4(1)) == nullptr);
    CHECK_FALSE(table.rib.has_pending());
}

TEST_CASE("A06: withdrawals are written before announcements") {
    Table table;
    table.rib.want(ipv4(2), attributes());
    table.flush();
    table.rib.want(ipv4(1), attributes());
    table.rib.want(ipv4(2), nullptr);
    const auto messages = table.flush();
    REQUIRE(messages.size() == 2);
    CHECK(withdraws_ipv4(messages[0]));
    CHECK_FALSE(withdraws_ipv4(messages[1]));
}

TEST_CASE("A07: what changes there and back between two flushes is not sent") {
    Table table;
    table.rib.want(ipv4(1), attributes());
    table.flush();
    table.rib.want(ipv4(1), nullptr);
    table.rib.want(ipv4(1), attributes(7));
    table.rib.want(ipv4(1), attributes());
    table.rib.want(ipv4(2), attributes());
    table.rib.want(ipv4(2), nullptr);
    CHECK_FALSE(table.rib.has_pending());
    CHECK(table.flush().empty());
}

TEST_CASE("changed attributes are announced again, not withdrawn first") {
    Table table;
    table.rib.want(ipv4(1), attributes());
    table.flush();
    table.rib.want(ipv4(1), attributes(7));
    const auto messages = table.flush();
    REQUIRE(messages.size() == 1);
    CHECK_FALSE(withdraws_ipv4(messages[0]));
    CHECK(table.rib.advertised(ipv4(1))->med == 7);
    CHECK(table.rib.advertised_count()[0] == 1);
}

TEST_CASE("families never share a message") {
    Table table;
    table.rib.want(ipv6(1), attributes(0, "2001:db8::1"));
    table.rib.want(ipv4(1), attributes(0, "2001:db8::1"));
    CHECK(table.flush().size() == 2);
    table.rib.want(ipv6(1), nullptr);
    table.rib.want(ipv4(1), nullptr);
    const auto messages = table.flush();
    REQUIRE(messages.size() == 2);
    // RFC 8950: IPv4 that was announced with an IPv6 next hop is withdrawn in MP_UNREACH_NLRI.
    CHECK(raw::to_hex(messages[0].body) == "0000000b800f08000101200a000001");
}

TEST_CASE("the limit ends a flush, the next one goes on, and withdrawals overtake the rest") {
    Table table;
    for (std::uint32_t i = 0; i < 3000; ++i) {
        table.rib.want(ipv4(i), attributes());
    }
    CHECK(table.flush(1).size() == 1);
    CHECK(table.rib.advertised_count()[0] == 809); // seven octets of MED
    table.rib.want(ipv4(0), nullptr);
    table.rib.want(ipv4(2999), nullptr); // never announced: nothing to withdraw
    const auto messages = table.flush(1);
    REQUIRE(messages.size() == 1);
    CHECK(raw::to_hex(messages[0].body) == "0005200a0000000000");
    table.flush();
    CHECK(table.rib.advertised_count()[0] == 2998);
}

TEST_CASE("a resend covers one family, once, and yields to newer wishes") {
    Table table;
    table.rib.want(ipv4(1), attributes());
    table.rib.want(ipv4(2), attributes());
    table.rib.want(ipv6(1), attributes(0, "2001:db8::1"));
    table.flush();
    table.rib.resend(Family::Ipv4);
    table.rib.want(ipv4(2), nullptr);
    const auto messages = table.flush();
    REQUIRE(messages.size() == 2);
    CHECK(withdraws_ipv4(messages[0]));
    CHECK(raw::to_hex(messages[1].body).ends_with("200a000001"));
    CHECK(table.flush().empty());
}

TEST_CASE("a route counts as advertised from the end of its first message on") {
    Table table;
    std::vector<std::uint8_t> out;
    table.rib.want(ipv4(1), attributes());
    table.rib.flush(table.context, no_limit, 1000, out);
    CHECK_FALSE(table.rib.is_advertised(ipv4(1), 1000 + out.size() - 1));
    CHECK(table.rib.is_advertised(ipv4(1), 1000 + out.size()));
    table.rib.want(ipv4(1), attributes(7));
    table.rib.flush(table.context, no_limit, 2000, out);
    CHECK(table.rib.is_advertised(ipv4(1), 2000)); // the former announcement still stands
    table.rib.want(ipv4(1), nullptr);
    table.rib.flush(table.context, no_limit, 3000, out);
    CHECK_FALSE(table.rib.is_advertised(ipv4(1), 9000));
}
