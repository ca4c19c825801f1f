// SPDX-License-Identifier: Apache-2.0
// One outgoing connection until it is answered, has failed or has lasted too long.
#pragma once

#include <chrono>
#include <expected>
#include <functional>
#include <memory>
#include <string>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "bgp/net/descriptor.hpp"
#include "bgp/net/net_config.hpp"

namespace anyvip::bgp::net {

/// Destroying it gives the attempt up without a call.
class ConnectAttempt {
  public:
    /// The connected socket, or why there is none as one line.
    using Result = std::expected<Descriptor, std::string>;
    using Done = std::function<void(Result)>;

    struct Limits {
        std::chrono::milliseconds connect_timeout;
        std::chrono::milliseconds user_timeout; ///< of the connection that comes of it
    };

    /// `done` runs once, from the loop, never from within; it may destroy the attempt.
    ConnectAttempt(boost::asio::io_context& io,
                   const NetConfig& config,
                   const Limits& limits,
                   Done done);
    /// One that cannot be made, for this reason.
    ConnectAttempt(boost::asio::io_context& io, const std::string& problem, Done done);
    ~ConnectAttempt();
    ConnectAttempt(const ConnectAttempt&) = delete;
    ConnectAttempt& operator=(const ConnectAttempt&) = delete;

  private:
    struct State;
    std::shared_ptr<State> state_;
};

} // namespace anyvip::bgp::net
