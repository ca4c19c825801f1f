// SPDX-License-Identifier: Apache-2.0
#include "cmd/daemon/json_values.hpp"

#include <utility>

namespace anyvip::cmd {

namespace json = boost::json;

json::value null_or(std::string text) {
    return text.empty() ? json::value(nullptr) : json::value(std::move(text));
}

json::array to_array(const std::vector<std::string>& texts) {
    json::array array;
    for (const std::string& text : texts) {
        array.emplace_back(text);
    }
    return array;
}

double milliseconds(Duration duration) {
    return std::chrono::duration<double, std::milli>(duration).count();
}

} // namespace anyvip::cmd
