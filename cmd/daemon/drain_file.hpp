// SPDX-License-Identifier: Apache-2.0
// Watches `daemon.drain_file`: while it exists the node is drained.
#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

namespace anyvip::cmd {

/// errno of lstat(2), 0: it is there.
using LookAt = std::function<int(const std::string& path)>;
[[nodiscard]] int lstat_errno(const std::string& path);

class DrainFile {
  public:
    /// `on_change` runs when the answer of `exists` or of `problem` has changed.
    DrainFile(boost::asio::io_context& io,
              std::function<void()> on_change,
              LookAt look_at = lstat_errno);

    /// Empty: nothing is watched, `exists` is false. Looks at once, without calling `on_change`.
    /// `existed`: what counts until it can be looked at.
    void watch(const std::string& path, bool existed);

    /// Looks now; by itself it does so at a change in its directory and every second.
    void look();

    /// When it was looked at last without a problem.
    [[nodiscard]] bool exists() const { return exists_; }

    /// A look has had no answer yet: its thread is within the kernel, from where an exec might have
    /// to wait for it.
    [[nodiscard]] bool is_waiting() const { return under_way_ != nullptr; }

    /// Why it cannot be looked at; empty: it can.
    [[nodiscard]] const std::string& problem() const { return problem_; }

  private:
    void open_notifications();
    void wait_for_notification();
    [[nodiscard]] bool concerns_us(std::size_t size) const;
    void wait_for_time();
    /// Waits so long for the file system; an answer that comes later is taken at the next look.
    void update(std::chrono::milliseconds patience);

    struct Look;
    std::function<void()> on_change_;
    LookAt look_at_;
    std::shared_ptr<Look> under_way_; // at most one: a file system that hangs gets no second
    std::string path_;
    bool exists_ = false;
    std::string problem_;
    boost::asio::posix::stream_descriptor notifications_;
    boost::asio::steady_timer timer_;
    std::array<char, 4096> buffer_{};
};

} // namespace anyvip::cmd
