// SPDX-License-Identifier: Apache-2.0
// A TOML document as plain values that know where they stand in the file. Keeps the heavy TOML
// header out of everything but toml.cpp.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace anyvip::cmd {

/// Counted from 1, columns in characters.
struct Position {
    std::uint32_t line = 1;
    std::uint32_t column = 1;
};

struct Value;
struct Entry;

struct Table {
    std::vector<Entry> entries; ///< keys are unique

    /// nullptr when there is none; lives as long as this table.
    [[nodiscard]] const Value* find(std::string_view key) const;
};

using Array = std::vector<Value>;

/// No configuration key wants a date; its presence is all that matters.
struct Date {};

struct Value {
    Position where;
    std::variant<bool, std::int64_t, double, std::string, Date, Array, Table> data;

    template <typename T> [[nodiscard]] const T* as() const { return std::get_if<T>(&data); }
};

struct Entry {
    std::string key;
    Position where; ///< of the key
    Value value;
};

/// "a boolean", "an integer"… for messages.
[[nodiscard]] std::string_view kind_of(const Value& value);

} // namespace anyvip::cmd
