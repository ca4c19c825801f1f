// SPDX-License-Identifier: Apache-2.0
#include "cmd/daemon/change_rate.hpp"

#include <doctest/doctest.h>

namespace anyvip::test {
namespace {

using namespace std::chrono_literals;
using cmd::ChangeRate;
namespace limits = cmd::limits;

const Instant start{1000s};

int allowed(ChangeRate& rate, std::uint32_t user, Instant now, int asked) {
    int count = 0;
    for (int i = 0; i < asked; ++i) {
        count += rate.allows(user, now) ? 1 : 0;
    }
    return count;
}

} // namespace

TEST_CASE("so many changes at once, then one more each interval") {
    ChangeRate rate;
    CHECK(allowed(rate, 0, start, 10 * limits::api_changes) == limits::api_changes);
    CHECK(allowed(rate, 0, start + limits::api_change_interval, 10) == 1);
    CHECK(allowed(rate, 0, start + 11 * limits::api_change_interval, 100) == 10);
    CHECK(allowed(rate, 0, start + 1h, 10 * limits::api_changes) == limits::api_changes);
}

TEST_CASE("a user who is refused locks nobody else out") {
    ChangeRate rate;
    CHECK(allowed(rate, 1, start, 10 * limits::api_changes) == limits::api_changes);
    CHECK(rate.allows(0, start));
    CHECK_FALSE(rate.allows(1, start));
}

} // namespace anyvip::test
