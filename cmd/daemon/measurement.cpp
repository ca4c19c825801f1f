// SPDX-License-Identifier: Apache-2.0
#include "cmd/daemon/measurement.hpp"

#include <utility>

#include "cmd/daemon/wall_time.hpp"

namespace anyvip::cmd {
namespace {

// `flows` in the status is at most 10 s old (CONTRACT section 4); a drain waits for the count and
// so wants it often.
constexpr std::chrono::seconds idle_pause{8};
constexpr std::chrono::seconds drain_pause{1};

} // namespace

Measurement::Measurement(boost::asio::io_context& io,
                         Agent& agent,
                         Log& log,
                         std::function<void()> on_turn)
    : agent_(agent), log_(log), flows_(io,
                                       [this, on_turn](const vip::kernel::FlowCounts& counts) {
                                           agent_.flows_counted(counts, read_clocks());
                                           on_turn();
                                       }),
      traffic_(io, [this, on_turn](const vip::kernel::PacketCounts& counts) {
          for (const auto& [address, count] : counts) {
              packets_[address] += count;
          }
          agent_.packets_seen(packets_, read_clocks());
          on_turn();
      }) {}

void Measurement::apply(const Measure& measure) {
    is_draining_ = !measure.flows.empty();
    watch_flows();
    const std::set<IpAddress> wanted(measure.packets.begin(), measure.packets.end());
    std::erase_if(packets_, [&](const auto& entry) { return !wanted.contains(entry.first); });
    const std::error_code error = traffic_.watch(measure.packets);
    if (error && !std::exchange(has_warned_, true)) {
        log_.warning("cannot count packets (" + error.message() +
                     "): a drain and a stop wait for their full time instead of for silence");
    }
}

void Measurement::watch_flows() {
    std::vector<IpAddress> addresses;
    for (const vip::VipConfig& config : agent_.config().vips) {
        for (const Prefix& prefix : config.addresses) {
            addresses.push_back(prefix.address());
        }
    }
    flows_.watch(std::move(addresses), is_draining_ ? drain_pause : idle_pause);
}

} // namespace anyvip::cmd
