// SPDX-License-Identifier: Apache-2.0
// From a target's text to a connected TCP or unix stream socket, or to a result.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include <boost/asio/generic/stream_protocol.hpp>

#include "health/endpoint.hpp"
#include "health/result.hpp"

namespace anyvip::health {

using StreamSocket = boost::asio::generic::stream_protocol::socket;

/// Nothing: done. Otherwise why not.
using Failure = std::optional<Result>;

/// What the caller wants of the connection. Handshake: to know that it can be had; an answer that
/// comes at once costs no more than that, and leaves no open socket.
enum class Purpose : std::uint8_t { Exchange, Handshake };

/// What the caller is asked, and told, until the connection is there.
struct Connecting {
    std::function<bool()> is_wanted; ///< false: nothing more is done; may be asked at any time
    std::function<void()> begins;    ///< the name is resolved; an attempt, to each address in turn
};

/// Starts connecting. The addresses of a name are tried in turn; it is refused only when all that
/// can be reached refuse. `connected` is called once from the loop, unless the socket is closed
/// before; it must keep the socket alive.
void async_connect(StreamSocket& socket,
                   const HostPort& target,
                   Connecting connecting,
                   std::function<void(Failure)> connected,
                   Purpose purpose = Purpose::Exchange);

/// From now on closing resets the connection (RST).
void reset_on_close(int descriptor);

/// What a failed connect means.
[[nodiscard]] Result connect_failure(const std::error_code& error, bool is_unix);

} // namespace anyvip::health
