// SPDX-License-Identifier: Apache-2.0
// The only user of toml++: its header, its types and its exceptions end here.
#include "cmd/config/toml.hpp"

// What it asserts is not always true of bad input ("[=]" for one), and what comes next says so as
// an error: it must neither end the program nor, without assertions, be assumed by the optimizer.
#undef NDEBUG
#define TOML_ASSERT(expr) static_assert(true)
#include <toml++/toml.h>

namespace anyvip::cmd {

namespace {

[[nodiscard]] Table to_table(const toml::table& source);

[[nodiscard]] Position position_of(const toml::source_region& region) {
    return {.line = region.begin.line, .column = region.begin.column};
}

[[nodiscard]] Value to_value(const toml::node& source) {
    Value value{.where = position_of(source.source()), .data = Date{}};
    if (const auto* text = source.as_string()) {
        value.data = text->get();
    } else if (const auto* integer = source.as_integer()) {
        value.data = integer->get();
    } else if (const auto* boolean = source.as_boolean()) {
        value.data = boolean->get();
    } else if (const auto* fraction = source.as_floating_point()) {
        value.data = fraction->get();
    } else if (const auto* table = source.as_table()) {
        value.data = to_table(*table);
    } else if (const auto* array = source.as_array()) {
        Array elements;
        elements.reserve(array->size());
        for (const toml::node& element : *array) {
            elements.push_back(to_value(element));
        }
        value.data = std::move(elements);
    }
    return value;
}

Table to_table(const toml::table& source) {
    Table table;
    table.entries.reserve(source.size());
    for (auto&& [key, node] : source) {
        table.entries.push_back({.key = std::string(key.str()),
                                 .where = position_of(key.source()),
                                 .value = to_value(node)});
    }
    return table;
}

} // namespace

std::expected<Table, Problem> read_toml(std::string_view text) {
    try {
        return to_table(toml::parse(text));
    } catch (const toml::parse_error& error) {
        const Position where = position_of(error.source());
        return std::unexpected(Problem{.line = where.line,
                                       .column = where.column,
                                       .message = std::string(error.description())});
    }
}

} // namespace anyvip::cmd
