// SPDX-License-Identifier: Apache-2.0
// The parts of an http or https URL that a check needs.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "health/endpoint.hpp"

namespace anyvip::health {

struct Url {
    bool is_https = false;
    HostPort address;
    std::string authority; ///< as written: what goes into Host
    std::string path;      ///< with the query; at least "/"
};

/// The error says what is wrong. User names in URLs are refused: they would end up in logs.
[[nodiscard]] std::expected<Url, std::string> parse_url(std::string_view text);

} // namespace anyvip::health
