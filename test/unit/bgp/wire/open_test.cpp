// SPDX-License-Identifier: Apache-2.0
// OPEN both ways: one table of octets and messages, then the forms that only others send.
#include "bgp/wire/open.hpp"

#include <doctest/doctest.h>

#include "support.hpp"

using namespace anyvip::bgp;
using namespace anyvip::bgp::wire;
using namespace anyvip::bgp::wire::test;

namespace {

struct Row {
    std::string name;
    std::string_view octets;
    Open open;
};

Open plain_open() {
    Open open;
    open.my_as = 65001;
    open.hold_time_s = 9;
    open.router_id = RouterId{0x0A000001};
    return open;
}

Open with(Capabilities capabilities) {
    Open open = plain_open();
    open.capabilities = std::move(capabilities);
    return open;
}

std::vector<Row> rows() {
    Capabilities full;
    full.multiprotocol = {ipv4_unicast, ipv6_unicast};
    full.extended_next_hop = {{1, 1, 2}};
    full.route_refresh = true;
    full.enhanced_route_refresh = true;
    full.four_octet_asn = Asn{4200000001};
    full.graceful_restart.emplace();
    full.add_path = {{ipv4_unicast, 1}, {ipv6_unicast, 1}};
    full.role = 3;
    Open everything = with(full);
    everything.my_as = 23456;

    Capabilities restarting;
    restarting.graceful_restart = GracefulRestart{0x8, 120, {{ipv4_unicast, 0x80}}};

    return {
        {"O13: no optional parameters",
         R"(
            16*ff 001d 01   # header: OPEN of 29 octets
            04              # version
            fde9            # my AS 65001
            0009            # hold time
            0a000001        # identifier
            00              # no optional parameters)",
         plain_open()},
        {"all capabilities that we know, in one parameter",
         R"(
            16*ff 004e 01   # header
            04 5ba0 0009    # version, AS_TRANS, hold time
            0a000001
            31 02 2f        # parameters, capabilities
            01 04 0001 00 01            # IPv4 unicast
            01 04 0002 00 01            # IPv6 unicast
            05 06 0001 0001 0002        # RFC 8950: IPv4 unicast over IPv6
            02 00                       # route refresh
            46 00                       # enhanced route refresh
            41 04 fa56ea01              # AS 4200000001
            40 02 0000                  # graceful restart, helper only
            45 08 0001 01 01 0002 01 01 # ADD-PATH: receive
            09 01 03                    # role: customer)",
         everything},
        {"RFC 4724 §3: restart state, time and families",
         R"(
            16*ff 0027 01
            04 fde9 0009 0a000001
            0a 02 08
            40 06 8078 0001 01 80)",
         with(restarting)},
        {"an empty capabilities parameter",
         R"(
            16*ff 001f 01
            04 fde9 0009 0a000001
            02 02 00)",
         with({})},
    };
}

/// Body of a valid OPEN with these optional parameters, the length octet included.
std::expected<Open, Error> decode_with(std::string_view parameters) {
    Octets body = hex("04 fde9 0009 0a000001");
    const Octets rest = hex(parameters);
    body.insert(body.end(), rest.begin(), rest.end());
    return decode_open(body);
}

Capabilities capabilities_of(std::string_view parameters) {
    const auto open = decode_with(parameters);
    REQUIRE(open.has_value());
    return open->capabilities.value();
}

} // namespace

TEST_CASE("OPEN: octets and message say the same in both directions") {
    for (const Row& row : rows()) {
        CAPTURE(row.name);
        const Octets octets = hex(row.octets);
        CHECK(to_hex(encode_open(row.open)) == to_hex(octets));
        const auto decoded = decode_open(body_of(octets));
        REQUIRE(decoded.has_value());
        CHECK(*decoded == row.open);
    }
}

TEST_CASE("O14: one parameter for each capability is the same as one for all") {
    const auto together = capabilities_of("0e 02 0c 01 04 0001 00 01 41 04 0000fde9");
    CHECK(capabilities_of("10 02 06 01 04 0001 00 01 02 06 41 04 0000fde9") == together);
    CHECK(together.multiprotocol == std::vector{ipv4_unicast});
    CHECK(together.four_octet_asn == Asn{65001});
}

TEST_CASE("O15: unknown capabilities are no error") {
    CHECK(capabilities_of("04 02 02 ef 00").other_codes == Octets{239});
    CHECK(capabilities_of("cc 02 ca ef c8 200*aa").other_codes == Octets{239});
    CHECK(capabilities_of("08 02 06 ef 00 ef 00 80 00").other_codes == Octets{239, 128});
}

TEST_CASE("O18: RFC 9072 parameters, whatever the one-octet length says") {
    const auto expected = capabilities_of("08 02 06 41 04 0000fde9");
    CHECK(capabilities_of("ff ff 0009 02 0006 41 04 0000fde9") == expected);
    CHECK(capabilities_of("0a ff 0009 02 0006 41 04 0000fde9") == expected);
    const auto large = capabilities_of(R"(
        ff ff 0258          # 600 octets of parameters
        02 024f             # 591 of capabilities
        ef ff 255*00        # unknown, 257 octets
        ee ff 255*00
        ed 47 71*00
        02 00               # route refresh
        46 00               # enhanced route refresh
        02 0003 f0 01 00    # a second parameter)");
    CHECK(large.other_codes == Octets{239, 238, 237, 240});
    CHECK(large.route_refresh);
    CHECK(large.enhanced_route_refresh);
    CHECK_FALSE(decode_with("ff ff 0000").value().capabilities.has_value());
}

TEST_CASE("O05: capability 65 twice with one number is legal") {
    CHECK(capabilities_of("0e 02 0c 41 04 0000fde9 41 04 0000fde9").four_octet_asn == Asn{65001});
}

TEST_CASE("O24: the last graceful restart capability counts, as the last ADD-PATH does") {
    const auto twice = capabilities_of("0e 02 0c 40 06 0078 0001 01 80 40 02 405a");
    REQUIRE(twice.graceful_restart.has_value());
    CHECK(twice.graceful_restart->flags == 0x4);
    CHECK(twice.graceful_restart->restart_time_s == 90);
    CHECK(twice.graceful_restart->tuples.empty());
    const auto paths = capabilities_of("0e 02 0c 45 04 0001 01 03 45 04 0002 01 02");
    CHECK(paths.add_path == std::vector{AddPath{ipv6_unicast, 2}});
}

TEST_CASE("RFC 5492 §3: multiprotocol and extended next hop accumulate") {
    const auto capabilities = capabilities_of(R"(
        1e 02 1c
        01 04 0001 00 01
        01 04 0002 00 80    # not a family of ours, kept all the same
        05 06 0001 0001 0002
        05 06 0001 0080 0002)");
    CHECK(capabilities.multiprotocol == std::vector{ipv4_unicast, AfiSafi{2, 128}});
    CHECK(capabilities.extended_next_hop.size() == 2);
}

TEST_CASE("Known capabilities of wrong length that do not decide the session are ignored") {
    const auto capabilities = capabilities_of(R"(
        1e 02 1c
        02 01 00            # route refresh with a value
        46 01 00            # enhanced route refresh with a value
        05 05 0001 0001 00  # extended next hop, cut
        40 01 00            # graceful restart, cut
        40 03 0000 00       # graceful restart, half a tuple
        45 03 0001 01       # ADD-PATH, cut
        09 00               # role, empty)");
    Capabilities expected;
    expected.other_codes = {2, 70, 5, 64, 69, 9};
    CHECK(capabilities == expected);
}

TEST_CASE("RFC 7911 §4: a send/receive value that is not defined voids the capability") {
    const auto capabilities = capabilities_of("0c 02 0a 45 08 0001 01 01 0002 01 04");
    CHECK(capabilities.add_path.empty());
    CHECK(capabilities.other_codes == Octets{69});
}

TEST_CASE("RFC 9234 §4.2: different roles are told to the session, equal ones are one") {
    CHECK_FALSE(capabilities_of("08 02 06 09 01 00 09 01 00").has_conflicting_roles);
    const auto conflicting = capabilities_of("08 02 06 09 01 00 09 01 03");
    CHECK(conflicting.has_conflicting_roles);
    CHECK(conflicting.role == 0);
}

TEST_CASE("At most 64 unknown capability codes are kept") {
    Octets parameters = hex("ff ff 0193 02 0190");
    for (std::uint8_t i = 0; i < 200; ++i) {
        parameters.push_back(static_cast<std::uint8_t>(i < 50 ? 150 + i : i + 56));
        parameters.push_back(0);
    }
    Octets body = hex("04 fde9 0009 0a000001");
    body.insert(body.end(), parameters.begin(), parameters.end());
    const auto open = decode_open(body);
    REQUIRE(open.has_value());
    CHECK(open->capabilities->other_codes.size() <= 64);
}
