// SPDX-License-Identifier: Apache-2.0
// Values as the API writes them.
#pragma once

#include <string>
#include <vector>

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

#include "bgp/types.hpp"

namespace anyvip::cmd {

/// An empty text is null.
[[nodiscard]] boost::json::value null_or(std::string text);

[[nodiscard]] boost::json::array to_array(const std::vector<std::string>& texts);

[[nodiscard]] double milliseconds(Duration duration);

} // namespace anyvip::cmd
