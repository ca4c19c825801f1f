// SPDX-License-Identifier: Apache-2.0
#include "bgp/bfd_net/service.hpp"

#include <algorithm>
#include <csignal>
#include <map>
#include <optional>
#include <random>
#include <thread>
#include <tuple>

#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "bgp/bfd_net/worker.hpp"
#include "bgp/net/descriptor.hpp"

namespace anyvip::bgp::bfd_net {

namespace {

/// Above ordinary programs, below what the kernel and its watchdogs use.
constexpr int realtime_priority = 10;

[[nodiscard]] net::FileDescriptor make_event() {
    return net::FileDescriptor(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
}

void run_worker(Channel& channel, std::uint64_t seed) {
    ::pthread_setname_np(::pthread_self(), "anyvipd-bfd");
    // Ordinary threads may be woken 50 µs late to save power.
    ::prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
    Worker(channel, seed).run();
}

/// Signals belong to the main loop: the thread is born with all of them blocked.
[[nodiscard]] std::thread start_thread(Channel& channel, std::uint64_t seed) {
    sigset_t all;
    sigset_t before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    std::thread thread([&channel, seed] { run_worker(channel, seed); });
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return thread;
}

} // namespace

struct Service::Impl {
    Impl(boost::asio::io_context& context, ServiceCallbacks functions)
        : io(context), callbacks(std::move(functions)) {}

    void start();
    void stop();
    void tell(const Command& command);
    void watch();
    void read();
    [[nodiscard]] std::uint32_t draw_discriminator();

    boost::asio::io_context& io;
    ServiceCallbacks callbacks;
    std::random_device random;
    std::unique_ptr<Channel> channel;
    std::optional<net::Descriptor> reports;
    std::thread thread;
    std::uint32_t last_id = 0;
    std::map<std::uint32_t, std::uint32_t> sessions; // id -> discriminator
};

Service::Service(boost::asio::io_context& io, ServiceCallbacks callbacks)
    : impl_(std::make_unique<Impl>(io, std::move(callbacks))) {}

Service::~Service() {
    impl_->stop();
}

std::uint32_t Service::add(const Endpoint& endpoint, const bfd::Timing& timing) {
    if (!impl_->thread.joinable()) {
        impl_->start();
    }
    const std::uint32_t id = ++impl_->last_id;
    const std::uint32_t discriminator = impl_->draw_discriminator();
    impl_->sessions[id] = discriminator;
    impl_->tell({Command::Kind::Add, id, endpoint, timing, discriminator});
    return id;
}

void Service::reconfigure(std::uint32_t id, const bfd::Timing& timing) {
    impl_->tell({Command::Kind::Reconfigure, id, {}, timing, 0});
}

void Service::remove(std::uint32_t id) {
    impl_->tell({Command::Kind::Remove, id, {}, {}, 0});
}

bool Service::is_quiet() const {
    return impl_->sessions.empty();
}

void Service::Impl::start() {
    channel = std::make_unique<Channel>();
    channel->commands_written = make_event();
    channel->reports_written = make_event();
    reports = net::watch(io, net::FileDescriptor(::dup(channel->reports_written.get())));
    thread = start_thread(*channel, (std::uint64_t{random()} << 32U) | random());
    sched_param parameters{};
    parameters.sched_priority = realtime_priority;
    if (::pthread_setschedparam(thread.native_handle(), SCHED_FIFO, &parameters) != 0) {
        callbacks.on_hint("BFD runs without real-time priority: with all CPUs busy its packets may "
                          "be late; grant CAP_SYS_NICE, or LimitRTPRIO=" +
                          std::to_string(realtime_priority) + " in the unit");
    }
    watch();
}

void Service::Impl::stop() {
    if (!thread.joinable()) {
        return;
    }
    tell({});
    thread.join();
    reports.reset();
    channel.reset();
}

void Service::Impl::tell(const Command& command) {
    if (!channel) {
        return;
    }
    const std::uint64_t one = 1;
    bool is_told = false;
    // The thread never waits for us, so a full queue is empty in a moment.
    while (!is_told) {
        is_told = channel->commands.push(command);
        std::ignore = ::write(channel->commands_written.get(), &one, sizeof one);
        if (!is_told) {
            std::this_thread::yield();
        }
    }
}

void Service::Impl::watch() {
    if (!reports) {
        return;
    }
    reports->async_wait(net::Descriptor::wait_read, [this](net::Error error) {
        if (!error) {
            read();
        }
    });
}

void Service::Impl::read() {
    std::uint64_t ignored = 0;
    std::ignore = ::read(channel->reports_written.get(), &ignored, sizeof ignored);
    while (const auto report = channel->reports.pop()) {
        if (report->is_removed) {
            sessions.erase(report->id);
        }
        callbacks.on_report(*report);
    }
    if (sessions.empty()) {
        stop();
    } else {
        watch();
    }
    callbacks.on_turn();
}

std::uint32_t Service::Impl::draw_discriminator() {
    for (;;) {
        const std::uint32_t drawn = random();
        const bool is_taken =
            std::ranges::any_of(sessions, [drawn](const auto& one) { return one.second == drawn; });
        if (drawn != 0 && !is_taken) {
            return drawn;
        }
    }
}

} // namespace anyvip::bgp::bfd_net
