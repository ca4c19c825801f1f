// SPDX-License-Identifier: Apache-2.0
// Children of the program that this process was before an upgrade in place: nobody else knows that
// they have to be reaped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "bgp/net/file_descriptor.hpp"
#include "bgp/types.hpp"
#include "cmd/daemon/handed_over.hpp"

namespace anyvip::cmd {

class Orphans {
  public:
    /// `on_hooks` is told how many of them are hooks whenever that may have changed.
    Orphans(boost::asio::io_context& io, std::function<void(std::size_t)> on_hooks)
        : timer_(io), on_hooks_(std::move(on_hooks)) {}

    /// Hooks may go on for as long as any hook; probes are made again, and so end now.
    void adopt(const std::vector<OrphanHandedOver>& orphans);

    [[nodiscard]] bool has(int pid) const;

    /// Those that have not ended at the next upgrade either.
    [[nodiscard]] std::vector<OrphanHandedOver> hand_over() const;

  private:
    struct Orphan {
        std::int32_t pid = 0;
        bgp::net::FileDescriptor output; ///< open, so that it may still print
        bool is_hook = false;
        Instant end_by;
    };

    void look();
    void tell_hooks() const;

    boost::asio::steady_timer timer_;
    std::function<void(std::size_t)> on_hooks_;
    std::vector<Orphan> orphans_;
};

} // namespace anyvip::cmd
