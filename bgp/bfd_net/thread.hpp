// SPDX-License-Identifier: Apache-2.0
// The BFD thread as an object: it runs, it stands still, it goes on.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <thread>

#include "bgp/bfd_net/messages.hpp"
#include "bgp/bfd_net/worker.hpp"

namespace anyvip::bgp::bfd_net {

inline constexpr int realtime_priority = 10;

class Thread {
  public:
    explicit Thread(std::uint64_t seed);
    /// Ends it at once; peers are told nothing.
    ~Thread();
    Thread(const Thread&) = delete;
    Thread& operator=(const Thread&) = delete;

    /// False: it runs without real-time priority.
    bool start();
    void tell(const Command& command);
    /// Returns when it stands still, after an extra packet for each session that is Up.
    void pause();

    [[nodiscard]] bool is_running() const { return thread_.joinable(); }

    [[nodiscard]] Channel& channel() { return channel_; }

    /// Discriminators of the sessions that were there at the last `start`, by id.
    [[nodiscard]] const std::map<std::uint32_t, std::uint32_t>& sessions() const {
        return sessions_;
    }

    /// Only while it stands still (cmd/handover).
    template <class Archive> void transfer(Archive& archive) { archive.field(1, worker_); }

  private:
    Channel channel_;
    Worker worker_;
    std::map<std::uint32_t, std::uint32_t> sessions_;
    std::thread thread_;
};

} // namespace anyvip::bgp::bfd_net
