// SPDX-License-Identifier: Apache-2.0
// Any JSON document as indented text, so that a field the daemon adds is shown without a new
// command.
#include <algorithm>

#include "cmd/client/fields.hpp"
#include "cmd/client/view.hpp"

namespace anyvip::client {

namespace {

namespace json = boost::json;

constexpr std::size_t widest_table = 120;

[[nodiscard]] bool is_nested(const json::value& value) {
    if (const json::array* array = value.if_array()) {
        return std::ranges::any_of(*array, [](const json::value& e) { return e.is_object(); });
    }
    return value.is_object() && !value.get_object().empty();
}

[[nodiscard]] std::string indented(const std::string& lines, std::size_t columns) {
    std::string out;
    bool is_at_start = true;
    for (const char c : lines) {
        if (is_at_start && c != '\n') {
            out.append(columns, ' ');
        }
        out += c;
        is_at_start = c == '\n';
    }
    return out;
}

[[nodiscard]] std::string show_object(const json::object& object, const Canvas& canvas);

/// A table of the objects, or one block each when the table would be too wide.
[[nodiscard]] std::string show_objects(const json::array& array, const Canvas& canvas) {
    std::vector<std::string> keys;
    for (const json::value& element : array) {
        for (const auto& [key, value] : *element.if_object()) {
            if (std::ranges::find(keys, std::string_view(key)) == keys.end()) {
                keys.emplace_back(key);
            }
        }
    }
    TextTable table([&] {
        std::vector<std::string> header;
        for (const std::string& key : keys) {
            header.push_back(printable(key));
        }
        return header;
    }());
    std::string blocks;
    for (const json::value& element : array) {
        std::vector<Cell> row;
        for (const std::string& key : keys) {
            row.push_back({.text = text(element, key)});
        }
        table.add(std::move(row));
        blocks += (blocks.empty() ? "" : "\n") + show_object(*element.if_object(), canvas);
    }
    return table.width() <= widest_table ? table.render(canvas.style) : blocks;
}

std::string show_object(const json::object& object, const Canvas& canvas) {
    std::size_t widest = 0;
    for (const auto& [key, value] : object) {
        widest = std::max(widest, is_nested(value) ? 0 : width_of(key));
    }
    std::string out;
    for (const auto& [key, value] : object) {
        const std::string name = printable(key);
        if (!is_nested(value)) {
            const std::string shown = text(value);
            const Colour colour = key == "state" ? colour_of_state(shown) : Colour::None;
            out += name + ": " + std::string(widest - std::min(widest, width_of(name)), ' ') +
                   paint(shown, colour, canvas.style) + '\n';
        } else {
            out += name + ":\n" + indented(show_details(value, canvas), 2);
        }
    }
    return out;
}

} // namespace

std::string show_details(const json::value& document, const Canvas& canvas) {
    if (const json::object* object = document.if_object()) {
        return show_object(*object, canvas);
    }
    const json::array& array = elements(document);
    const auto is_object = [](const json::value& element) { return element.is_object(); };
    if (!array.empty() && std::ranges::all_of(array, is_object)) {
        return show_objects(array, canvas);
    }
    return text(document) + '\n';
}

} // namespace anyvip::client
