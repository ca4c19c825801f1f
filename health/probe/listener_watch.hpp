// SPDX-License-Identifier: Apache-2.0
// The kernel tells of destroyed TCP sockets (NETLINK_SOCK_DIAG); a filter in the kernel lets
// through only listening ones on the ports of interest, so that closing connections wake nobody.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

namespace anyvip::health {

/// Above this many new TCP connections a second in our network namespace the groups are left for a
/// while: the kernel makes one message for every socket that ends, and that is its price.
inline constexpr std::uint64_t listener_watch_limit = 100000;

class ListenerWatch {
  public:
    /// Called from the loop with the port of a listening socket that is no more.
    using OnClosed = std::function<void(std::uint16_t port)>;

    ListenerWatch(boost::asio::io_context& io, OnClosed on_closed);
    ~ListenerWatch();
    ListenerWatch(const ListenerWatch&) = delete;
    ListenerWatch& operator=(const ListenerWatch&) = delete;

    /// The whole wanted set. Without ports there is no socket at all.
    void watch(std::set<std::uint16_t> ports);
    /// After a failure, such as no descriptor.
    void try_again();

    /// False also while the rate of connections is too high.
    [[nodiscard]] bool is_armed() const { return is_joined_; }

    /// Why not; empty when armed or when there is nothing to watch.
    [[nodiscard]] const std::string& problem() const { return problem_; }

  private:
    void open();
    void close();
    void join();
    void read();
    void on_readable();
    void watch_rate();
    [[nodiscard]] bool attach_filter();

    OnClosed on_closed_;
    boost::asio::posix::stream_descriptor socket_;
    boost::asio::steady_timer rate_timer_;
    std::set<std::uint16_t> ports_;
    std::optional<std::uint64_t> opened_before_{};
    bool is_joined_ = false;
    std::string problem_;
    /// Waits that are over may still be queued when we are destroyed.
    std::shared_ptr<int> alive_ = std::make_shared<int>();
};

} // namespace anyvip::health
