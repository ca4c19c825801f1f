// SPDX-License-Identifier: Apache-2.0
#include "cmd/daemon/wall_time.hpp"

#include <array>
#include <cstdio>
#include <ctime>

namespace anyvip::cmd {

Now read_clocks() {
    return {std::chrono::steady_clock::now(), std::chrono::system_clock::now()};
}

Duration time_suspended() {
    std::timespec since_boot{};
    ::clock_gettime(CLOCK_BOOTTIME, &since_boot);
    return std::chrono::seconds(since_boot.tv_sec) + std::chrono::nanoseconds(since_boot.tv_nsec) -
           std::chrono::steady_clock::now().time_since_epoch();
}

std::chrono::system_clock::time_point to_wall(Instant instant) {
    const Now now = read_clocks();
    return now.wall +
           std::chrono::duration_cast<std::chrono::system_clock::duration>(instant - now.monotonic);
}

std::string to_rfc3339(std::chrono::system_clock::time_point time) {
    using namespace std::chrono;
    const auto since_epoch = floor<milliseconds>(time.time_since_epoch());
    const std::time_t seconds_part = floor<seconds>(since_epoch).count();
    const auto milliseconds_part = (since_epoch - floor<seconds>(since_epoch)).count();
    std::tm parts{};
    gmtime_r(&seconds_part, &parts);
    std::array<char, 40> text{};
    const std::size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
    std::array<char, 16> fraction{};
    std::snprintf(fraction.data(), fraction.size(), ".%03dZ", static_cast<int>(milliseconds_part));
    return std::string(text.data(), length) + fraction.data();
}

std::string to_rfc3339(Instant instant) {
    return to_rfc3339(to_wall(instant));
}

} // namespace anyvip::cmd
