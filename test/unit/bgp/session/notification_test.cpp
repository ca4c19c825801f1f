// SPDX-License-Identifier: Apache-2.0
// What the operator learns from received NOTIFICATIONs and malformed messages (PROTOCOL N01 to
// N03).
#include <doctest/doctest.h>

#include "test/unit/bgp/session/bench.hpp"

using namespace anyvip;
using namespace anyvip::test;
using bgp::SessionState;

namespace {

raw::Octets text(std::string_view value) {
    return {value.begin(), value.end()};
}

} // namespace

TEST_CASE("N01: a shutdown message is shown") {
    Bench bench;
    bench.establish();
    bench.say(raw::notification(6, 2, raw::join({raw::u8(7), text("upgrade")})));
    const auto error = bench.peer.status().last_error;
    REQUIRE(error);
    CHECK(error->code == 6);
    CHECK(error->subcode == 2);
    CHECK(error->name == "Cease/Administrative Shutdown");
    CHECK(error->message == "upgrade");
    CHECK(bench.events == Lines{"down: received Cease/Administrative Shutdown: upgrade"});
}

TEST_CASE("N01: control characters of a shutdown message never reach the log") {
    Bench bench;
    bench.establish();
    bench.say(raw::notification(6, 2, raw::join({raw::u8(3), text("a\nb")})));
    REQUIRE(bench.events.size() == 1);
    CHECK(bench.events[0].find('\n') == std::string::npos);
}

TEST_CASE("N02: a Hard Reset shows its inner reason") {
    Bench bench;
    bench.establish();
    bench.say(raw::notification(6, 9, raw::join({raw::hex("0602"), raw::u8(3), text("bye")})));
    REQUIRE(bench.events.size() == 1);
    CHECK(bench.events[0].find("Hard Reset") != std::string::npos);
    CHECK(bench.events[0].find("bye") != std::string::npos);
}

TEST_CASE("N03: unknown codes end the session like others") {
    for (const std::uint8_t code : {std::uint8_t{99}, std::uint8_t{8}}) {
        Bench bench;
        bench.establish();
        bench.say(raw::notification(code, code == 8 ? 0 : 99));
        CHECK(bench.state() == SessionState::Idle);
        CHECK(bench.heard().empty());
        CHECK(bench.peer.status().resets == 1);
    }
}

TEST_CASE("RFC 7606: a malformed UPDATE is counted, kept and told once a minute") {
    Bench bench;
    bench.establish();
    // ORIGIN with value 3.
    const auto bad = raw::update(
        {}, raw::hex("40010103 40020602010000fde9 4003040a000001"), raw::hex("18c00002"));
    for (int i = 0; i < 10; ++i) {
        bench.say(bad);
    }
    const auto status = bench.peer.status();
    CHECK(status.state == SessionState::Established);
    REQUIRE(status.rule_counters.size() == 1);
    CHECK(status.rule_counters.begin()->second == 10);
    CHECK(status.last_malformed == bad);
    CHECK_FALSE(status.last_malformed_detail.empty());
    CHECK(status.received_prefixes == 0);
    CHECK(bench.events.size() == 1);
    bench.say(raw::keepalive());
    for (int i = 0; i < 8; ++i) {
        bench.advance(8s);
        bench.say(raw::keepalive());
    }
    bench.say(bad);
    CHECK(bench.events.size() == 2);
    CHECK(bench.heard().size() > 20); // KEEPALIVEs
}

TEST_CASE("RFC 4271 §6.3: an UPDATE that cannot be cut apart resets with 3/1") {
    Bench bench;
    bench.establish();
    bench.say(raw::message(2, raw::hex("ffff0000")));
    CHECK(bench.heard() == Lines{"NOTIFICATION 3/1"});
    CHECK(bench.peer.status().last_error->name.starts_with("UPDATE Message Error"));
}

TEST_CASE("reasons that alternate, or differ in their numbers, are each told once a minute") {
    Bench bench;
    bench.start();
    for (int i = 0; i < 40; ++i) {
        bench.refuse(i % 2 == 0 ? "no answer (" + std::to_string(i) + " wrong signatures)"
                                : "Connection refused");
        bench.advance(*bench.peer.next_deadline() - bench.now);
    }
    CHECK(bench.now < Instant{} + 60s);
    CHECK(bench.events == Lines{"notice: connection failed: no answer (0 wrong signatures)",
                                "notice: connection failed: Connection refused"});
    bench.advance(60s);
    bench.events.clear();
    bench.refuse("Connection refused");
    CHECK(bench.events.size() == 1);
}

TEST_CASE("a router that always says something else does not fill the log") {
    Bench bench;
    bench.start();
    for (char letter = 'a'; letter <= 'z'; ++letter) {
        bench.refuse(std::string(1, letter));
        bench.advance(*bench.peer.next_deadline() - bench.now);
    }
    CHECK(bench.events.size() == 16);
}

TEST_CASE("a refused connection is told once a minute; only silence hints at a password") {
    auto config = usual_config();
    config.has_password = true;
    Bench bench(config);
    bench.start();
    for (int i = 0; i < 20; ++i) {
        bench.refuse("Connection refused");
        bench.advance(*bench.peer.next_deadline() - bench.now);
    }
    CHECK(bench.events == Lines{"notice: connection failed: Connection refused"});
    const auto error = bench.peer.status().last_error;
    REQUIRE(error);
    CHECK(error->code == 0);
    CHECK(error->name == "connection failed");
    CHECK(error->message == "Connection refused");
    bench.advance(3s); // connect_timeout
    REQUIRE(bench.events.size() == 2);
    CHECK(bench.events[1].find("wrong or missing password") != std::string::npos);
}
