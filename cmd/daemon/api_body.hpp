// SPDX-License-Identifier: Apache-2.0
// The JSON bodies of POST requests. Unknown fields and wrong types are refused by name.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "vip/drain.hpp"

namespace anyvip::cmd {

struct DrainBody {
    vip::DrainRequest request;
    bool is_waiting = false;
};

struct ReloadBody {
    bool is_dry_run = false;
    bool is_upgrade = false;
};

/// An empty body is `{}`. The error is one line for the client.
[[nodiscard]] std::expected<DrainBody, std::string> parse_drain(std::string_view body);
[[nodiscard]] std::expected<vip::UndrainRequest, std::string> parse_undrain(std::string_view body);
[[nodiscard]] std::expected<ReloadBody, std::string> parse_reload(std::string_view body);
/// True: soft.
[[nodiscard]] std::expected<bool, std::string> parse_reset(std::string_view body);

} // namespace anyvip::cmd
