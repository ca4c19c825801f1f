// SPDX-License-Identifier: Apache-2.0
// How OPENs are judged and what two of them make (PROTOCOL section 10, O01 to O25, G01).
#include <doctest/doctest.h>

#include <algorithm>

#include "bgp/session/negotiate.hpp"
#include "test/unit/bgp/session/bench.hpp"

using namespace anyvip;
using namespace anyvip::test;
using bgp::SessionState;

namespace {

/// The answer to an OPEN: "KEEPALIVE" when it is accepted.
std::string answer_to(const raw::Octets& open,
                      bgp::PeerConfig config = usual_config(),
                      bgp::Speaker speaker = {bgp::Asn{65010}, bgp::RouterId{0x0a00000b}}) {
    Bench bench(std::move(config), speaker);
    bench.start();
    bench.accept();
    bench.say(open);
    const Lines heard = bench.heard();
    return heard.size() == 2 ? heard[1] : "not one answer";
}

raw::OpenFields with_capabilities(const raw::Octets& capabilities) {
    auto fields = Bench::usual_open();
    fields.capabilities = raw::join({fields.capabilities, capabilities});
    return fields;
}

bgp::PeerConfig remote(bgp::RemoteAs::Kind kind, std::uint32_t number = 0) {
    auto config = usual_config();
    config.remote_as = {kind, bgp::Asn{number}};
    return config;
}

raw::Octets offered_capabilities(bgp::PeerConfig config) {
    Bench bench(std::move(config));
    bench.start();
    bench.accept();
    const auto body = bench.messages().at(0).body;
    return {body.begin() + 12, body.end()};
}

} // namespace

TEST_CASE("O01: another version is refused with the version that we speak") {
    auto fields = Bench::usual_open();
    fields.version = 3;
    CHECK(answer_to(raw::open(fields)) == "NOTIFICATION 2/1 0004");
    fields.version = 5;
    CHECK(answer_to(raw::open(fields)) == "NOTIFICATION 2/1 0004");
}

TEST_CASE("O02, O03: wrong and impossible AS numbers are refused with Bad Peer AS") {
    auto fields = Bench::usual_open();
    fields.capabilities = raw::usual_capabilities(65002);
    CHECK(answer_to(raw::open(fields)) == "NOTIFICATION 2/2 0000fdea");
    fields.capabilities = raw::usual_capabilities(0);
    CHECK(answer_to(raw::open(fields)) == "NOTIFICATION 2/2 00000000");
    fields.capabilities = raw::usual_capabilities(23456);
    CHECK(answer_to(raw::open(fields)) == "NOTIFICATION 2/2 00005ba0");
    fields.capabilities = {};
    fields.my_as = 65002;
    CHECK(answer_to(raw::open(fields)) == "NOTIFICATION 2/2 fdea");
    fields.my_as = 0;
    CHECK(answer_to(raw::open(fields)) == "NOTIFICATION 2/2 0000");
    fields.capabilities = raw::usual_capabilities(65001); // good, but My AS is what is wrong
    CHECK(answer_to(raw::open(fields)) == "NOTIFICATION 2/2 0000");
}

TEST_CASE("asn external and internal") {
    using Kind = bgp::RemoteAs::Kind;
    auto ours = Bench::usual_open();
    ours.my_as = 65010;
    ours.capabilities = raw::usual_capabilities(65010);
    const auto theirs = raw::open(Bench::usual_open());
    CHECK(answer_to(theirs, remote(Kind::External)) == "KEEPALIVE");
    CHECK(answer_to(raw::open(ours), remote(Kind::External)) == "NOTIFICATION 2/2 0000fdf2");
    CHECK(answer_to(raw::open(ours), remote(Kind::Internal)) == "KEEPALIVE");
    CHECK(answer_to(theirs, remote(Kind::Internal)) == "NOTIFICATION 2/2 0000fde9");
    // RFC 6793 §9: AS_TRANS is nobody's number, so it is no external one either.
    auto nobody = Bench::usual_open();
    nobody.my_as = 23456;
    nobody.capabilities = raw::hex("01 04 00010001");
    CHECK(answer_to(raw::open(nobody), remote(Kind::External)) == "NOTIFICATION 2/2 5ba0");
}

TEST_CASE("O04: AS_TRANS with the number in the capability is accepted") {
    auto fields = Bench::usual_open();
    fields.my_as = 23456;
    fields.capabilities = raw::usual_capabilities(4200000001);
    const auto config = remote(bgp::RemoteAs::Kind::Number, 4200000001);
    CHECK(answer_to(raw::open(fields), config) == "KEEPALIVE");
    fields.capabilities = {};
    CHECK(answer_to(raw::open(fields), config) == "NOTIFICATION 2/2 5ba0");
}

TEST_CASE("O06: hold times of 1 and 2 s are refused with Unacceptable Hold Time") {
    auto fields = Bench::usual_open();
    fields.hold_time = 1;
    CHECK(answer_to(raw::open(fields)) == "NOTIFICATION 2/6 0001");
    fields.hold_time = 2;
    CHECK(answer_to(raw::open(fields)) == "NOTIFICATION 2/6 0002");
    fields.hold_time = 3;
    CHECK(answer_to(raw::open(fields)) == "KEEPALIVE");
}

TEST_CASE("O09: the smaller hold time counts") {
    auto config = usual_config();
    config.hold_time = 90s;
    Bench bench(config);
    auto fields = Bench::usual_open();
    fields.hold_time = 65535;
    bench.establish(fields);
    CHECK(bench.peer.status().hold_time == 90s);
}

TEST_CASE("O10 to O12: any BGP identifier but 0, and ours only on eBGP") {
    auto fields = Bench::usual_open();
    fields.router_id = 0;
    CHECK(answer_to(raw::open(fields)) == "NOTIFICATION 2/3 00000000");
    fields.router_id = 0xe0000001;
    CHECK(answer_to(raw::open(fields)) == "KEEPALIVE");
    fields.router_id = 0x0a00000b;
    CHECK(answer_to(raw::open(fields)) == "KEEPALIVE");
    fields.my_as = 65010;
    fields.capabilities = raw::usual_capabilities(65010);
    CHECK(answer_to(raw::open(fields), remote(bgp::RemoteAs::Kind::Internal)) ==
          "NOTIFICATION 2/3 0a00000b");
}

TEST_CASE("O13: without optional parameters the session is IPv4 with a two-octet AS_PATH") {
    Bench bench;
    bench.peer.want(prefix("203.0.113.10/32"), plain_intent());
    bench.peer.want(prefix("2001:db8:1::10/128"), plain_intent());
    bench.peer.allow_end_of_rib(bench.now);
    bench.start();
    bench.accept();
    raw::OpenFields fields;
    fields.has_parameters = false;
    bench.say(raw::join({raw::open(fields), raw::keepalive()}));
    CHECK(bench.heard() == Lines{"OPEN",
                                 "KEEPALIVE",
                                 "UPDATE 00000012" // 18 octets of attributes
                                 "40010100"
                                 "4002040201fdf2" // two octets an AS
                                 "4003040a00000b"
                                 "20cb00710a",
                                 end_of_rib_v4});
    CHECK_FALSE(bench.peer.can_announce(Family::Ipv6));
    CHECK_FALSE(bench.peer.status().family_problem[1].empty());
}

TEST_CASE("O15: unknown capabilities are ignored") {
    CHECK(answer_to(raw::open(with_capabilities(raw::capability(239, {})))) == "KEEPALIVE");
    CHECK(answer_to(raw::open(with_capabilities(raw::capability(239, raw::Octets(200, 7))))) ==
          "KEEPALIVE");
}

TEST_CASE("O20: no family in common is refused with the capabilities that we need") {
    auto config = usual_config();
    config.families = {true, false};
    auto fields = Bench::usual_open();
    fields.capabilities = raw::hex("01 04 00020001");
    CHECK(answer_to(raw::open(fields), config) == "NOTIFICATION 2/7 010400010001");
}

TEST_CASE("O21: the family that the router lacks is left out, visibly, without a reset") {
    Bench bench;
    bench.peer.want(prefix("203.0.113.10/32"), plain_intent());
    bench.peer.want(prefix("2001:db8:1::10/128"), plain_intent());
    bench.start();
    bench.accept();
    auto fields = Bench::usual_open();
    fields.capabilities =
        raw::join({raw::hex("01 04 00010001"), raw::capability(65, raw::u32(65001))});
    bench.say(raw::join({raw::open(fields), raw::keepalive()}));
    CHECK(bench.heard().size() == 3);
    CHECK(bench.peer.status().families == std::array{true, false});
    CHECK(bench.peer.status().family_problem[1] == "the router does not offer it");
    CHECK(std::ranges::any_of(bench.events, [](const std::string& event) {
        return event.find("does not offer ipv6") != std::string::npos;
    }));
}

TEST_CASE("O22: after 2/4 the next OPENs go without parameters for ten minutes") {
    auto config = usual_config();
    config.families = {true, false};
    Bench bench(config);
    bench.start();
    bench.accept();
    bench.say(raw::notification(2, 4));
    (void)bench.heard();
    bench.advance(1s);
    bench.accept();
    CHECK(bench.messages().at(0).body.at(9) == 0);
    bench.advance(10min);
    REQUIRE(bench.is_connecting);
    bench.accept();
    CHECK(bench.messages().back().body.at(9) != 0);
}

TEST_CASE("O22: the same after an OPEN of the router, in one segment, on either connection") {
    auto config = usual_config();
    config.families = {true, false};
    auto fields = Bench::usual_open();
    fields.has_parameters = false;
    const auto talk = raw::join({raw::open(fields), raw::notification(2, 4)});
    for (const auto slot : {bgp::Slot::Outgoing, bgp::Slot::Incoming}) {
        Bench bench(config);
        bench.start();
        if (slot == bgp::Slot::Outgoing) {
            bench.accept();
        } else {
            bench.dial();
        }
        bench.say(talk, slot);
        CHECK(bench.heard(slot) == Lines{"OPEN"});
        bench.advance(1s);
        REQUIRE(bench.is_connecting);
        bench.accept();
        CHECK(bench.messages().at(0).body.at(9) == 0);
        bench.say(raw::join({raw::open(fields), raw::keepalive()}));
        CHECK(bench.state() == bgp::SessionState::Established);
    }
}

TEST_CASE("O22: a peer that needs capabilities never goes without") {
    Bench bench; // both families
    bench.start();
    bench.accept();
    bench.say(raw::notification(2, 4));
    (void)bench.heard();
    bench.advance(1s);
    bench.accept();
    CHECK(bench.messages().at(0).body.at(9) != 0);
}

TEST_CASE("O25: a large ASN is AS_TRANS in OPEN, and AS4_PATH carries it to a two-octet peer") {
    Bench bench(usual_config(), {bgp::Asn{4200000001}, bgp::RouterId{0x0a00000b}});
    bench.peer.want(prefix("203.0.113.10/32"), plain_intent());
    bench.start();
    bench.accept();
    raw::OpenFields fields;
    fields.has_parameters = false;
    bench.say(raw::join({raw::open(fields), raw::keepalive()}));
    const auto messages = bench.messages();
    REQUIRE(messages.size() == 3);
    CHECK(raw::to_hex(messages[0].body).substr(2, 4) == "5ba0");
    const std::string update = raw::to_hex(messages[2].body);
    CHECK(update.find("40020402015ba0") != std::string::npos);
    CHECK(update.find("c011060201fa56ea01") != std::string::npos);
}

TEST_CASE("G01: graceful restart is offered as helper only") {
    const std::string offered = raw::to_hex(offered_capabilities(usual_config()));
    CHECK(offered.find("40020000") != std::string::npos);
    CHECK(offered.find("4508") != std::string::npos);             // ADD-PATH
    CHECK(offered.find("0001010100020101") != std::string::npos); // receive, both families
}

TEST_CASE("RFC 9234: a configured role is offered, and one that does not fit is refused") {
    auto config = usual_config();
    CHECK(raw::to_hex(offered_capabilities(config)).find("090103") == std::string::npos);
    config.role = 3; // customer
    CHECK(raw::to_hex(offered_capabilities(config)).find("090103") != std::string::npos);
    const auto with_role = [](const char* tlv) {
        return raw::open(with_capabilities(raw::hex(tlv)));
    };
    CHECK(answer_to(with_role("090100"), config) == "KEEPALIVE");
    CHECK(answer_to(with_role("090103"), config) == "NOTIFICATION 2/11");
    CHECK(answer_to(with_role("090104"), config) == "NOTIFICATION 2/11");
    CHECK(answer_to(with_role("090100 090101"), config) == "NOTIFICATION 2/11");
    CHECK(answer_to(raw::open(Bench::usual_open()), config) == "KEEPALIVE");
    CHECK(answer_to(with_role("090103")) == "KEEPALIVE"); // no role configured: ignored
}

TEST_CASE("RFC 9234 §5: routes down or across bear ONLY_TO_CUSTOMER, routes up do not") {
    const auto marks = [](std::uint8_t role) {
        auto config = usual_config();
        config.role = role;
        const bgp::Speaker us{bgp::Asn{65010}, bgp::RouterId{1}};
        const bgp::Speaker router{config.remote_as.number, bgp::RouterId{2}};
        auto theirs = bgp::make_open(config, router, true);
        theirs.capabilities->role.reset();
        const auto result = bgp::negotiate(bgp::make_open(config, us, true), theirs, config);
        return result.value().only_to_customer;
    };
    CHECK(marks(0)); // provider
    CHECK(marks(1)); // route server
    CHECK_FALSE(marks(2));
    CHECK_FALSE(marks(3)); // customer
    CHECK(marks(4));       // peer
}

TEST_CASE("RFC 7911: ADD-PATH counts only from a router that sends several paths") {
    for (const auto& [value, expected] : {std::pair{"02", true}, {"03", true}, {"01", false}}) {
        Bench bench;
        bench.establish(with_capabilities(raw::join({raw::hex("45 04 0001 01"), raw::hex(value)})));
        CHECK(bench.peer.status().add_path == std::array{expected, false});
    }
}
