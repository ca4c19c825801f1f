// SPDX-License-Identifier: Apache-2.0
// Starts the program of an exec check or a hook: in its own process group, with nothing of the
// daemon's rights.
#pragma once

#include <expected>
#include <map>
#include <string>
#include <system_error>
#include <vector>

#include <sys/types.h>

namespace anyvip::health {

struct Command {
    std::vector<std::string> argv; ///< argv[0] is a path
    std::map<std::string, std::string> env;
    std::string user;    ///< of /etc/passwd; empty: ours
    std::string input{}; ///< standard input; empty: /dev/null
};

/// The child prints to the descriptor `output`. It gets none of our capabilities, cannot gain any
/// (no_new_privs), has default signals, no realtime priority and no descriptor beside the standard
/// ones. The caller reaps it. Errors: ENOENT and the like of execve, EPERM when `user` is another
/// one and CAP_SETUID or CAP_SETGID is missing, ENOKEY when there is no such user. Who kills the
/// child of another user needs CAP_KILL. Until the program is executed the caller waits: a file
/// system that does not answer (NFS) holds it up, so programs belong on local disks.
[[nodiscard]] std::expected<pid_t, std::error_code> launch(const Command& command, int output);

} // namespace anyvip::health
