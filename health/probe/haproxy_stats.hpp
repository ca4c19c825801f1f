// SPDX-License-Identifier: Apache-2.0
// What HAProxy answers to `show stat`: CSV, one line a server.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace anyvip::health {

struct ServerCount {
    std::uint32_t up = 0;
    std::uint32_t all = 0;
};

/// An empty line ends an answer; what ends without one has been cut off.
[[nodiscard]] bool is_whole_haproxy_answer(std::string_view answer);

/// Servers of each backend; nothing when the text is no such answer. Servers that are not checked
/// count as up, as HAProxy itself sends them traffic.
[[nodiscard]] std::optional<std::map<std::string, ServerCount, std::less<>>>
parse_haproxy_stats(std::string_view csv);

} // namespace anyvip::health
