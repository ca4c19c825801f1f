// SPDX-License-Identifier: Apache-2.0
// What the agent is told of a BFD report.
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

} // namespace anyvip::test
