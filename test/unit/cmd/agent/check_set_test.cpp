// SPDX-License-Identifier: Apache-2.0
// Many checks at once.
#include <doctest/doctest.h>

#include "test/unit/cmd/agent/stage.hpp"

namespace anyvip::test {
namespace {

struct Life {
    std::size_t wake_ups = 0;
    std::size_t runs = 0;
};

/// Every probe passes at once.
Life live_for(Stage& stage, std::chrono::seconds time) {
    Life life;
    const Instant end = stage.now().monotonic + time;
    while (stage.now().monotonic < end) {
        const auto running = stage.probes;
        for (const auto& [label, id] : running) {
            stage.finish(label, pass());
            ++life.runs;
        }
        const Duration left = *stage.agent().next_deadline() - stage.now().monotonic;
        stage.pass_time(std::chrono::ceil<std::chrono::milliseconds>(left));
        ++life.wake_ups;
    }
    return life;
}

TEST_CASE("one wake-up serves several checks: a hundred a second in fewer than fifty") {
    Config config = make_config();
    for (int number = 0; number < 100; ++number) {
        health::CheckConfig check = make_check("web" + std::to_string(number));
        check.schedule.interval = 1s;
        config.vips[0].checks.push_back(check.name);
        config.checks.push_back(std::move(check));
    }
    Stage stage(config);
    stage.turn();
    (void)live_for(stage, 10s); // they have spread
    const Life life = live_for(stage, 10s);
    CHECK(life.runs >= 1000);
    CHECK(life.runs <= 1030);
    CHECK(life.wake_ups < 500);
}

} // namespace
} // namespace anyvip::test
