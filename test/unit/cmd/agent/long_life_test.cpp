// SPDX-License-Identifier: Apache-2.0
// Twelve hours of a node's life in virtual time: nothing may pile up.
#include <malloc.h>

#include <random>

#include <doctest/doctest.h>

#include "test/unit/cmd/agent/stage.hpp"

#ifdef __SANITIZE_ADDRESS__
// Of sanitizer/allocator_interface.h, which Debian's gcc 12 comes without.
extern "C" std::size_t __sanitizer_get_current_allocated_bytes();
#endif

namespace anyvip::test {
namespace {

std::size_t allocated_octets() {
#ifdef __SANITIZE_ADDRESS__
    return __sanitizer_get_current_allocated_bytes();
#else
    const struct mallinfo2 info = ::mallinfo2();
    return info.uordblks + info.hblkhd;
#endif
}

Config life_config() {
    Config config = make_config();
    config.peers = {make_peer("tor1", 1), make_peer("tor2", 2)};
    config.checks = {make_check("web"), make_check("db")};
    for (health::CheckConfig& check : config.checks) {
        check.schedule.interval = 5s;
    }
    config.vips = {make_vip("www", "203.0.113.10/32", {"web"}),
                   make_vip("api", "203.0.113.11/32", {"web", "db"}),
                   make_vip("raw", "203.0.113.12/32")};
    config.drain.gshut = 1s;
    return config;
}

/// One life; every decision comes from the seed.
class Life {
  public:
    explicit Life(std::uint32_t seed) : random_(seed), stage_(life_config()) { stage_.turn(); }

    void live_for(std::chrono::hours time) {
        for (auto left = std::chrono::seconds(time); left > 0s; left -= 5s) {
            act();
            answer_probes();
            stage_.pass_time(5s);
        }
    }

    /// What the stage remembers is not the agent's.
    void forget_the_past() {
        stage_.log = {};
        stage_.events = {};
        stage_.disk = {};
        stage_.withdraws = {};
        for (auto& [name, router] : stage_.routers) {
            router.notifications = {};
        }
    }

    void come_to_rest() {
        is_web_up_ = is_db_up_ = true;
        stage_.undrain();
        for (int i = 0; i < 60; ++i) {
            answer_probes();
            stage_.pass_time(5s);
        }
        forget_the_past();
    }

    Stage& stage() { return stage_; }

  private:
    void act() {
        switch (random_() % 60) {
        case 0:
            is_web_up_ = !is_web_up_;
            break;
        case 1:
            is_db_up_ = !is_db_up_;
            break;
        case 2:
            stage_.drain();
            break;
        case 3:
        case 4:
            stage_.undrain();
            break;
        case 5:
            stage_.cut("tor1");
            break;
        case 6: {
            Config config = life_config();
            config.vips[0].med = random_() % 100;
            if (random_() % 2 == 0) {
                config.vips.pop_back();
            }
            stage_.agent().reload(std::move(config), stage_.now());
            stage_.turn();
            break;
        }
        case 7:
            stage_.agent().find_peer("tor2")->resend_all(stage_.now().monotonic);
            stage_.turn();
            break;
        default:
            break;
        }
    }

    void answer_probes() {
        const auto running = stage_.probes;
        for (const auto& [label, id] : running) {
            const bool is_up = label == "web" ? is_web_up_ : is_db_up_;
            stage_.finish(label, is_up ? pass() : fail());
        }
    }

    std::minstd_rand random_;
    Stage stage_;
    bool is_web_up_ = true;
    bool is_db_up_ = true;
};

} // namespace

TEST_CASE("twelve hours of flapping, drains, reloads and resets leave nothing behind") {
    Life life(1);
    life.live_for(1h);
    life.come_to_rest();
    const std::size_t after_an_hour = allocated_octets();
    for (int hour = 1; hour < 12; ++hour) {
        life.live_for(1h);
        life.forget_the_past();
    }
    life.come_to_rest();
    const std::size_t after_twelve = allocated_octets();
    // Reasons in bounded histories differ in length; a leak of one object an event would be more.
    CHECK_MESSAGE(after_twelve < after_an_hour + 16384, after_an_hour, " -> ", after_twelve);
    CHECK(life.stage().agent().find_peer("tor1")->status().resets > 50);
    CHECK(life.stage().state("www") == vip::VipState::Announced);
    CHECK(life.stage().state("api") == vip::VipState::Announced);
}

} // namespace anyvip::test
