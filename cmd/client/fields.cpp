// SPDX-License-Identifier: Apache-2.0
// Reads that answer "-" where there is nothing to read.
#include "cmd/client/fields.hpp"

#include <charconv>

namespace anyvip::client {

namespace {

namespace json = boost::json;

[[nodiscard]] std::string number(double value) {
    std::array<char, 32> buffer;
    const auto [end, error] = std::to_chars(
        buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::general, 6);
    return error == std::errc() ? std::string(buffer.data(), end) : std::string("-");
}

} // namespace

const json::value& member(const json::value& document, std::string_view key) {
    static const json::value none;
    const json::object* object = document.if_object();
    const json::value* found = object == nullptr ? nullptr : object->if_contains(key);
    return found == nullptr ? none : *found;
}

const json::array& elements(const json::value& value) {
    static const json::array none;
    const json::array* array = value.if_array();
    return array == nullptr ? none : *array;
}

const json::array& list(const json::value& document, std::string_view key) {
    return elements(document.is_array() ? document : member(document, key));
}

std::string text(const json::value& value) {
    switch (value.kind()) {
    case json::kind::null:
        return "-";
    case json::kind::bool_:
        return value.get_bool() ? "yes" : "no";
    case json::kind::int64:
        return std::to_string(value.get_int64());
    case json::kind::uint64:
        return std::to_string(value.get_uint64());
    case json::kind::double_:
        return number(value.get_double());
    case json::kind::string:
        return value.get_string().empty() ? "-" : printable(value.get_string());
    case json::kind::array: {
        std::string joined;
        for (const json::value& element : value.get_array()) {
            joined += (joined.empty() ? "" : ", ") + text(element);
        }
        return joined.empty() ? "-" : joined;
    }
    case json::kind::object: {
        std::string joined;
        for (const auto& [key, element] : value.get_object()) {
            joined += (joined.empty() ? "" : " ") + printable(key) + '=' + text(element);
        }
        return joined.empty() ? "-" : joined;
    }
    }
    return "-";
}

Colour colour_of_state(std::string_view state) {
    if (state == "announced" || state == "up" || state == "Established" || state == "running" ||
        state == "pass") {
        return Colour::Good;
    }
    if (state == "withdrawn" || state == "down" || state == "Idle" || state == "fail" ||
        state == "timeout" || state == "error") {
        return Colour::Bad;
    }
    if (state == "drained" || state == "-" || state == "off") {
        return Colour::Faint;
    }
    return Colour::Warning;
}

} // namespace anyvip::client
