// SPDX-License-Identifier: Apache-2.0
// The group is always killed before its leader is reaped: as long as the leader is a zombie, its
// number can belong to nobody else.
#include "health/probe/child.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <optional>
#include <utility>

#include <fcntl.h>
#include <pwd.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

namespace anyvip::health {

namespace {

using Descriptor = boost::asio::posix::stream_descriptor;

constexpr std::size_t tail_octets = 4096;
/// More than this is read of no child: the pipe fills, it blocks, and its timeout ends it.
constexpr std::size_t flood_octets = 1U << 20U;

// Only for service managers: a child that spoke in the daemon's name would confuse them.
constexpr std::array withheld{"NOTIFY_SOCKET=",
                              "WATCHDOG_PID=",
                              "WATCHDOG_USEC=",
                              "LISTEN_PID=",
                              "LISTEN_FDS=",
                              "LISTEN_FDNAMES="};

int& unreaped() {
    static int count = 0; // the loop is one thread
    return count;
}

std::error_code last_error() {
    return {errno, std::system_category()};
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

/// posix_spawn cannot change the user; util-linux's setpriv can, and drops all privileges with it.
std::expected<std::vector<std::string>, std::error_code> with_user(const Command& command) {
    if (command.user.empty()) {
        return command.argv;
    }
    const passwd* entry = ::getpwnam(command.user.c_str());
    if (entry == nullptr) {
        return std::unexpected(std::error_code(EINVAL, std::system_category()));
    }
    std::vector<std::string> argv{"/usr/bin/setpriv",
                                  "--reuid=" + std::to_string(entry->pw_uid),
                                  "--regid=" + std::to_string(entry->pw_gid),
                                  "--init-groups",
                                  "--inh-caps=-all",
                                  "--no-new-privs",
                                  "--"};
    argv.insert(argv.end(), command.argv.begin(), command.argv.end());
    return argv;
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
        return std::unexpected(last_error());
    }
    if (!octets.empty() &&
        ::pwrite(file, octets.data(), octets.size(), 0) != static_cast<ssize_t>(octets.size())) {
        const std::error_code error = last_error();
        ::close(file);
        return std::unexpected(error);
    }
    return file;
}

/// Own group, default signals, `input` to read, `output` to print to, nothing else inherited.
std::expected<pid_t, std::error_code> launch(const Command& command, int output) {
    auto argv = with_user(command);
    if (!argv) {
        return std::unexpected(argv.error());
    }
    auto env = environment(command.env);
    const auto input = input_file(command.input);
    if (!input) {
        return std::unexpected(input.error());
    }
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawnattr_init(&attributes);
    ::posix_spawn_file_actions_adddup2(&actions, *input, STDIN_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
    ::posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    ::posix_spawnattr_setsigmask(&attributes, &none);
    ::posix_spawnattr_setsigdefault(&attributes, &all);
    ::posix_spawnattr_setpgroup(&attributes, 0);
    ::posix_spawnattr_setflags(
        &attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    pid_t pid = 0;
    const int error = ::posix_spawn(&pid,
                                    argv->front().c_str(),
                                    &actions,
                                    &attributes,
                                    pointers(*argv).data(),
                                    pointers(env).data());
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
    ::close(*input);
    if (error != 0) {
        return std::unexpected(std::error_code(error, std::system_category()));
    }
    return pid;
}

} // namespace

struct Child::Impl : std::enable_shared_from_this<Impl> {
    explicit Impl(boost::asio::io_context& io) : pidfd(io), pipe(io) {}

    std::error_code open(const Command& command);
    void watch();
    void read();
    void on_readable();
    void read_rest();
    void keep(std::size_t octets);
    void on_exit();
    void give_up();

    pid_t pid = 0;
    Descriptor pidfd;
    Descriptor pipe;
    std::array<char, tail_octets> chunk{};
    std::string tail;
    std::size_t total = 0;
    bool is_killed = false;
    std::function<void(Ending)> on_end;
};

int unreaped_children() {
    return unreaped();
}

std::expected<std::unique_ptr<Child>, std::error_code> Child::spawn(boost::asio::io_context& io,
                                                                    const Command& command) {
    if (unreaped() >= max_unreaped) {
        return std::unexpected(std::error_code(EAGAIN, std::system_category()));
    }
    auto impl = std::make_shared<Impl>(io);
    if (const auto error = impl->open(command)) {
        return std::unexpected(error);
    }
    return std::unique_ptr<Child>(new Child(std::move(impl)));
}

Child::Child(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

Child::~Child() {
    impl_->on_end = nullptr;
    impl_->give_up();
}

void Child::async_end(std::function<void(Ending)> on_end) {
    impl_->on_end = std::move(on_end);
    impl_->watch();
    impl_->read();
}

const std::string& Child::output() const {
    return impl_->tail;
}

bool Child::is_flooding() const {
    return impl_->total > flood_octets;
}

std::error_code Child::Impl::open(const Command& command) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        return last_error();
    }
    boost::system::error_code error;
    pipe.assign(ends[0], error);
    if (error) {
        ::close(ends[0]);
        ::close(ends[1]);
        return error;
    }
    pipe.non_blocking(true, error);
    const auto launched = launch(command, ends[1]);
    ::close(ends[1]);
    if (!launched) {
        return launched.error();
    }
    pid = *launched;
    // The child is not reaped yet, so the number is still its own.
    const auto descriptor = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
    std::error_code failure;
    if (descriptor < 0) {
        failure = last_error();
    } else {
        pidfd.assign(descriptor, error);
        if (error) {
            ::close(descriptor);
            failure = error;
        }
    }
    if (failure) { // nobody would see its end: take it back at once
        ::kill(-pid, SIGKILL);
        ::waitpid(pid, nullptr, 0);
        pid = 0;
    }
    return failure;
}

void Child::Impl::watch() {
    pidfd.async_wait(Descriptor::wait_read,
                     [self = shared_from_this()](const boost::system::error_code& error) {
                         if (!error) {
                             self->on_exit();
                         }
                     });
}

// Waits and then reads, instead of reading asynchronously: octets already read by a completion that
// still waits for its turn would be lost to `read_rest`.
void Child::Impl::read() {
    pipe.async_wait(Descriptor::wait_read,
                    [self = shared_from_this()](const boost::system::error_code& error) {
                        if (!error && self->pid != 0 && self->pipe.is_open()) {
                            self->on_readable();
                        }
                    });
}

void Child::Impl::on_readable() {
    boost::system::error_code error;
    keep(pipe.read_some(boost::asio::buffer(chunk), error));
    const bool is_over = error && error != boost::asio::error::would_block;
    if (!is_over && total <= flood_octets) {
        read();
    }
}

/// What is still in the pipe when the child has ended; at most one pipe full.
void Child::Impl::read_rest() {
    boost::system::error_code error;
    pipe.cancel(error);
    for (int i = 0; i < 16 && !error && pipe.is_open(); ++i) {
        keep(pipe.read_some(boost::asio::buffer(chunk), error));
    }
}

void Child::Impl::keep(std::size_t octets) {
    total += octets;
    tail.append(chunk.data(), octets);
    if (tail.size() > tail_octets) {
        tail.erase(0, tail.size() - tail_octets);
    }
}

void Child::Impl::on_exit() {
    siginfo_t info{};
    const auto id = static_cast<id_t>(pid);
    if (::waitid(P_PID, id, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0) {
        watch();
        return;
    }
    ::kill(-pid, SIGKILL); // children left behind
    ::waitid(P_PID, id, &info, WEXITED | WNOHANG);
    pid = 0;
    if (is_killed) {
        --unreaped();
    }
    if (pipe.is_open()) {
        read_rest();
    }
    Ending ending;
    (info.si_code == CLD_EXITED ? ending.exit_status : ending.signal) = info.si_status;
    if (const auto callback = std::exchange(on_end, nullptr)) {
        callback(ending);
    }
}

void Child::Impl::give_up() {
    boost::system::error_code ignored;
    pipe.close(ignored);
    if (pid == 0) {
        return;
    }
    is_killed = true;
    ++unreaped();
    ::kill(-pid, SIGKILL);
    pidfd.cancel(ignored);
    watch(); // reaps
}

} // namespace anyvip::health
