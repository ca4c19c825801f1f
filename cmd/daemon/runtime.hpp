// SPDX-License-Identifier: Apache-2.0
// The shell around the agent: loop, signals, sockets, addresses, probes, API. The only composition
// of the impure parts.
#pragma once

#include <optional>
#include <string>

#include "cmd/agent/config.hpp"

namespace anyvip::cmd {

struct RunOptions {
    std::string config_file;           ///< read again at a reload
    std::optional<LogLevel> log_level; ///< from the command line, overrides the file's
};

/// Runs until the graceful stop has ended. Returns why it cannot run, in one line, or an empty
/// string after a clean stop.
[[nodiscard]] std::string run_daemon(Config config, const RunOptions& options);

} // namespace anyvip::cmd
