// SPDX-License-Identifier: Apache-2.0
// Which known word somebody may have meant.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace anyvip::cmd {

/// Number of single-character insertions, deletions, replacements and swaps of neighbours that turn
/// one word into the other. O(a·b).
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b);

/// The known word at the least distance, the first of several; empty when none is known.
[[nodiscard]] std::string_view nearest(std::string_view word, std::span<const std::string> known);

/// `; did you mean "WORD"?`, for the end of a message; empty when none is known.
[[nodiscard]] std::string suggestion(std::string_view word, std::span<const std::string> known);

} // namespace anyvip::cmd
