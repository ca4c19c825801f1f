// SPDX-License-Identifier: Apache-2.0
// A process that may start programs of another user and cannot kill them.
#pragma once

#include <array>
#include <functional>

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace anyvip::test {

/// Runs in a process of its own, as user 65532 with CAP_SETUID and CAP_SETGID but without CAP_KILL:
/// the daemon of the unit without its whole drop-in. Needs root. True: as wanted.
inline bool as_daemon_without_kill(const std::function<bool()>& body) {
    const pid_t child = ::fork();
    if (child == 0) {
        __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
        std::array<__user_cap_data_struct, 2> rights{};
        rights[0].permitted = 1U << CAP_SETUID | 1U << CAP_SETGID;
        rights[0].effective = rights[0].permitted;
        const bool is_prepared = ::prctl(PR_SET_KEEPCAPS, 1) == 0 &&
                                 ::setresuid(65532, 65532, 65532) == 0 &&
                                 ::syscall(SYS_capset, &header, rights.data()) == 0;
        ::_exit(is_prepared && body() ? 0 : 1);
    }
    int status = 0;
    return ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

} // namespace anyvip::test
