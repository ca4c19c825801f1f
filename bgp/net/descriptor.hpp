// SPDX-License-Identifier: Apache-2.0
// A socket in the event loop's care: waited for with Asio, read and written without blocking.
#pragma once

#include <optional>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include "bgp/net/file_descriptor.hpp"

namespace anyvip::bgp::net {

using Descriptor = boost::asio::posix::stream_descriptor;
using Error = boost::system::error_code;

/// Registers a socket with the loop; nullopt, the socket closed, when the kernel refuses (no
/// memory for epoll).
[[nodiscard]] inline std::optional<Descriptor> watch(boost::asio::io_context& io,
                                                     FileDescriptor socket) {
    Descriptor descriptor(io);
    Error error;
    descriptor.assign(socket.get(), error);
    if (error) {
        return std::nullopt;
    }
    // From here on the descriptor owns it.
    std::ignore = socket.release();
    return descriptor;
}

/// Takes the socket out of `place`; handlers that wait for it there are cancelled.
[[nodiscard]] inline Descriptor take(Descriptor& place) {
    Error ignored;
    place.cancel(ignored);
    return std::move(place);
}

} // namespace anyvip::bgp::net
