// SPDX-License-Identifier: Apache-2.0
// What could tell of a check's service dying before the next probe does. A tripwire never decides:
// it only has the check run at once, so a wrong one costs a probe and withdraws nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "health/config.hpp"
#include "health/endpoint.hpp"
#include "health/result.hpp"

namespace anyvip::health {

/// The wires that fit one check; all empty: none do.
struct TripwirePlan {
    /// The kernel reports the end of listening TCP sockets on this port; of use when `host` is this
    /// host.
    std::optional<HostPort> listener{};
    std::vector<std::string> paths{}; ///< appear, vanish or are written: inotify
    std::string pidfile{};            ///< its process ends: pidfd
    std::string unit{};        ///< systemd removes its control group with its last process: inotify
    std::string unix_socket{}; ///< the process that listens on it ends: pidfd
    std::optional<HostPort> connection{}; ///< one idle connection that the service's end closes
};

[[nodiscard]] TripwirePlan plan_tripwires(const CheckConfig& check);

/// When an idle connection may be opened again. Servers that close idle connections, or limit them,
/// are met less and less often, up to once in a minute.
class ConnectionBackOff {
  public:
    [[nodiscard]] bool may_open(Instant now) const { return now >= not_before_; }

    void opened(Instant now) { opened_ = now; }

    void closed(Instant now);

  private:
    Instant opened_{};
    Instant not_before_{};
    std::chrono::seconds wait_{1};
};

} // namespace anyvip::health
