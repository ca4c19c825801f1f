// SPDX-License-Identifier: Apache-2.0
// Cutting the stream: RFC 4271 §4.1, §6.1.
#include "bgp/wire/framer.hpp"

#include <doctest/doctest.h>

#include "support.hpp"

using namespace anyvip::bgp::wire;
using namespace anyvip::bgp::wire::test;

TEST_CASE("H07: the same messages come out however the stream is cut") {
    Octets stream;
    const Octets keepalive = hex("16*ff 0013 04");
    const Octets update = hex("16*ff 0017 02 0000 0000");
    const Octets refresh = hex("16*ff 0017 05 0001 00 01");
    for (int i = 0; i < 100; ++i) {
        for (const Octets& message : {keepalive, update, refresh}) {
            stream.insert(stream.end(), message.begin(), message.end());
        }
    }
    for (const std::size_t step : {std::size_t{1}, std::size_t{7}, stream.size()}) {
        Octets buffer;
        std::vector<MessageType> types;
        for (std::size_t at = 0; at < stream.size(); at += step) {
            const auto chunk = std::span(stream).subspan(at, std::min(step, stream.size() - at));
            buffer.insert(buffer.end(), chunk.begin(), chunk.end());
            for (;;) {
                const auto frame = next_frame(buffer, false);
                REQUIRE(frame.has_value());
                if (!*frame) {
                    break;
                }
                CHECK((*frame)->whole.size() == (*frame)->body.size() + header_octets);
                types.push_back((*frame)->type);
                buffer.erase(buffer.begin(),
                             buffer.begin() + static_cast<std::ptrdiff_t>((*frame)->whole.size()));
            }
        }
        CHECK(buffer.empty());
        REQUIRE(types.size() == 300);
        CHECK(types[297] == MessageType::Keepalive);
        CHECK(types[298] == MessageType::Update);
        CHECK(types[299] == MessageType::RouteRefresh);
    }
}

TEST_CASE("RFC 4271 §6.1: the checks come in the order marker, length, type, length of the type") {
    CHECK(next_frame(hex("15*ff 00 0001 63"), false).error().subcode == 1);
    CHECK(next_frame(hex("16*ff 0001 63"), false).error().subcode == 2);
    CHECK(next_frame(hex("16*ff 0013 63"), false).error().subcode == 3);
}

TEST_CASE("A header error is told before the body is there") {
    CHECK(next_frame(hex("16*ff ffff 02"), false).error().subcode == 2);
    CHECK_FALSE(next_frame(hex("16*ff 1000 02"), false).value().has_value());
    CHECK_FALSE(next_frame({}, false).value().has_value());
    CHECK(next_frame(hex("16*ff 0012"), false).error().subcode == 2);
    CHECK(next_frame(hex("16*ff 0012"), false).error().data == hex("0012"));
    CHECK(next_frame(hex("16*ff 1001"), false).error().subcode == 2);
    CHECK_FALSE(next_frame(hex("16*ff 00"), false).value().has_value());
    CHECK_FALSE(next_frame(hex("16*ff 0013"), false).value().has_value());
    CHECK(next_frame(hex("ff fe"), false).error().subcode == 1);
}

TEST_CASE("RFC 4271 §4.1: a message of 4096 octets is the longest") {
    Octets message = hex("16*ff 1000 02");
    message.resize(4096);
    CHECK(next_frame(message, false).value()->whole.size() == 4096);
}
