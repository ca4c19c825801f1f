// SPDX-License-Identifier: Apache-2.0
// NOTIFICATION, KEEPALIVE and ROUTE-REFRESH both ways, and what an operator reads.
#include "bgp/wire/notification.hpp"

#include <doctest/doctest.h>

#include "support.hpp"

using namespace anyvip::bgp;
using namespace anyvip::bgp::wire;
using namespace anyvip::bgp::wire::test;

namespace {

struct Row {
    std::string name;
    std::string_view octets;
    Notification notification;
};

const std::vector<Row>& rows() {
    static const std::vector<Row> table{
        {"Hold Timer Expired, no data", "16*ff 0015 03 04 00", {4, 0, {}}},
        {"Unsupported Version Number", "16*ff 0017 03 02 01 0004", {2, 1, {0, 4}}},
        {"RFC 9003: shutdown message",
         "16*ff 0019 03 06 02 03 627965", // "bye"
         {6, 2, {3, 'b', 'y', 'e'}}},
    };
    return table;
}

Notification shutdown(std::string_view octets) {
    return {6, 2, hex(octets)};
}

} // namespace

TEST_CASE("NOTIFICATION: octets and message say the same in both directions") {
    for (const Row& row : rows()) {
        CAPTURE(row.name);
        const Octets octets = hex(row.octets);
        CHECK(to_hex(encode_notification(row.notification)) == to_hex(octets));
        CHECK(decode_notification(body_of(octets)) == row.notification);
    }
    CHECK_FALSE(decode_notification(hex("06")).has_value());
    CHECK_FALSE(decode_notification({}).has_value());
}

TEST_CASE("RFC 4271 §4.1: a NOTIFICATION never exceeds 4096 octets") {
    const Notification long_one{3, 1, Octets(5000, 0xAA)};
    CHECK(encode_notification(long_one).size() == 4096);
}

TEST_CASE("RFC 9003 §2: only Administrative Shutdown and Reset carry a message") {
    CHECK(cease(Cease::AdministrativeShutdown, "bye").data == hex("03 627965"));
    CHECK(cease(Cease::AdministrativeReset, "bye").data == hex("03 627965"));
    CHECK(cease(Cease::AdministrativeShutdown).data.empty());
    CHECK(cease(Cease::PeerDeconfigured, "bye").data.empty());
    CHECK(cease(Cease::BfdDown) == Notification{6, 10, {}});
}

TEST_CASE("RFC 9003 §2: a long message is cut at 128 octets on a character border") {
    std::string text(127, 'a');
    text += "ä and more";
    const Notification notification = cease(Cease::AdministrativeShutdown, text);
    CHECK(notification.data.size() == 1 + 127);
    CHECK(notification.data.front() == 127);
    CHECK(cease(Cease::AdministrativeShutdown, std::string(128, 'a')).data.size() == 129);
    CHECK(describe_data(cease(Cease::AdministrativeShutdown, "a\nb\x80")) == "a b\xEF\xBF\xBD");
}

TEST_CASE("N01: what a peer writes cannot steer a terminal") {
    CHECK(describe_data(shutdown("03 627965")) == "bye");
    CHECK(describe_data(shutdown("03 627965 0000")) == "bye");
    CHECK(describe_data(shutdown("05 1b5b324a 07")) == " [2J ");
    CHECK(describe_data(shutdown("02 c3a4")) == "ä");
    CHECK(describe_data(shutdown("04 f09f9880")) == "😀");
    CHECK(describe_data(shutdown("02 c29b")) == " ");           // C1 control
    CHECK(describe_data(shutdown("04 61e280ae")) == "a ");      // right-to-left override
    CHECK(describe_data(shutdown("03 e280a8")) == " ");         // line separator
    CHECK(describe_data(shutdown("02 c0af")).size() == 6);      // overlong
    CHECK(describe_data(shutdown("03 eda080")).size() == 9);    // surrogate
    CHECK(describe_data(shutdown("04 f4908080")).size() == 12); // beyond U+10FFFF
    CHECK(describe_data(shutdown("02 e282")).size() == 6);      // cut off
    CHECK(describe_data(shutdown("c8 200*61")).size() == 200);
}

TEST_CASE("Data that is no shutdown message is shown in hexadecimal") {
    CHECK(describe_data(shutdown("05 6279")) == "056279"); // length beyond the data
    CHECK(describe_data(shutdown("")).empty());
    CHECK(describe_data({2, 6, {0, 1}}) == "0001");
    CHECK(describe_data({3, 1, Octets(65, 0xAB)}).size() == 128 + 3);
}

TEST_CASE("N02: RFC 8538 §3.1: the reason inside a Hard Reset") {
    CHECK(describe_data({6, 9, hex("06 02 03 627965")}) == "Cease/Administrative Shutdown: bye");
    CHECK(describe_data({6, 9, hex("06 0a")}) == "Cease/BFD Down");
    CHECK(describe_data({6, 9, hex("06 09 06 09")}) == "Cease/Hard Reset: 0609");
    CHECK(describe_data({6, 9, hex("06")}) == "06");
}

TEST_CASE("Names are those of the RFCs") {
    CHECK(name(1, 1) == "Message Header Error/Connection Not Synchronized");
    CHECK(name(2, 2) == "OPEN Message Error/Bad Peer AS");
    CHECK(name(2, 11) == "OPEN Message Error/Role Mismatch");
    CHECK(name(2, 9) == "OPEN Message Error/9");
    CHECK(name(3, 11) == "UPDATE Message Error/Malformed AS_PATH");
    CHECK(name(4, 0) == "Hold Timer Expired");
    CHECK(name(5, 3) ==
          "Finite State Machine Error/Receive Unexpected Message in Established State");
    CHECK(name(6, 2) == "Cease/Administrative Shutdown");
    CHECK(name(6, 10) == "Cease/BFD Down");
    CHECK(name(7, 1) == "ROUTE-REFRESH Message Error/Invalid Message Length");
    CHECK(name(8, 0) == "Send Hold Timer Expired");
    CHECK(name(6, 0) == "Cease");
    CHECK(name(99, 99) == "code 99/99");
    CHECK(name(0, 0) == "code 0/0");
}

TEST_CASE("KEEPALIVE is a header alone") {
    CHECK(to_hex(keepalive()) == to_hex(hex("16*ff 0013 04")));
}

TEST_CASE("RFC 2918 §3, RFC 7313 §3.2: ROUTE-REFRESH in both directions") {
    const RouteRefresh request{ipv6_unicast, 0};
    const Octets octets = hex("16*ff 0017 05 0002 00 01");
    CHECK(to_hex(encode_route_refresh(request)) == to_hex(octets));
    CHECK(decode_route_refresh(body_of(octets)) == request);
    CHECK(decode_route_refresh(hex("0001 09 80")) == RouteRefresh{{1, 128}, 9});
}
