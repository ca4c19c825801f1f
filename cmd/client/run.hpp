// SPDX-License-Identifier: Apache-2.0
// From a request to the exit status: asks the daemon, shows what it says.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "cmd/client/invocation.hpp"
#include "cmd/client/table.hpp"

namespace anyvip::client {

/// Exit status of `anyvip` (CONTRACT section 4).
enum class Exit : int { Done = 0, Refused = 1, BadCommandLine = 2, Unreachable = 3, Deadline = 4 };

/// Where the text goes.
struct Console {
    std::function<void(std::string_view)> out;
    std::function<void(std::string_view)> err;
    bool is_terminal = false;
    Style style;
};

/// How `ask` is reached; a test answers in its place.
using Ask = std::function<std::expected<Response, Unreachable>(
    const std::string& socket, const Request&, std::chrono::seconds patience, const Sink&)>;

/// What `doctor` looks at itself; a test answers in its place. Empty functions: nothing.
struct Outside {
    /// The daemon's document made without a daemon, of this configuration; nullopt: it cannot be.
    std::function<std::optional<std::string>(const std::string& config)> doctor_alone;
    std::function<bool()> is_clock_synchronized;
};

/// The programs and the kernel of this host.
[[nodiscard]] Outside this_host();

/// Blocks until the answer, or for ever with `watch` and `events -f`.
[[nodiscard]] Exit run(const Invocation& invocation,
                       const Console& console,
                       const Ask& ask_daemon,
                       const Outside& outside = {});

} // namespace anyvip::client
