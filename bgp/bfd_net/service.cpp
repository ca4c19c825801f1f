// SPDX-License-Identifier: Apache-2.0
#include "bgp/bfd_net/service.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <tuple>

#include <fcntl.h>
#include <unistd.h>

#include "bgp/bfd_net/thread.hpp"
#include "bgp/net/descriptor.hpp"

namespace anyvip::bgp::bfd_net {

struct Service::Impl {
    Impl(boost::asio::io_context& context, ServiceCallbacks functions)
        : io(context), callbacks(std::move(functions)) {}

    void start();
    void stop();
    void tell(const Command& command);
    void attach();
    void watch();
    void read_reports();
    [[nodiscard]] std::uint32_t draw_discriminator();

    boost::asio::io_context& io;
    ServiceCallbacks callbacks;
    std::random_device random;
    std::unique_ptr<Thread> thread;
    std::optional<net::Descriptor> reports;
    std::uint32_t last_id = 0;
    std::map<std::uint32_t, std::uint32_t> sessions; // id -> discriminator
};

Service::Service(boost::asio::io_context& io, ServiceCallbacks callbacks)
    : impl_(std::make_unique<Impl>(io, std::move(callbacks))) {}

Service::~Service() {
    impl_->stop();
}

std::uint32_t Service::add(const Endpoint& endpoint, const bfd::Timing& timing) {
    if (!impl_->thread) {
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

Thread* Service::pause() {
    if (impl_->thread) {
        impl_->thread->pause();
    }
    return impl_->thread.get();
}

void Service::go_on() {
    if (impl_->thread && !impl_->thread->is_running()) {
        impl_->thread->start();
    }
}

void Service::take_over(std::unique_ptr<Thread> thread) {
    impl_->thread = std::move(thread);
    impl_->sessions = impl_->thread->sessions();
    if (!impl_->sessions.empty()) {
        impl_->last_id = impl_->sessions.rbegin()->first;
    }
    impl_->attach();
}

void Service::Impl::start() {
    thread = std::make_unique<Thread>((std::uint64_t{random()} << 32U) | random());
    attach();
    if (!thread->start()) {
        callbacks.on_hint("BFD runs without real-time priority: with all CPUs busy its packets may "
                          "be late; grant CAP_SYS_NICE, or LimitRTPRIO=" +
                          std::to_string(realtime_priority) + " in the unit");
    }
}

void Service::Impl::stop() {
    thread.reset();
    reports.reset();
}

void Service::Impl::tell(const Command& command) {
    if (thread) {
        thread->tell(command);
    }
}

void Service::Impl::attach() {
    reports = net::watch(
        io,
        net::FileDescriptor(::fcntl(thread->channel().reports_written.get(), F_DUPFD_CLOEXEC, 0)));
    watch();
}

void Service::Impl::watch() {
    if (!reports) {
        return;
    }
    reports->async_wait(net::Descriptor::wait_read, [this](net::Error error) {
        if (error) {
            return;
        }
        read_reports();
        if (sessions.empty()) {
            stop();
        } else {
            watch();
        }
        callbacks.on_turn();
    });
}

void Service::Impl::read_reports() {
    std::uint64_t ignored = 0;
    std::ignore = ::read(thread->channel().reports_written.get(), &ignored, sizeof ignored);
    while (const auto report = thread->channel().reports.pop()) {
        if (report->is_removed) {
            sessions.erase(report->id);
        }
        callbacks.on_report(*report);
    }
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
