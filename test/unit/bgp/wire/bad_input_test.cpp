// SPDX-License-Identifier: Apache-2.0
// Everything in the bad-input tables is found, and nothing in the error catalogue is untested.
#include <doctest/doctest.h>

#include <set>
#include <sstream>

#include "bad_input.hpp"
#include "bgp/wire/framer.hpp"
#include "bgp/wire/open.hpp"
#include "test/support/source_tree.hpp"

using namespace anyvip::bgp::wire;
using namespace anyvip::bgp::wire::test;

namespace {

void check_updates(const BadInputs& rows, const DecodeContext& context) {
    for (const BadInput& row : rows) {
        CAPTURE(row.name);
        const Update update = decode_update(row.octets, context);
        REQUIRE(update.errors.size() == 1);
        CHECK(to_text(update.errors.front()) == row.error);
        CHECK(update.verdict == update.errors.front().severity);
        CHECK(update.disabled.has_value() == (update.verdict == Severity::AfiSafiDisable));
        CHECK_FALSE(update.errors.front().detail.empty());
        CHECK_FALSE(update.end_of_rib.has_value());
    }
}

} // namespace

TEST_CASE("RFC 4271 §6.1: every header error has its subcode and data") {
    for (const BadInput& row : header_rows()) {
        CAPTURE(row.name);
        const auto frame = next_frame(row.octets, false);
        REQUIRE_FALSE(frame.has_value());
        CHECK(to_text(frame.error()) == row.error);
    }
}

TEST_CASE("A12: RFC 7313 §5: a ROUTE-REFRESH of wrong length is 7/1 with the whole message") {
    const Octets message = hex("16*ff 0016 05 0001 00");
    CHECK(to_text(next_frame(message, true).error()) ==
          "7/1 reset route-refresh-length " + to_hex(message));
    CHECK_FALSE(next_frame(std::span(message).first(21), true).value().has_value());
    Octets longest = hex("16*ff 1000 05");
    longest.resize(4096);
    CHECK(next_frame(longest, true).error().data.size() == 4096 - 21);
}

TEST_CASE("RFC 4271 §6.2, RFC 5492, RFC 9072: every structural error of OPEN") {
    for (const BadInput& row : open_rows()) {
        CAPTURE(row.name);
        const auto open = decode_open(row.octets);
        REQUIRE_FALSE(open.has_value());
        CHECK(to_text(open.error()) == row.error);
    }
}

TEST_CASE("RFC 7606 §3 to §5: errors of the UPDATE as a whole") {
    check_updates(structure_rows(), external_session());
}

TEST_CASE("RFC 7606 §7: errors of single attributes") {
    check_updates(attribute_rows(), external_session());
}

TEST_CASE("RFC 4760 §7: errors of multiprotocol attributes disable their family") {
    check_updates(multiprotocol_rows(), external_session());
}

TEST_CASE("RFC 6793 §6: errors of what only two-octet speakers send") {
    DecodeContext context = external_session();
    context.four_octet_asn = false;
    check_updates(two_octet_rows(), context);
}

TEST_CASE("RFC 7606 §7.5, §7.9, §7.10: errors of what only internal peers send") {
    check_updates(internal_rows(), internal_session());
}

TEST_CASE("RFC 9234 §5: errors of ONLY_TO_CUSTOMER, where a role is configured") {
    DecodeContext context = external_session();
    context.role = 0;
    check_updates(role_rows(), context);
    for (const BadInput& row : role_rows()) {
        CHECK(decode_update(row.octets, external_session()).errors.empty());
    }
}

TEST_CASE("Every factory of the error catalogue has a row here") {
    std::istringstream header(read_source("bgp/wire/errors.hpp"));
    std::set<std::string> declared;
    constexpr std::string_view prefix_text = "[[nodiscard]] Error ";
    for (std::string line; std::getline(header, line);) {
        if (line.starts_with(prefix_text)) {
            declared.insert(line.substr(prefix_text.size(), line.find('(') - prefix_text.size()));
        }
    }
    std::set<std::string> hit{"bad_route_refresh_length"}; // has a test of its own above
    for (const auto rows : {header_rows,
                            open_rows,
                            structure_rows,
                            attribute_rows,
                            multiprotocol_rows,
                            two_octet_rows,
                            internal_rows,
                            role_rows}) {
        for (const BadInput& row : rows()) {
            hit.insert(std::string(row.factory));
        }
    }
    CHECK(declared.size() > 25);
    CHECK(hit == declared);
}
