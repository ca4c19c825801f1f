// SPDX-License-Identifier: Apache-2.0
// Look-ups in TOML values.
#include "cmd/config/value.hpp"

#include <algorithm>
#include <array>

namespace anyvip::cmd {

const Value* Table::find(std::string_view key) const {
    const auto found = std::ranges::find(entries, key, &Entry::key);
    return found == entries.end() ? nullptr : &found->value;
}

std::string_view kind_of(const Value& value) {
    constexpr std::array<std::string_view, 7> names{
        "a boolean", "an integer", "a fraction", "a string", "a date", "an array", "a table"};
    return names.at(value.data.index());
}

} // namespace anyvip::cmd
