// SPDX-License-Identifier: Apache-2.0
#include "bgp/bfd_net/thread.hpp"

#include <csignal>
#include <tuple>

#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

namespace anyvip::bgp::bfd_net {

namespace {

[[nodiscard]] net::FileDescriptor make_event() {
    return net::FileDescriptor(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
}

void run_worker(Worker& worker) {
    ::pthread_setname_np(::pthread_self(), "anyvipd-bfd");
    // Ordinary threads may be woken 50 µs late to save power.
    ::prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
    worker.run();
}

/// Signals belong to the main loop: the thread is born with all of them blocked.
[[nodiscard]] std::thread start_thread(Worker& worker) {
    sigset_t all;
    sigset_t before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    std::thread thread([&worker] { run_worker(worker); });
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return thread;
}

} // namespace

Thread::Thread(std::uint64_t seed)
    : channel_{.commands = {},
               .reports = {},
               .commands_written = make_event(),
               .reports_written = make_event()},
      worker_(channel_, seed) {}

Thread::~Thread() {
    if (is_running()) {
        tell({});
        thread_.join();
    }
}

bool Thread::start() {
    sessions_ = worker_.engine().discriminators();
    thread_ = start_thread(worker_);
    sched_param parameters{};
    // Above ordinary programs, below what the kernel and its watchdogs use.
    parameters.sched_priority = realtime_priority;
    return ::pthread_setschedparam(thread_.native_handle(), SCHED_FIFO, &parameters) == 0;
}

void Thread::pause() {
    if (is_running()) {
        tell({Command::Kind::Pause, 0, {}, {}, 0});
        thread_.join();
    }
}

void Thread::tell(const Command& command) {
    const std::uint64_t one = 1;
    bool is_told = false;
    // The thread never waits for us, so a full queue is empty in a moment.
    while (!is_told) {
        is_told = channel_.commands.push(command);
        std::ignore = ::write(channel_.commands_written.get(), &one, sizeof one);
        if (!is_told) {
            std::this_thread::yield();
        }
    }
}

} // namespace anyvip::bgp::bfd_net
