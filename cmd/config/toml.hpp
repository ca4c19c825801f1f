// SPDX-License-Identifier: Apache-2.0
// TOML text to values.
#pragma once

#include <expected>
#include <string_view>

#include "cmd/config/config.hpp"
#include "cmd/config/value.hpp"

namespace anyvip::cmd {

/// The document, or the first syntax error in it.
[[nodiscard]] std::expected<Table, Problem> read_toml(std::string_view text);

} // namespace anyvip::cmd
