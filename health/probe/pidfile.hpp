// SPDX-License-Identifier: Apache-2.0
// From a pidfile to a pidfd.
#pragma once

#include <expected>
#include <string>
#include <system_error>

#include <sys/types.h>

namespace anyvip::health {

/// invalid_argument: it holds no process id.
[[nodiscard]] std::expected<pid_t, std::error_code> read_pidfile(const std::string& path);

/// The caller closes it. no_such_process: it is gone.
[[nodiscard]] std::expected<int, std::error_code> open_pidfd(pid_t pid);

} // namespace anyvip::health
