// SPDX-License-Identifier: Apache-2.0
// The group is always killed before its leader is reaped: as long as the leader is a zombie, its
// number can belong to nobody else.
#include "health/probe/child.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <iterator>
#include <map>
#include <ranges>
#include <utility>
#include <vector>

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

int& unreaped() {
    static int count = 0; // the loop is one thread
    return count;
}

/// With the run that each belongs to; empty: none, or it is over.
std::map<pid_t, std::string>& living() {
    static std::map<pid_t, std::string> pids;
    return pids;
}

std::function<void()>& child_ended() {
    static std::function<void()> then;
    return then;
}

/// Also different from those of the program before an upgrade.
std::string new_run() {
    static unsigned number = 0;
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return std::to_string(now.count()) + "." + std::to_string(number++);
}

std::error_code last_error() {
    return {errno, std::system_category()};
}

/// Killed children of one owner.
struct Dying {
    int count = 0;
    std::error_code kill_error{};
    std::function<void()> then{};
};

std::map<std::string, Dying>& dying() {
    static std::map<std::string, Dying> owners;
    return owners;
}

/// Killed as soon as it was started, because nothing would have told of its end.
struct Orphan {
    pid_t pid;
    bool is_of_check;
};

std::vector<Orphan>& orphans() {
    static std::vector<Orphan> list;
    return list;
}

void reap_orphans() {
    std::erase_if(orphans(), [](const Orphan& orphan) {
        return ::waitpid(orphan.pid, nullptr, WNOHANG) != 0;
    });
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
    [[nodiscard]] std::error_code kill() const;
    void forget_killed();

    std::string owner;
    pid_t pid = 0;
    Descriptor pidfd;
    Descriptor pipe;
    std::array<char, tail_octets> chunk{};
    std::string tail;
    std::size_t total = 0;
    bool is_killed = false; ///< and of a check
    std::function<void(Ending)> on_end;
};

int unreaped_children() {
    return unreaped() + static_cast<int>(std::ranges::count(orphans(), true, &Orphan::is_of_check));
}

std::vector<int> living_children() {
    std::vector<int> pids;
    std::ranges::copy(living() | std::views::keys, std::back_inserter(pids));
    std::ranges::transform(orphans(), std::back_inserter(pids), &Orphan::pid);
    return pids;
}

bool is_under_way(const std::string& run) {
    return std::ranges::find(living() | std::views::values, run) !=
           std::views::values(living()).end();
}

void on_child_end(std::function<void()> then) {
    child_ended() = std::move(then);
}

std::optional<std::error_code> dying_child(const std::string& owner) {
    const auto found = dying().find(owner);
    return found == dying().end() ? std::nullopt : std::optional(found->second.kill_error);
}

void when_reaped(const std::string& owner, std::function<void()> then) {
    if (const auto found = dying().find(owner); found != dying().end()) {
        found->second.then = std::move(then);
    }
}

std::expected<std::unique_ptr<Child>, std::error_code>
Child::spawn(boost::asio::io_context& io, const Command& command, std::string owner) {
    reap_orphans();
    if (!owner.empty() && unreaped_children() >= max_unreaped) {
        return std::unexpected(std::error_code(EAGAIN, std::system_category()));
    }
    auto impl = std::make_shared<Impl>(io);
    impl->owner = std::move(owner);
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

std::error_code Child::kill() {
    return impl_->pid == 0 ? std::error_code{} : impl_->kill();
}

const std::string& Child::output() const {
    return impl_->tail;
}

int Child::pid() const {
    return impl_->pid;
}

int Child::output_descriptor() const {
    return impl_->pipe.is_open() ? impl_->pipe.native_handle() : -1;
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
    Command marked = command;
    const std::string run = owner.empty() ? std::string() : new_run();
    if (!run.empty()) {
        marked.env[run_variable] = run;
    }
    const auto launched = launch(marked, ends[1]);
    ::close(ends[1]);
    if (!launched) {
        return launched.error();
    }
    pid = *launched;
    // Not reaped yet, the number is still its own; else it may be another's from now on.
    const auto descriptor = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
    std::error_code failure;
    if (descriptor < 0 && errno == ESRCH) {
        pid = 0;
        return {ECHILD, std::system_category()};
    }
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
        orphans().push_back({std::exchange(pid, 0), !owner.empty()});
    } else {
        living().emplace(pid, run);
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
    const int waited = ::waitid(P_PID, id, &info, WEXITED | WNOHANG | WNOWAIT);
    const bool is_lost = waited != 0 && errno == ECHILD;
    if (!is_lost && (waited != 0 || info.si_pid == 0)) {
        watch();
        return;
    }
    if (!is_lost) {            // else its number may be another's by now
        ::kill(-pid, SIGKILL); // children left behind
        ::waitid(P_PID, id, &info, WEXITED | WNOHANG);
    }
    living().erase(pid);
    pid = 0;
    if (child_ended()) {
        child_ended()();
    }
    if (is_killed) {
        forget_killed();
    }
    if (pipe.is_open()) {
        read_rest();
    }
    Ending ending{.is_unknown = is_lost};
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
    const std::error_code kill_error = kill();
    if (!owner.empty()) {
        is_killed = true;
        living()[pid].clear();
        ++unreaped();
        Dying& of_owner = dying()[owner];
        ++of_owner.count;
        of_owner.kill_error = kill_error;
    }
    pidfd.cancel(ignored);
    watch(); // reaps
}

std::error_code Child::Impl::kill() const {
    return ::kill(-pid, SIGKILL) == 0 ? std::error_code{} : last_error();
}

void Child::Impl::forget_killed() {
    --unreaped();
    const auto found = dying().find(owner);
    if (found != dying().end() && --found->second.count == 0) {
        const std::function<void()> then = std::move(found->second.then);
        dying().erase(found);
        if (then) {
            then();
        }
    }
}

} // namespace anyvip::health
