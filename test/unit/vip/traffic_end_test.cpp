// SPDX-License-Identifier: Apache-2.0
// When traffic has ended: silence, linger_min, linger, idle flows.
#include <doctest/doctest.h>

#include "vip/bandwidth.hpp"
#include "vip/traffic_end.hpp"

namespace anyvip::vip {

namespace {

using namespace std::chrono_literals;

const Instant start{1000h};
const LingerLimits limits;

} // namespace

TEST_CASE("CONTRACT 2: what was never announced has no traffic to wait for") {
    CHECK(TrafficWatch{}.has_ended(limits, start));
    CHECK_FALSE(TrafficWatch{}.next_deadline(limits, start));
}

TEST_CASE("CONTRACT 2: linger_min and silence count from the acknowledgement, linger ends all") {
    TrafficWatch watch;
    watch.withdrawn_at = start;
    CHECK_FALSE(watch.has_ended(limits, start + 4999ms));
    CHECK(watch.has_ended(limits, start + 5s));
    watch.acknowledged_at = start + 100ms;
    watch.measured_at = start + 600ms;
    CHECK(watch.is_silent(limits));
    CHECK_FALSE(watch.has_ended(limits, start + 1099ms));
    CHECK(watch.has_ended(limits, start + 1100ms));
    CHECK(watch.next_deadline(limits, start + 200ms) == start + 1100ms);
    watch.last_packet_at = start + 900ms;
    watch.measured_at = start + 1300ms;
    CHECK_FALSE(watch.has_ended(limits, start + 1300ms));
    watch.measured_at = start + 1400ms;
    CHECK(watch.has_ended(limits, start + 1400ms));
}

TEST_CASE("CONTRACT 3: a drain ends when no packet comes and every flow left is idle") {
    TrafficWatch watch;
    watch.withdrawn_at = start;
    watch.acknowledged_at = start;
    watch.measured_at = start + 1s;
    CHECK_FALSE(watch.is_drained(limits, 5s, start + 1min)); // flows are not counted
    watch.flows_counted_at = start + 1s;
    CHECK(watch.is_drained(limits, 5s, start + 1s));
    watch.flows = {2, 4999ms};
    CHECK_FALSE(watch.is_drained(limits, 5s, start + 1s));
    watch.flows = {2, 5s};
    CHECK(watch.is_drained(limits, 5s, start + 1s));
    watch.last_packet_at = start + 900ms;
    CHECK_FALSE(watch.is_drained(limits, 5s, start + 1s));
    watch.measured_at.reset(); // nobody counts packets: linger stands for silence
    CHECK_FALSE(watch.is_drained(limits, 5s, start + 4s));
    CHECK(watch.is_drained(limits, 5s, start + 5s));
}

TEST_CASE("CONTRACT 2: bandwidth by weight, changes below the step are not sent") {
    VipConfig config;
    BandwidthRamp ramp;
    CHECK_FALSE(ramp.update(config, 100, start, start));
    config.bandwidth_bits_per_second = 8000.0;
    CHECK(ramp.update(config, 100, start, start) == 1000.0F);
    CHECK(ramp.update(config, 91, start, start) == 1000.0F);
    CHECK(ramp.update(config, 90, start, start) == 900.0F);
    CHECK(ramp.update(config, 98, start, start) == 900.0F);
    CHECK(ramp.update(config, 99, start, start) == 990.0F);
}

TEST_CASE("CONTRACT 2: slow_start ramps up in steps to the whole") {
    VipConfig config;
    config.bandwidth_bits_per_second = 8000.0;
    config.slow_start = 10s;
    config.bandwidth_step_percent = 30;
    BandwidthRamp ramp;
    CHECK(ramp.update(config, 100, start, start) == 300.0F);
    CHECK(ramp.next_deadline(config, start, start) == start + 6s);
    CHECK(ramp.update(config, 100, start, start + 6s) == 600.0F);
    CHECK(ramp.next_deadline(config, start, start + 6s) == start + 9s);
    CHECK(ramp.update(config, 100, start, start + 9s) == 900.0F);
    CHECK(ramp.next_deadline(config, start, start + 9s) == start + 10s);
    CHECK(ramp.update(config, 100, start, start + 10s) == 1000.0F);
    CHECK_FALSE(ramp.next_deadline(config, start, start + 10s));
}

} // namespace anyvip::vip
