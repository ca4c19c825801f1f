// SPDX-License-Identifier: Apache-2.0
// From a target's text to a connected TCP or unix stream socket, or to a result.
#pragma once

#include <functional>
#include <optional>

#include <boost/asio/generic/stream_protocol.hpp>

#include "health/endpoint.hpp"
#include "health/result.hpp"

namespace anyvip::health {

using StreamSocket = boost::asio::generic::stream_protocol::socket;

/// Nothing: done. Otherwise why not.
using Failure = std::optional<Result>;

/// Starts connecting. `connected` is called once from the loop, unless the socket is closed before;
/// it must keep the socket alive.
void async_connect(StreamSocket& socket,
                   const HostPort& target,
                   std::function<void(Failure)> connected);

/// What a failed connect means.
[[nodiscard]] Result connect_failure(const std::error_code& error, bool is_unix);

} // namespace anyvip::health
