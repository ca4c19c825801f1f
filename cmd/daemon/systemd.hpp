// SPDX-License-Identifier: Apache-2.0
// sd_notify(3): readiness, status line and watchdog for the service manager.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace anyvip::cmd {

/// Own 40 lines instead of libsystemd: the protocol is one datagram, the library would map five
/// others (lzma, zstd, lz4, gcrypt, cap) into a daemon whose footprint is a feature.
class ServiceManager {
  public:
    ServiceManager();
    ~ServiceManager();
    ServiceManager(const ServiceManager&) = delete;
    ServiceManager& operator=(const ServiceManager&) = delete;

    /// Sends "READY=1\nSTATUS=…" and the like; without NOTIFY_SOCKET nothing happens. Never blocks.
    void notify(std::string_view assignments) const;

    /// Half of WATCHDOG_USEC, when the service manager watches this process.
    [[nodiscard]] std::optional<std::chrono::microseconds> watchdog_interval() const;

  private:
    int descriptor_ = -1;
    std::string address_;
};

} // namespace anyvip::cmd
