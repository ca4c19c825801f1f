// SPDX-License-Identifier: Apache-2.0
// Text that came from another machine, made safe for a terminal, a log line and JSON.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace anyvip::bgp::wire {

/// `octets` as valid UTF-8: what is not UTF-8 becomes U+FFFD, and every character that can steer a
/// terminal or reorder a line (controls, line separators, direction overrides) a space.
[[nodiscard]] std::string printable(std::span<const std::uint8_t> octets);

/// The longest prefix of valid UTF-8 `text` that has at most `limit_octets` and ends with a whole
/// character.
[[nodiscard]] std::string cut_utf8(std::string text, std::size_t limit_octets);

} // namespace anyvip::bgp::wire
