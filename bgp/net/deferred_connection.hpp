// SPDX-License-Identifier: Apache-2.0
// A connection of the router for which it is too early. What it sends meanwhile waits in the
// kernel.
#pragma once

#include <chrono>
#include <memory>
#include <optional>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "bgp/net/descriptor.hpp"

namespace anyvip::bgp::net {

class DeferredConnection {
  public:
    explicit DeferredConnection(boost::asio::io_context& io) : timer_(io) {}

    /// In place of a former one. It is closed when `patience` is over.
    void keep(Descriptor socket, std::chrono::milliseconds patience);

    [[nodiscard]] bool is_kept() const { return socket_ && socket_->is_open(); }

    [[nodiscard]] std::optional<Descriptor> take();

    void drop();

  private:
    std::shared_ptr<Descriptor> socket_; ///< of its own, so that a late timer closes no other one
    boost::asio::steady_timer timer_;
};

} // namespace anyvip::bgp::net
