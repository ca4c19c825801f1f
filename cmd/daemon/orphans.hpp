// SPDX-License-Identifier: Apache-2.0
// Children of the program that this process was before an upgrade in place: nobody else knows that
// they have to be reaped.
#pragma once

#include <cstdint>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "bgp/net/file_descriptor.hpp"
#include "bgp/types.hpp"
#include "cmd/daemon/handed_over.hpp"

namespace anyvip::cmd {

class Orphans {
  public:
    explicit Orphans(boost::asio::io_context& io) : timer_(io) {}

    /// Hooks may go on for as long as any hook; probes are made again, and so end now.
    void adopt(const std::vector<OrphanHandedOver>& orphans);

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

    boost::asio::steady_timer timer_;
    std::vector<Orphan> orphans_;
};

} // namespace anyvip::cmd
