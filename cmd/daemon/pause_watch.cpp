// SPDX-License-Identifier: Apache-2.0
#include "cmd/daemon/pause_watch.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <utility>

namespace anyvip::cmd {

namespace {

using namespace std::chrono_literals;

/// A third of the shortest hold time.
constexpr auto worth_telling = 1s;

std::string seconds_text(Duration duration) {
    std::array<char, 32> text{};
    std::snprintf(
        text.data(), text.size(), "%.1f s", std::chrono::duration<double>(duration).count());
    return text.data();
}

} // namespace

std::optional<std::string>
PauseWatch::look(std::optional<Instant> due, Instant now, Duration suspended) {
    const Duration slept = suspended - std::exchange(suspended_, suspended);
    if (slept >= worth_telling) {
        return "the machine was suspended for " + seconds_text(slept) +
               ": sessions may have expired at the routers";
    }
    if (!due || now < *due) {
        return std::nullopt;
    }
    const Duration late = now - *due;
    longest_ = std::max(longest_, late);
    const bool was_told = std::exchange(is_told_, late >= worth_telling);
    if (late < worth_telling || was_told) {
        return std::nullopt;
    }
    return "the daemon came to its work " + seconds_text(late) +
           " late (it was stopped, had no processor time, or was busy): sessions may have expired "
           "meanwhile";
}

} // namespace anyvip::cmd
