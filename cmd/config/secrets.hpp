// SPDX-License-Identifier: Apache-2.0
// What in a configuration is nobody's business beside the keys that are secret by their nature:
// headers and environment variables of checks, by their names.
#pragma once

#include <string>
#include <string_view>

#include "cmd/agent/config.hpp"

namespace anyvip::cmd {

/// "Authorization", "X-Api-Key", "PGPASSWORD" and their like, in any case of letters.
[[nodiscard]] bool is_secret_name(std::string_view name);

/// Does one of its headers or variables have such a name?
[[nodiscard]] bool has_secret(const health::CheckConfig& check);

} // namespace anyvip::cmd
