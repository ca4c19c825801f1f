// SPDX-License-Identifier: Apache-2.0
// Keys of TCP MD5 and TCP-AO, from the configuration or from a file.
#pragma once

#include <expected>
#include <string>

#include "bgp/net/net_config.hpp"

namespace anyvip::bgp::net {

/// The first line of a key file, without its end. Refused, with the reason as one line that never
/// contains the key: unreadable, readable or writable for everybody, empty, longer than
/// `max_key_octets`.
[[nodiscard]] std::expected<std::string, std::string> read_key_file(const std::string& path);

/// The TCP MD5 or TCP-AO key of this peer as it is now; empty when it has none.
[[nodiscard]] std::expected<std::string, std::string> current_key(const NetConfig& config);

} // namespace anyvip::bgp::net
