// SPDX-License-Identifier: Apache-2.0
// Every event there is (CONTRACT section 4), for those who emit them and for hooks, which name
// them. An event that is not listed here does not compile.
#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

namespace anyvip::cmd {

inline constexpr std::array<std::string_view, 30> event_names{"vip.announced",
                                                              "vip.backup",
                                                              "vip.withdrawn",
                                                              "vip.draining",
                                                              "vip.drained",
                                                              "vip.undrained",
                                                              "vip.stray",
                                                              "peer.up",
                                                              "peer.down",
                                                              "peer.notice",
                                                              "peer.refused",
                                                              "check.up",
                                                              "check.down",
                                                              "bfd.up",
                                                              "bfd.down",
                                                              "address.removed",
                                                              "default_route.adopted",
                                                              "default_route.changed",
                                                              "default_route.removed",
                                                              "default_route.problem",
                                                              "drain.refused",
                                                              "drain.ending",
                                                              "drain.expired",
                                                              "drain.unsaved",
                                                              "drain.file_unknown",
                                                              "config.reloaded",
                                                              "config.rejected",
                                                              "upgrade.done",
                                                              "upgrade.failed",
                                                              "daemon.late"};

/// Nowhere defined: a name that leads here is no constant, and the compiler says so.
void not_in_event_names();

/// One of `event_names`, checked by the compiler.
class EventName {
  public:
    consteval EventName(const char* name) : name_(name) { // NOLINT(google-explicit-constructor)
        if (std::ranges::find(event_names, name_) == event_names.end()) {
            not_in_event_names();
        }
    }

    [[nodiscard]] constexpr std::string_view view() const { return name_; }

    [[nodiscard]] std::string text() const { return std::string(name_); }

    /// "changed" of "default_route.changed".
    [[nodiscard]] constexpr std::string_view what() const {
        return name_.substr(name_.find('.') + 1);
    }

  private:
    std::string_view name_;
};

} // namespace anyvip::cmd
