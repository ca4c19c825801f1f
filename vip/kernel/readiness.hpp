// SPDX-License-Identifier: Apache-2.0
// The two things this directory wants from the event loop: "this descriptor can be read" and
// "later". Asio's heavy headers stay in one .cpp because of it.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

namespace boost::asio {
class io_context;
} // namespace boost::asio

namespace anyvip::vip::kernel {

/// Calls back once for each `arm`, when the descriptor is readable or in error; never after it is
/// destroyed. The descriptor stays the caller's and must outlive this object.
class Readable {
  public:
    Readable(boost::asio::io_context& loop, int descriptor, std::function<void()> on_readable);
    ~Readable();
    Readable(const Readable&) = delete;
    Readable& operator=(const Readable&) = delete;

    void arm();
    void disarm();

  private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

/// Calls back once after the delay of the last `arm`; never after it is destroyed.
class Timer {
  public:
    Timer(boost::asio::io_context& loop, std::function<void()> on_expiry);
    ~Timer();
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;

    void arm(std::chrono::milliseconds delay);
    void disarm();

  private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

} // namespace anyvip::vip::kernel
