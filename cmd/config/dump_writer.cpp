// SPDX-License-Identifier: Apache-2.0
// TOML strings, arrays and inline tables.
#include "cmd/config/dump_writer.hpp"

namespace anyvip::cmd {

std::string quote_toml(std::string_view text) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string quoted = "\"";
    for (const char c : text) {
        const auto octet = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            quoted += '\\';
            quoted += c;
        } else if (octet < 0x20 || octet == 0x7f) {
            quoted += "\\u00";
            quoted += digits[octet >> 4U];
            quoted += digits[octet & 15U];
        } else {
            quoted += c;
        }
    }
    return quoted + '"';
}

void DumpWriter::table(std::string_view header) {
    if (!out_.empty()) {
        out_ += '\n';
    }
    out_ += header;
    out_ += '\n';
}

void DumpWriter::comment(std::string_view text) {
    out_ += "# ";
    out_ += text;
    out_ += '\n';
}

void DumpWriter::raw(std::string_view key, std::string_view value) {
    out_ += key;
    out_ += " = ";
    out_ += value;
    out_ += '\n';
}

void DumpWriter::texts(std::string_view key, const std::vector<std::string>& values) {
    std::string list;
    for (const std::string& value : values) {
        list += (list.empty() ? "" : ", ") + quote_toml(value);
    }
    raw(key, '[' + list + ']');
}

void DumpWriter::text_table(std::string_view key,
                            const std::map<std::string, std::string>& values) {
    std::string list;
    for (const auto& [name, value] : values) {
        list += (list.empty() ? " " : ", ") + quote_toml(name) + " = " + quote_toml(value);
    }
    raw(key, list.empty() ? "{}" : '{' + list + " }");
}

} // namespace anyvip::cmd
