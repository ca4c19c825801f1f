// SPDX-License-Identifier: Apache-2.0
// The command line of `anyvip`: from words to the one request that they stand for.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "cmd/client/http.hpp"

namespace anyvip::client {

/// How the answer is shown.
enum class View : std::uint8_t {
    Status,
    Vips,
    Peers,
    Checks,
    Details, ///< one object, every field
    Routes,
    Explain,
    Flows,
    Events,
    Changed, ///< drain and undrain
    DrainProgress,
    Reload,
    Doctor,
    Watch,
    Version,
    Help, ///< no request
};

struct Invocation {
    View view = View::Help;
    Request request;
    std::string socket = "/run/anyvip/control.sock";
    std::string config = "/etc/anyvip/anyvip.toml"; ///< that `doctor` reads without a daemon
    bool is_json = false;
    std::string subject; ///< the VIP that `flows` is about; the words of a help
};

/// The error is one line for stderr; the exit status is 2.
[[nodiscard]] std::expected<Invocation, std::string>
parse_command_line(const std::vector<std::string>& words);

/// Of one command, or of all when the name is empty or unknown.
[[nodiscard]] std::string help_text(std::string_view command);

/// A JSON string with its quotes.
[[nodiscard]] std::string quote_json(std::string_view text);

} // namespace anyvip::client
