// SPDX-License-Identifier: Apache-2.0
// The end of a connection such that its last octets arrive: with unread data in the receive queue
// Linux answers close() with RST, and RST destroys the NOTIFICATION that is still in flight.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "bgp/limits.hpp"
#include "bgp/net/descriptor.hpp"

namespace anyvip::bgp::net {

/// Writes the last octets, shuts down our direction, reads and drops what still comes until the
/// peer's end, at most 1 s in all. Keeps itself alive until then.
class GracefulClose : public std::enable_shared_from_this<GracefulClose> {
  public:
    static constexpr std::chrono::milliseconds limit = limits::graceful_close_time;

    /// Writes at once what the kernel takes. `done` runs later from the loop, once.
    static std::shared_ptr<GracefulClose> start(boost::asio::io_context& io,
                                                Descriptor socket,
                                                std::vector<std::uint8_t> octets,
                                                std::function<void()> done);

    [[nodiscard]] bool is_done() const { return is_done_; }

    /// Only for `start`.
    GracefulClose(boost::asio::io_context& io,
                  Descriptor socket,
                  std::vector<std::uint8_t> octets,
                  std::function<void()> done);

  private:
    void write();
    void wait_for_write();
    void wait_for_read();
    void read();
    void finish();

    Descriptor socket_;
    boost::asio::steady_timer timer_;
    std::vector<std::uint8_t> octets_;
    std::size_t written_ = 0;
    std::function<void()> done_;
    bool has_peer_ended_ = false;
    bool is_done_ = false;
};

} // namespace anyvip::bgp::net
