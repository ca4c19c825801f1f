// SPDX-License-Identifier: Apache-2.0
// What real routers send (test/vectors), read by our codec: OPEN, routes and End-of-RIB.
#include <doctest/doctest.h>

#include "bgp/wire/framer.hpp"
#include "bgp/wire/open.hpp"
#include "support.hpp"
#include "test/support/source_tree.hpp"

using namespace anyvip;
using namespace anyvip::bgp;
using namespace anyvip::bgp::wire;
using namespace anyvip::bgp::wire::test;

namespace {

struct Row {
    std::string file;
    std::array<bool, 2> add_path;
    std::vector<std::string> messages; ///< as `summary` writes them
};

const std::vector<Row>& rows() {
    static const std::vector<Row> table{
        {"bird-2.0.12.hex",
         {true, false},
         {"OPEN 65001 hold 240 families 2 refresh enhanced gr 120 s with 0 other 71",
          "KEEPALIVE",
          "UPDATE announce 2@198.51.100.0/24 2@203.0.113.0/24 via 127.0.0.1",
          "UPDATE End-of-RIB ipv4",
          "UPDATE announce 2001:db8::/32 via 2001:db8::1",
          "UPDATE End-of-RIB ipv6"}},
        {"frr-8.4.4.hex",
         {true, true},
         {"OPEN 65001 hold 180 families 2 refresh enhanced gr 120 s with 0 other 128 6 73 71",
          "KEEPALIVE",
          "UPDATE End-of-RIB ipv4",
          "UPDATE announce 2001:db8::/32 multiprotocol-next-hop",
          "UPDATE End-of-RIB ipv6",
          "UPDATE announce 2@203.0.113.0/24 via 127.0.0.1"}},
        {"gobgp-3.10.0.hex",
         {false, false},
         {"OPEN 65001 hold 90 families 2 refresh other 73",
          "KEEPALIVE",
          "UPDATE announce 203.0.113.0/24 via 127.0.0.1",
          "UPDATE announce 2001:db8::/32 via 2001:db8::1"}},
        {"openbgpd-7.7.hex",
         {false, false},
         {"OPEN 65001 hold 90 families 2 refresh gr 0 s with 0 other",
          "KEEPALIVE",
          "UPDATE announce 203.0.113.0/24 via 127.0.0.1",
          "UPDATE End-of-RIB ipv4",
          "UPDATE announce 2001:db8::/32 via ::1",
          "UPDATE End-of-RIB ipv6"}},
    };
    return table;
}

Octets read_vector(const std::string& name) {
    return hex(read_source("test/vectors/" + name));
}

std::string open_summary(std::span<const std::uint8_t> body) {
    const auto open = decode_open(body);
    REQUIRE(open.has_value());
    const Capabilities& capabilities = open->capabilities.value();
    std::string text = "OPEN " + to_string(capabilities.four_octet_asn.value()) + " hold " +
                       std::to_string(open->hold_time_s) + " families " +
                       std::to_string(capabilities.multiprotocol.size());
    text += capabilities.route_refresh ? " refresh" : "";
    text += capabilities.enhanced_route_refresh ? " enhanced" : "";
    if (const auto& restart = capabilities.graceful_restart) {
        text += " gr " + std::to_string(restart->restart_time_s) + " s with " +
                std::to_string(restart->tuples.size());
    }
    text += " other";
    for (const std::uint8_t code : capabilities.other_codes) {
        text += " " + std::to_string(code);
    }
    return text;
}

std::string update_summary(std::span<const std::uint8_t> body, const DecodeContext& context) {
    const Update update = decode_update(body, context);
    std::string text = "UPDATE";
    for (const NlriRange& range : {update.announced, update.mp_announced}) {
        text += range.empty() ? "" : " announce " + to_text(range);
    }
    if (update.next_hop) {
        text += " via " + anyvip::to_string(*update.next_hop);
    }
    if (update.mp_next_hop) {
        text += " via " + anyvip::to_string(update.mp_next_hop->address);
    }
    if (update.end_of_rib) {
        text += " End-of-RIB " + std::string(to_string(*update.end_of_rib));
    }
    for (const Error& error : update.errors) {
        text += " " + std::string(error.rule);
    }
    return text;
}

std::string summary(const Frame& frame, const DecodeContext& context) {
    switch (frame.type) {
    case MessageType::Open:
        return open_summary(frame.body);
    case MessageType::Update:
        return update_summary(frame.body, context);
    case MessageType::Keepalive:
        return "KEEPALIVE";
    case MessageType::Notification:
    case MessageType::RouteRefresh:
        break;
    }
    return "unexpected";
}

} // namespace

TEST_CASE("Messages of BIRD, FRR, GoBGP and OpenBGPD are read as they are meant") {
    for (const Row& row : rows()) {
        CAPTURE(row.file);
        DecodeContext context = external_session();
        context.add_path = row.add_path;
        const Octets octets = read_vector(row.file);
        std::vector<std::string> messages;
        for (std::span<const std::uint8_t> stream = octets; !stream.empty();) {
            const auto frame = next_frame(stream, false);
            REQUIRE(frame.has_value());
            REQUIRE(frame->has_value());
            messages.push_back(summary(**frame, context));
            stream = stream.subspan((*frame)->whole.size());
        }
        REQUIRE(messages.size() == row.messages.size());
        for (std::size_t i = 0; i < messages.size(); ++i) {
            CHECK(messages[i] == row.messages[i]);
        }
    }
}
