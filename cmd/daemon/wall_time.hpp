// SPDX-License-Identifier: Apache-2.0
// The clocks of the shell and their text forms. The core never sees this header.
#pragma once

#include <chrono>
#include <string>

#include "cmd/agent/agent.hpp"

namespace anyvip::cmd {

/// Both clocks, read together.
[[nodiscard]] Now read_clocks();

/// How long the machine has been suspended since its boot, which `monotonic` does not count.
[[nodiscard]] Duration time_suspended();

/// The wall clock of a monotonic moment, as of the present difference between the two: a clock step
/// moves all times shown, and never changes what is done.
[[nodiscard]] std::chrono::system_clock::time_point to_wall(Instant instant);

/// "2026-01-02T03:04:05.678Z"
[[nodiscard]] std::string to_rfc3339(std::chrono::system_clock::time_point time);
[[nodiscard]] std::string to_rfc3339(Instant instant);

} // namespace anyvip::cmd
