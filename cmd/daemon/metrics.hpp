// SPDX-License-Identifier: Apache-2.0
// What /metrics says (CONTRACT section 4): counters kept here, everything else read from the agent
// when asked.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "cmd/agent/agent.hpp"
#include "cmd/daemon/exposition.hpp"
#include "cmd/daemon/pieces.hpp"

namespace anyvip::cmd {

class Metrics {
  public:
    void observe_event(const Event& event);
    /// After a reload: what is configured no more has no samples any more.
    void forget_missing(const Agent& agent);
    void observe_check(const std::string& label, const health::Result& result);

    /// From the check result or command that caused a withdraw to its last octet handed to the
    /// kernel.
    void observe_withdraw(Duration latency) { counts_.withdraw_latency.observe(latency); }

    /// The longest time by which a turn of the loop was late, since the start of this program.
    void observe_pause(Duration longest) { longest_pause_ = longest; }

    void observe_reload(bool is_successful) { counts_.is_reload_successful = is_successful; }

    /// The exposition; refers to this and to the agent, and is good until its next reload.
    [[nodiscard]] Pieces page(Agent& agent, std::uint64_t log_lines_dropped) const;

    struct CheckCounters {
        std::array<std::uint64_t, 4> results{}; ///< by health::Outcome
        Histogram duration;

        template <class Archive> void transfer(Archive& archive) {
            archive.field(1, results);
            archive.field(2, duration);
        }
    };

    /// All that is counted here: what goes over at an upgrade in place.
    struct Counts {
        std::map<std::pair<std::string, std::string>, std::uint64_t>
            vip_transitions; ///< by VIP and state
        std::map<std::string, CheckCounters> checks;
        Histogram withdraw_latency;
        bool is_reload_successful = true;

        template <class Archive> void transfer(Archive& archive) {
            archive.field(1, vip_transitions);
            archive.field(2, checks);
            archive.field(3, withdraw_latency);
            archive.field(4, is_reload_successful);
        }
    };

    [[nodiscard]] const Counts& counts() const { return counts_; }

    void take_over(Counts counts) { counts_ = std::move(counts); }

  private:
    void append_vips(Pieces& page, const Agent& agent) const;
    void append_checks(Pieces& page, const Agent& agent) const;

    Counts counts_;
    Duration longest_pause_{0};
};

} // namespace anyvip::cmd
