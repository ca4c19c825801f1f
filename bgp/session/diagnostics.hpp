// SPDX-License-Identifier: Apache-2.0
// What a peer tells its operator: events, the last error, counters of broken rules; repetitions are
// held back here.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bgp/session/peer.hpp"
#include "bgp/session/session.hpp"
#include "bgp/wire/error.hpp"

namespace anyvip::bgp {

class Diagnostics {
  public:
    void event(PeerEvent event) { events_.push_back(std::move(event)); }

    void warn(std::string text) { event(PeerNotice{.is_warning = true, .text = std::move(text)}); }

    /// The same text again, but for its numbers, is not worth a line within
    /// `limits::notice_interval`, whatever else was told in between.
    void warn_once(const std::string& text, Instant now);
    /// Counts, keeps the message unless it was only ignored, and says so once an interval for each
    /// rule.
    void malformed(std::span<const std::uint8_t> message,
                   std::span<const wire::Error> errors,
                   Instant now);
    /// Remembers how a connection ended; returns the line that says it.
    std::string ended(const Ending& ending, Instant now);

    [[nodiscard]] std::vector<PeerEvent> take_events() { return std::exchange(events_, {}); }

    /// Fills in its part.
    void describe(PeerStatus& status) const;

    /// What goes over at an upgrade in place (cmd/handover); events have been taken by then.
    template <class Archive> void transfer(Archive& archive) {
        archive.field(1, last_error_);
        archive.field(2, rule_counters_);
        archive.field(3, rule_noticed_);
        archive.field(4, last_malformed_);
        archive.field(5, last_malformed_detail_);
        archive.field(8, warned_); // 6 and 7 were the last warning and its time
    }

  private:
    std::vector<PeerEvent> events_;
    std::optional<LastError> last_error_;
    std::map<std::string, std::uint64_t, std::less<>> rule_counters_;
    std::map<std::string, Instant, std::less<>> rule_noticed_;
    std::vector<std::uint8_t> last_malformed_;
    std::string last_malformed_detail_;
    std::map<std::string, Instant, std::less<>> warned_; ///< by kind, within the interval
};

} // namespace anyvip::bgp
