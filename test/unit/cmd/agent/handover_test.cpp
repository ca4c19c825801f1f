// SPDX-License-Identifier: Apache-2.0
// What an agent hands to its successor at an upgrade in place. That nothing at all is different
// afterwards, the other tests of this directory say once more: see Stage::upgrade.
#include "cmd/handover/loader.hpp"
#include "cmd/handover/saver.hpp"

#include <array>

#include "test/support/later_saver.hpp"
#include "test/unit/cmd/agent/stage.hpp"

using namespace anyvip;
using namespace anyvip::test;
using cmd::handover::Loader;
using cmd::handover::Saver;

namespace {

/// Two routers, three VIPs: one with a check, one drained, one in its hold-down.
Config rich_config() {
    Config config = make_config();
    config.peers.push_back(make_peer("tor2", 2));
    config.checks = {make_check("web"), make_check("app")};
    config.vips = {make_vip("www", "203.0.113.10/32", {"web"}),
                   make_vip("api", "203.0.113.11/32"),
                   make_vip("app", "2001:db8::12/128", {"app"})};
    config.vips[2].hold_down = 8s;
    config.vips[0].communities = {bgp::Community{0xFDF20064}};
    return config;
}

struct Saved {
    Config config;
    std::vector<std::uint8_t> fields;
    std::vector<std::uint8_t> later_fields; ///< the same, as a later version may write it
    cmd::Now now;
};

Saved rich_state() {
    Stage stage(rich_config());
    stage.turn();
    stage.pass_time(10ms); // first runs are spread
    stage.finish("web", pass());
    stage.finish("app", pass());
    stage.pass_time(2s);
    stage.finish("app", fail());
    static_cast<void>(stage.drain({.vips = {"api"}, .reason = "new kernel"}));
    stage.pass_time(500ms);
    REQUIRE(stage.state("www") == vip::VipState::Announced);
    REQUIRE(stage.state("api") != vip::VipState::Announced);
    REQUIRE(stage.state("app") == vip::VipState::Withdrawn);
    Saver saver;
    stage.agent().transfer(saver);
    LaterSaver later;
    stage.agent().transfer(later);
    return {rich_config(),
            {saver.fields().begin(), saver.fields().end()},
            {later.fields().begin(), later.fields().end()},
            stage.now()};
}

/// Whatever the octets are: an answer, and an agent that still works.
std::string try_state(const Saved& saved, std::span<const std::uint8_t> fields) {
    Agent agent(saved.config, vip::DrainState{}, 7, saved.now);
    Loader loader(fields, Loader::Files::Absent);
    agent.transfer(loader);
    if (!loader.is_bad()) {
        agent.settle(saved.now);
        agent.tick(saved.now);
        agent.settle(saved.now);
        static_cast<void>(agent.take_outputs());
        static_cast<void>(agent.take_events());
    }
    return loader.problem();
}

/// What an agent that has loaded these fields says of itself.
std::vector<std::uint8_t> loaded_and_saved(const Saved& saved,
                                           std::span<const std::uint8_t> fields) {
    Agent agent(saved.config, vip::DrainState{}, 7, saved.now);
    Loader loader(fields, Loader::Files::Absent);
    agent.transfer(loader);
    CHECK(loader.problem() == "");
    Saver saver;
    agent.transfer(saver);
    return {saver.fields().begin(), saver.fields().end()};
}

} // namespace

TEST_CASE("after an upgrade nothing is sent, and everything is as it was") {
    Stage stage(rich_config());
    stage.turn();
    stage.pass_time(10ms); // first runs are spread
    stage.finish("web", pass());
    stage.finish("app", pass());
    stage.pass_time(2s);
    stage.finish("app", fail());
    static_cast<void>(stage.drain({.vips = {"api"}}));
    stage.pass_time(3s);
    stage.finish("web", pass());
    const vip::VipState api = stage.state("api");
    const std::size_t updates = stage.routers["tor1"].updates;
    const std::size_t lines = stage.log.size();
    const std::size_t events = stage.events.size();
    const auto before = stage.vip("www");
    const auto since = before.since;

    stage.upgrade();

    CHECK(stage.routers["tor1"].updates == updates);
    CHECK(stage.log.size() == lines);
    CHECK(stage.events.size() == events);
    CHECK(stage.vip("www").since == since);
    CHECK(stage.state("www") == vip::VipState::Announced);
    CHECK(stage.state("api") == api);
    CHECK(stage.state("app") == vip::VipState::Withdrawn);
    CHECK(stage.agent().peer("tor1")->peer->is_established());
    // The hold-down goes on where it was, and is not begun anew.
    stage.finish("app", pass());
    stage.pass_time(4500ms);
    CHECK(stage.state("app") == vip::VipState::Withdrawn);
    stage.pass_time(1s);
    CHECK(stage.state("app") == vip::VipState::Announced);
}

TEST_CASE("GRACEFUL_SHUTDOWN lasts as long as without the upgrade in its middle") {
    Config config = make_config();
    config.drain.gshut = 1s;
    Stage stage(config);
    stage.turn();
    static_cast<void>(stage.drain());
    stage.pass_time(600ms);
    REQUIRE(stage.route() != nullptr);
    stage.upgrade();
    stage.pass_time(399ms);
    CHECK(stage.route() != nullptr);
    stage.pass_time(2ms);
    CHECK(stage.route() == nullptr);
}

TEST_CASE("a run under way does not go over: it is made again at once") {
    Config config = make_config();
    config.checks = {make_check("web")};
    config.vips[0].checks = {"web"};
    Stage stage(config);
    stage.turn();
    REQUIRE(stage.probes.contains("web"));
    stage.upgrade();
    CHECK(stage.probes.contains("web"));
    stage.finish("web", pass());
    CHECK(stage.state() == vip::VipState::Announced);
}

TEST_CASE("a VIP or a peer that the configuration lacks is refused") {
    const Saved saved = rich_state();
    Saved other = saved;
    other.config.vips.pop_back();
    CHECK(try_state(other, saved.fields) == "a VIP that the configuration lacks");
    other = saved;
    other.config.peers.pop_back();
    CHECK(try_state(other, saved.fields) == "a peer that the configuration lacks");
    CHECK(try_state(saved, saved.fields) == "");
}

TEST_CASE("a later version may have more fields in any object") {
    const Saved saved = rich_state();
    REQUIRE(saved.later_fields.size() > 2 * saved.fields.size());
    CHECK(loaded_and_saved(saved, saved.later_fields) == loaded_and_saved(saved, saved.fields));
}

TEST_CASE("a state cut short anywhere, or with any octet changed, does no harm") {
    const Saved saved = rich_state();
    std::size_t refused = 0;
    for (std::size_t size = 1; size < saved.fields.size(); ++size) {
        refused += try_state(saved, std::span(saved.fields).first(size)).empty() ? 0U : 1U;
    }
    // All but where one of the outermost fields ends.
    CHECK(refused + 24 > saved.fields.size() - 1);
    std::vector<std::uint8_t> fields = saved.fields;
    for (std::size_t at = 0; at < fields.size(); ++at) {
        for (const std::uint8_t mask : std::array<std::uint8_t, 3>{0x01, 0x80, 0xFF}) {
            fields[at] ^= mask;
            std::ignore = try_state(saved, fields);
            fields[at] ^= mask;
        }
    }
}
