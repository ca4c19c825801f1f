// SPDX-License-Identifier: Apache-2.0
// What the agent is told of a BFD report, and which endpoints have a session.
#include <doctest/doctest.h>

#include "cmd/daemon/bfd_sessions.hpp"
#include "test/unit/cmd/agent/stage.hpp"

namespace anyvip::test {

namespace bfd = bgp::bfd;

TEST_CASE("RFC 5882 §4.2: a fall that BFD has got over before the loop looked resets the session") {
    Config config = make_config();
    config.peers[0].bfd = cmd::BfdConfig{};
    Stage stage(config);
    stage.turn();
    bgp::bfd_net::Report report;
    report.view.state = bfd::State::Up;
    report.view.remote_state = bfd::State::Up;
    cmd::tell(stage.agent(), "tor1", report, stage.now());
    stage.turn();
    REQUIRE(stage.route() != nullptr);
    report.change.emplace();
    report.missed_fall.emplace();
    report.missed_fall->diagnostic = bfd::Diagnostic::DetectionTimeExpired;
    SUBCASE("by its own detection") {
        cmd::tell(stage.agent(), "tor1", report, stage.now());
        stage.turn();
        CHECK(stage.routers.at("tor1").notifications.size() == 1);
    }
    SUBCASE("for a router that was administratively down it is none") {
        report.missed_fall->is_peer_admin_down = true;
        cmd::tell(stage.agent(), "tor1", report, stage.now());
        stage.turn();
        CHECK(stage.routers.at("tor1").notifications.empty());
    }
    CHECK(stage.count("bfd.down") == 1);
    CHECK(stage.agent().peer("tor1")->bfd == cmd::BfdState::Up);
}

TEST_CASE("CONTRACT 5: BFD keeps its endpoint until BGP has withdrawn from it and been reset") {
    Config config = make_config();
    config.peers.push_back(make_peer("tor2", 2));
    for (cmd::PeerEntry& entry : config.peers) {
        entry.bfd = cmd::BfdConfig{};
    }
    Stage stage(config);
    stage.turn();
    const auto endpoint = [](std::uint32_t last_octet) {
        bgp::bfd_net::Endpoint made;
        made.peer = IpAddress::v4(0x0a000000U + last_octet);
        return std::optional(made);
    };
    // As the sessions would be: what is wanted after one turn is there in the next.
    std::map<std::string, std::optional<bgp::bfd_net::Endpoint>> present{{"tor1", endpoint(1)},
                                                                         {"tor2", endpoint(2)}};
    const auto reconcile = [&] {
        present["tor1"] =
            cmd::wanted_endpoint(stage.agent(), "tor1", endpoint(11), present["tor1"]);
        present["tor2"] =
            cmd::wanted_endpoint(stage.agent(), "tor2", endpoint(12), present["tor2"]);
    };
    config.peers[0].address = IpAddress::v4(0x0a00000b);
    config.peers[1].address = IpAddress::v4(0x0a00000c);
    stage.agent().reload(config, stage.now());
    stage.turn();
    reconcile();
    REQUIRE(stage.route()->is_graceful_shutdown);
    CHECK(present["tor1"] == endpoint(1));
    CHECK(present["tor2"] == endpoint(2));
    stage.unreachable.insert("tor1");
    stage.pass_time(1s); // the withdraw, its acknowledgement and the reset
    reconcile();
    REQUIRE(stage.routers.at("tor1").notifications.size() == 1);
    CHECK(present["tor1"] == endpoint(11));
    CHECK(present["tor2"] == endpoint(2)); // waits for the first one
    REQUIRE(stage.route("203.0.113.10/32", "tor2") != nullptr);
    stage.unreachable.clear();
    stage.pass_time(40s);
    reconcile();
    CHECK(present["tor2"] == endpoint(12));
    CHECK_FALSE(cmd::wanted_endpoint(stage.agent(), "tor1", std::nullopt, endpoint(1)));
    CHECK(cmd::wanted_endpoint(stage.agent(), "tor1", endpoint(1), std::nullopt) == endpoint(1));
}

} // namespace anyvip::test
