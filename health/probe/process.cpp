// SPDX-License-Identifier: Apache-2.0
// process: is the process of a pidfile alive, or is a systemd unit active.
#include <array>
#include <cerrno>
#include <charconv>
#include <map>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "health/probe/child_run.hpp"
#include "health/probe/pidfile.hpp"
#include "health/probe/unit_group.hpp"

namespace anyvip::health {

namespace {

/// The process that a pidfile was seen to name: a later one of the same number is another, and
/// whoever wrote the file is dead. Not by the file's time: the clock may have been set since.
struct Named {
    timespec written{};
    ino_t inode = 0;
    pid_t pid = 0;
    std::uint64_t started = 0; ///< clock ticks since boot
};

std::map<std::string, Named>& named_by() {
    static std::map<std::string, Named> pidfiles; // the loop is one thread
    return pidfiles;
}

/// proc(5): field 22 of /proc/PID/stat. The name before it may hold anything.
std::expected<std::uint64_t, std::error_code> started_at(pid_t pid) {
    const std::string path = "/proc/" + std::to_string(pid) + "/stat";
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        return std::unexpected(std::error_code(errno, std::system_category()));
    }
    std::array<char, 1024> text{};
    const ssize_t octets = ::read(descriptor, text.data(), text.size());
    ::close(descriptor);
    std::string_view rest(text.data(), octets > 0 ? static_cast<std::size_t>(octets) : 0);
    rest.remove_prefix(std::min(rest.rfind(')') + 1, rest.size()));
    for (int field = 3; field <= 22 && !rest.empty(); ++field) {
        rest.remove_prefix(std::min(rest.find(' '), rest.size() - 1) + 1);
    }
    std::uint64_t ticks = 0;
    const auto parsed = std::from_chars(rest.data(), rest.data() + rest.size(), ticks);
    if (parsed.ec != std::errc()) {
        return std::unexpected(std::make_error_code(std::errc::no_such_process)); // gone meanwhile
    }
    return ticks;
}

/// It runs, but /proc does not show processes of other users: ProtectProc= of our unit.
constexpr std::uint64_t hidden = 0;

class PidfileRun : public Run {
  public:
    PidfileRun(const ProcessTarget& target, RunContext& context)
        : Run(context), path_(target.pidfile) {}

  private:
    void begin() override {
        enter("process");
        const auto pid = read_pidfile(path_);
        if (!pid) {
            const bool is_missing = pid.error() == std::errc::no_such_file_or_directory;
            if (is_missing) {
                hard(path_ + " is missing");
            } else if (pid.error() == std::errc::invalid_argument) {
                fail(path_ + " holds no process id");
            } else {
                fail_to_run(path_, pid.error());
            }
            return;
        }
        const std::string name = "process " + std::to_string(*pid);
        const auto pidfd = open_pidfd(*pid);
        if (!pidfd) {
            const bool is_gone = pidfd.error() == std::errc::no_such_process;
            is_gone ? hard(name + " is gone") : fail_to_run(name, pidfd.error());
            return;
        }
        const auto started = started_at(*pid);
        pollfd ended{.fd = *pidfd, .events = POLLIN, .revents = 0};
        const bool has_ended = ::poll(&ended, 1, 0) > 0; // a zombie has ended as well
        ::close(*pidfd);
        if (has_ended) {
            hard(name + " has ended");
        } else if (!started && is_exhaustion(started.error())) {
            fail_to_run(name, started.error());
        } else if (is_the_one(*pid, started.value_or(hidden))) {
            pass(name + " is running");
        } else {
            hard(name + " is not the one that " + path_ + " was written for, which is gone");
        }
    }

    [[nodiscard]] bool is_the_one(pid_t pid, std::uint64_t started) const {
        struct stat file{};
        if (::stat(path_.c_str(), &file) != 0) {
            return true; // the next run has more to say
        }
        Named& named = named_by()[path_];
        const bool is_same_file = named.inode == file.st_ino && named.pid == pid &&
                                  named.written.tv_sec == file.st_mtim.tv_sec &&
                                  named.written.tv_nsec == file.st_mtim.tv_nsec;
        if (is_same_file) {
            return named.started == started;
        }
        named = {.written = file.st_mtim, .inode = file.st_ino, .pid = pid, .started = started};
        return true;
    }

    void close() override {}

    void hard(std::string detail) {
        finish({.outcome = Outcome::Fail, .detail = std::move(detail), .is_hard = true});
    }

    std::string path_;
};

/// Asks systemd over its own command: one short process a run, against a D-Bus client in here.
class UnitRun : public ChildRun {
  public:
    UnitRun(const ProcessTarget& target, RunContext& context)
        : ChildRun(context, "systemd", command_for(target.unit)), unit_(target.unit) {}

  private:
    void begin() override {
        if (::access("/run/systemd/system", F_OK) != 0) { // as sd_booted(3)
            finish({.outcome = Outcome::Error,
                    .detail = "unit " + unit_ + ": systemd is not running here; use pidfile"});
            return;
        }
        run_program();
    }

    void on_end(Ending ending) override {
        const std::string state = value_of(output(), "ActiveState=");
        const std::string detail =
            "unit " + unit_ + " is " + state + " (" + value_of(output(), "SubState=") + ")";
        if (ending.exit_status != 0 || ending.signal != 0 || state.empty()) {
            finish({.outcome = Outcome::Error, .detail = "systemctl: " + printable(output(), 200)});
        } else if (state == "active" || state == "reloading") {
            const std::string group = value_of(output(), "ControlGroup=");
            remember_unit_group(unit_, group.empty() ? group : "/sys/fs/cgroup" + group);
            pass(detail);
        } else {
            // "activating" and "deactivating" are on their way; these two have arrived.
            const bool is_ended = state == "inactive" || state == "failed";
            finish({.outcome = Outcome::Fail, .detail = detail, .is_hard = is_ended});
        }
    }

    static std::string value_of(std::string_view output, std::string_view key) {
        const auto at = output.find(key);
        if (at == std::string_view::npos) {
            return {};
        }
        const std::string_view rest = output.substr(at + key.size());
        return std::string(rest.substr(0, rest.find('\n')));
    }

    static Command command_for(const std::string& unit) {
        return {.argv = {"/usr/bin/systemctl",
                         "show",
                         "--property=ActiveState",
                         "--property=SubState",
                         "--property=ControlGroup",
                         "--",
                         unit},
                .env = {{"LC_ALL", "C"}},
                .user = {}};
    }

    std::string unit_;
};

} // namespace

RunPointer make_run(const ProcessTarget& target, RunContext context) {
    if (!target.unit.empty()) {
        return std::make_shared<UnitRun>(target, context);
    }
    return std::make_shared<PidfileRun>(target, context);
}

} // namespace anyvip::health
