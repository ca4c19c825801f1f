// SPDX-License-Identifier: Apache-2.0
// Not posix_spawn: it can neither drop capabilities nor change the user. Like it, the child borrows
// our memory until it executes the program, so that a large daemon starts it as quickly as a small
// one; whatever needs memory is made before.
#include "health/probe/launch.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <optional>
#include <string_view>

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "health/account/account.hpp"

namespace anyvip::health {

namespace {

// Only for service managers: a child that spoke in the daemon's name would confuse them. And a
// daemon that is started by a check of another one is of no run of ours.
constexpr std::array withheld{"ANYVIP_RUN=",
                              "NOTIFY_SOCKET=",
                              "WATCHDOG_PID=",
                              "WATCHDOG_USEC=",
                              "LISTEN_PID=",
                              "LISTEN_FDS=",
                              "LISTEN_FDNAMES="};

class NoSuchUser final : public std::error_category {
  public:
    const char* name() const noexcept override { return "account"; }

    std::string message(int /*value*/) const override { return "no such user in /etc/passwd"; }
};

std::unexpected<std::error_code> failure(int error) {
    return std::unexpected(std::error_code(error, std::system_category()));
}

std::vector<std::string> environment(const std::map<std::string, std::string>& extra) {
    std::vector<std::string> result;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string_view text = *entry;
        const auto name = text.substr(0, text.find('='));
        const bool is_withheld =
            std::ranges::any_of(withheld, [&](const char* w) { return text.starts_with(w); });
        if (!is_withheld && !extra.contains(std::string(name))) {
            result.emplace_back(text);
        }
    }
    for (const auto& [name, value] : extra) {
        result.push_back(name + "=" + value);
    }
    return result;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
    std::vector<char*> result;
    result.reserve(strings.size() + 1);
    for (std::string& text : strings) {
        result.push_back(text.data());
    }
    result.push_back(nullptr);
    return result;
}

/// A file in memory: unlike a pipe it can be filled whole before the child reads, so nobody waits
/// for it.
std::expected<int, std::error_code> input_file(const std::string& octets) {
    const int file = octets.empty() ? ::open("/dev/null", O_RDONLY | O_CLOEXEC)
                                    : ::memfd_create("input", MFD_CLOEXEC);
    if (file < 0) {
        return failure(errno);
    }
    if (!octets.empty() &&
        ::pwrite(file, octets.data(), octets.size(), 0) != static_cast<ssize_t>(octets.size())) {
        const int error = errno;
        ::close(file);
        return failure(error);
    }
    return file;
}

/// All that the child needs between vfork and execve.
struct Plan {
    char* const* argv;
    char* const* env;
    const Account* account; ///< null: ours
    int input;
    int output;
};

// The wrappers of the C library would change the user of all our threads: they share this memory.
bool become(const Account& account) {
    return ::syscall(SYS_setgroups, account.groups.size(), account.groups.data()) == 0 &&
           ::syscall(SYS_setresgid, account.group, account.group, account.group) == 0 &&
           ::syscall(SYS_setresuid, account.user, account.user, account.user) == 0;
}

// With no_new_privs no program regains what the permitted set has not, not even one of root's.
bool give_up_privileges() {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    const std::array<__user_cap_data_struct, 2> none{};
    // Where a system call filter forbids capset (our unit), what is not ambient ends at execve, see
    // `detour`; the inheritable set stays, and gives nothing under no_new_privs.
    return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0 &&
           (::syscall(SYS_capset, &header, none.data()) == 0 ||
            (errno == EPERM && ::getuid() != 0));
}

bool reset_signals() {
    struct sigaction initial{};
    initial.sa_handler = SIG_DFL;
    for (int signal = 1; signal < NSIG; ++signal) {
        ::sigaction(signal, &initial, nullptr); // refused for SIGKILL and SIGSTOP
    }
    sigset_t none;
    sigemptyset(&none);
    return ::sigprocmask(SIG_SETMASK, &none, nullptr) == 0;
}

/// Runs in the child, on the parent's memory. Returns only when something fails, with errno set.
void run(const Plan& plan) {
    const rlimit nothing{0, 0};
    const bool is_prepared = ::setpgid(0, 0) == 0 && ::dup2(plan.input, STDIN_FILENO) >= 0 &&
                             ::dup2(plan.output, STDOUT_FILENO) >= 0 &&
                             ::dup2(plan.output, STDERR_FILENO) >= 0 &&
                             ::setrlimit(RLIMIT_RTPRIO, &nothing) == 0 &&
                             (plan.account == nullptr || become(*plan.account)) &&
                             give_up_privileges() && reset_signals();
    if (is_prepared) {
        // Ours are all close-on-exec; this is for what the daemon itself has inherited.
        ::close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
        ::execve(plan.argv[0], plan.argv, plan.env);
    }
}

/// False under a system call filter that forbids it.
bool may_set_capabilities() {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    std::array<__user_cap_data_struct, 2> sets{};
    return ::syscall(SYS_capget, &header, sets.data()) == 0 &&
           ::syscall(SYS_capset, &header, sets.data()) == 0; // as they are
}

/// What the kernel runs in the place of a script; empty: it is none.
std::string interpreter_of(const std::string& path) {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    std::array<char, 256> octets{}; // the kernel looks no further
    const ssize_t size = file < 0 ? 0 : ::read(file, octets.data(), octets.size());
    if (file >= 0) {
        ::close(file);
    }
    std::string_view line(octets.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
    line = line.substr(0, line.find('\n'));
    if (!line.starts_with("#!")) {
        return {};
    }
    line.remove_prefix(std::min(line.find_first_not_of(" \t", 2), line.size()));
    return std::string(line.substr(0, line.find_first_of(" \t")));
}

/// Of the program or of what interprets it. What another user may run and we cannot see may have
/// some.
bool may_carry_capabilities(std::string path, bool is_other_user) {
    for (int depth = 0; depth < 6 && !path.empty(); ++depth) {
        if (::getxattr(path.c_str(), "security.capability", nullptr, 0) >= 0 ||
            (errno == EACCES && is_other_user)) {
            return true;
        }
        path = interpreter_of(path);
    }
    return false;
}

/// A program with capabilities on its file keeps those of them that its parent has. Ours are only
/// forgotten by a program: so there is another one in between.
void detour(std::vector<std::string>& argv) {
    argv.insert(argv.begin(), {"/bin/sh", "-c", "exec \"$@\"", "sh"});
}

std::expected<pid_t, std::error_code> start(const Plan& plan) {
    // No handler of ours may run in the child.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    volatile int error = 0; // written by the child
    const pid_t pid = ::vfork();
    if (pid == 0) {
        run(plan);
        error = errno;
        ::_exit(127);
    }
    const int vfork_error = errno;
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (pid < 0) {
        return failure(vfork_error);
    }
    if (error != 0) {
        ::waitpid(pid, nullptr, 0);
        return failure(error);
    }
    return pid;
}

} // namespace

std::expected<pid_t, std::error_code> launch(const Command& command, int output) {
    std::optional<Account> account;
    if (!command.user.empty()) {
        auto found = find_account(command.user);
        if (!found) {
            return std::unexpected(found.error());
        }
        account = *std::move(found);
        if (!account) {
            static const NoSuchUser category;
            return std::unexpected(std::error_code(1, category));
        }
        if (account->user == ::geteuid()) {
            account.reset(); // needs no right to change users
        }
    }
    const auto input = input_file(command.input);
    if (!input) {
        return input;
    }
    std::vector<std::string> argv = command.argv;
    if (!may_set_capabilities() && may_carry_capabilities(argv.front(), account.has_value())) {
        detour(argv);
    }
    std::vector<std::string> env = environment(command.env);
    const std::vector<char*> argv_pointers = pointers(argv);
    const std::vector<char*> env_pointers = pointers(env);
    const auto pid = start(
        {argv_pointers.data(), env_pointers.data(), account ? &*account : nullptr, *input, output});
    ::close(*input);
    return pid;
}

} // namespace anyvip::health
