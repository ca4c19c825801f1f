// SPDX-License-Identifier: Apache-2.0
// The shell around the agent: loop, signals, sockets, addresses, probes, API. The only composition
// of the impure parts.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cmd/agent/config.hpp"

namespace anyvip::cmd {

struct RunOptions {
    std::string config_file;            ///< read again at a reload
    std::string config_text;            ///< of which the configuration was made
    std::vector<std::string> arguments; ///< of the process, its name included
    std::optional<LogLevel> log_level;  ///< from the command line, overrides the file's
};

/// An upgrade in place: goes on with the state of the program that this process was, in this file.
[[nodiscard]] std::string run_taken_over(int state_descriptor, const RunOptions& options);

/// Runs until the graceful stop has ended. Returns why it cannot run, in one line, or an empty
/// string after a clean stop.
[[nodiscard]] std::string run_daemon(Config config, const RunOptions& options);

} // namespace anyvip::cmd
