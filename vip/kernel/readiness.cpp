// SPDX-License-Identifier: Apache-2.0
// A completion may already be queued when its owner goes: each one holds the state weakly and asks
// whether it is still the one that was armed last.
#include "vip/kernel/readiness.hpp"

#include <cstdint>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

namespace anyvip::vip::kernel {

struct Readable::Impl {
    boost::asio::posix::stream_descriptor descriptor;
    std::function<void()> on_readable;
    std::uint64_t generation = 0;
};

Readable::Readable(boost::asio::io_context& loop, int descriptor, std::function<void()> on_readable)
    : impl_(std::make_shared<Impl>(
          boost::asio::posix::stream_descriptor(loop, descriptor), std::move(on_readable), 0U)) {}

Readable::~Readable() {
    disarm();
    impl_->descriptor.release();
}

void Readable::arm() {
    const std::uint64_t generation = ++impl_->generation;
    impl_->descriptor.async_wait(
        boost::asio::posix::stream_descriptor::wait_read,
        [weak = std::weak_ptr(impl_), generation](const boost::system::error_code& error) {
            const auto impl = weak.lock();
            if (!error && impl && impl->generation == generation) {
                impl->on_readable();
            }
        });
}

void Readable::disarm() {
    ++impl_->generation;
    boost::system::error_code ignored;
    impl_->descriptor.cancel(ignored);
}

struct Timer::Impl {
    boost::asio::steady_timer timer;
    std::function<void()> on_expiry;
    std::uint64_t generation = 0;
};

Timer::Timer(boost::asio::io_context& loop, std::function<void()> on_expiry)
    : impl_(std::make_shared<Impl>(boost::asio::steady_timer(loop), std::move(on_expiry), 0U)) {}

Timer::~Timer() {
    disarm();
}

void Timer::arm(std::chrono::milliseconds delay) {
    const std::uint64_t generation = ++impl_->generation;
    impl_->timer.expires_after(delay);
    impl_->timer.async_wait(
        [weak = std::weak_ptr(impl_), generation](const boost::system::error_code& error) {
            const auto impl = weak.lock();
            if (!error && impl && impl->generation == generation) {
                impl->on_expiry();
            }
        });
}

void Timer::disarm() {
    ++impl_->generation;
    impl_->timer.cancel();
}

} // namespace anyvip::vip::kernel
