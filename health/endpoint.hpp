// SPDX-License-Identifier: Apache-2.0
// Where a probe goes: "127.0.0.1:8080", "[fe80::1%eth0]:80", "localhost:80", "unix:/run/app.sock".
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace anyvip::health {

struct HostPort {
    std::string host; ///< without brackets
    std::uint16_t port = 0;
    std::string unix_path{}; ///< not empty: a unix socket, and the others mean nothing
};

/// `default_port` 0: a port is required. The error says what is wrong.
[[nodiscard]] std::expected<HostPort, std::string> parse_host_port(std::string_view text,
                                                                   std::uint16_t default_port);

} // namespace anyvip::health
