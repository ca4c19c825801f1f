// SPDX-License-Identifier: Apache-2.0
#include "cmd/daemon/orphans.hpp"

#include <algorithm>
#include <csignal>

#include <sys/wait.h>

#include "cmd/daemon/limits.hpp"
#include "cmd/daemon/wall_time.hpp"

namespace anyvip::cmd {

void Orphans::adopt(const std::vector<OrphanHandedOver>& orphans) {
    const Instant now = read_clocks().monotonic;
    for (const OrphanHandedOver& one : orphans) {
        if (one.pid > 1) {
            const Instant latest = one.is_hook ? now + limits::hook_time : now;
            orphans_.push_back({one.pid,
                                bgp::net::FileDescriptor(one.output),
                                one.is_hook,
                                std::min(one.end_by.value_or(latest), latest)});
        }
    }
    tell_hooks();
    look();
}

std::vector<OrphanHandedOver> Orphans::hand_over() const {
    std::vector<OrphanHandedOver> result;
    for (const Orphan& orphan : orphans_) {
        result.push_back({orphan.pid, orphan.output.get(), orphan.is_hook, orphan.end_by});
    }
    return result;
}

bool Orphans::has(int pid) const {
    return std::ranges::find(orphans_, pid, &Orphan::pid) != orphans_.end();
}

void Orphans::tell_hooks() const {
    on_hooks_(static_cast<std::size_t>(std::ranges::count(orphans_, true, &Orphan::is_hook)));
}

void Orphans::look() {
    const Instant now = read_clocks().monotonic;
    const auto ended = std::erase_if(orphans_, [now](const Orphan& orphan) {
        siginfo_t info{};
        const auto id = static_cast<id_t>(orphan.pid);
        const bool is_ours = ::waitid(P_PID, id, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
        const bool has_ended = is_ours && info.si_pid != 0;
        if (is_ours && (has_ended || now >= orphan.end_by)) {
            ::kill(-orphan.pid, SIGKILL);
        }
        if (has_ended) {
            ::waitid(P_PID, id, &info, WEXITED | WNOHANG);
        }
        return has_ended || !is_ours;
    });
    if (ended > 0) {
        tell_hooks();
    }
    if (orphans_.empty()) {
        return;
    }
    timer_.expires_after(std::chrono::milliseconds(50));
    timer_.async_wait([this](boost::system::error_code error) {
        if (!error) {
            look();
        }
    });
}

} // namespace anyvip::cmd
