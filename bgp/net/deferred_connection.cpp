// SPDX-License-Identifier: Apache-2.0
// A connection of the router for which it is too early.
#include "bgp/net/deferred_connection.hpp"

#include <utility>

namespace anyvip::bgp::net {

void DeferredConnection::keep(Descriptor socket, std::chrono::milliseconds patience) {
    socket_ = std::make_shared<Descriptor>(std::move(socket));
    timer_.expires_after(patience);
    timer_.async_wait([weak = std::weak_ptr(socket_)](const Error& error) {
        if (const auto kept = weak.lock(); kept && !error) {
            Error ignored;
            kept->close(ignored);
        }
    });
}

std::optional<Descriptor> DeferredConnection::take() {
    if (!is_kept()) {
        return std::nullopt;
    }
    std::optional<Descriptor> taken = std::move(*socket_);
    drop();
    return taken;
}

void DeferredConnection::drop() {
    socket_.reset();
    timer_.cancel();
}

} // namespace anyvip::bgp::net
