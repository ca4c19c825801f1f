// SPDX-License-Identifier: Apache-2.0
// Watches `daemon.drain_file`: while it exists the node is drained.
#pragma once

#include <array>
#include <functional>
#include <string>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

namespace anyvip::cmd {

class DrainFile {
  public:
    /// `on_change` runs from the loop when the answer of `exists` has changed.
    DrainFile(boost::asio::io_context& io, std::function<void()> on_change);

    /// Empty: nothing is watched, `exists` is false. Looks at once, without calling `on_change`.
    void watch(const std::string& path);

    [[nodiscard]] bool exists() const { return exists_; }

  private:
    void open_notifications();
    void wait_for_notification();
    void wait_for_time();
    void look();

    std::function<void()> on_change_;
    std::string path_;
    bool exists_ = false;
    boost::asio::posix::stream_descriptor notifications_;
    boost::asio::steady_timer timer_;
    std::array<char, 4096> buffer_{};
};

} // namespace anyvip::cmd
