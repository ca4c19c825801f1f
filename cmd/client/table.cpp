// SPDX-License-Identifier: Apache-2.0
// Widths, padding, colours.
#include "cmd/client/table.hpp"

#include <algorithm>
#include <cstdint>
#include <numeric>

#include "bgp/wire/printable.hpp"

namespace anyvip::client {

namespace {

constexpr std::size_t gap = 2;

[[nodiscard]] std::string_view escape_of(Colour colour) {
    switch (colour) {
    case Colour::None:
        return "";
    case Colour::Good:
        return "\x1b[32m";
    case Colour::Warning:
        return "\x1b[33m";
    case Colour::Bad:
        return "\x1b[31m";
    case Colour::Faint:
        return "\x1b[2m";
    }
    return "";
}

} // namespace

std::string printable(std::string_view text) {
    const auto* octets = reinterpret_cast<const std::uint8_t*>(text.data());
    return bgp::wire::printable({octets, text.size()});
}

std::size_t width_of(std::string_view text) {
    return static_cast<std::size_t>(std::ranges::count_if(
        text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

std::string paint(std::string_view text, Colour colour, Style style) {
    if (!style.has_colour || colour == Colour::None) {
        return std::string(text);
    }
    return std::string(escape_of(colour)) + std::string(text) + "\x1b[0m";
}

std::vector<std::size_t> TextTable::column_widths() const {
    std::vector<std::size_t> widths;
    for (std::size_t column = 0; column < header_.size(); ++column) {
        std::size_t widest = width_of(header_[column]);
        for (const auto& row : rows_) {
            widest = std::max(widest, column < row.size() ? width_of(row[column].text) : 0);
        }
        widths.push_back(widest);
    }
    return widths;
}

std::size_t TextTable::width() const {
    const auto widths = column_widths();
    return std::accumulate(
        widths.begin(), widths.end(), gap * (std::max<std::size_t>(widths.size(), 1) - 1));
}

std::string TextTable::render(Style style) const {
    const auto widths = column_widths();
    std::string out;
    const auto line = [&](const std::vector<Cell>& row) {
        for (std::size_t column = 0; column < row.size(); ++column) {
            out += paint(row[column].text, row[column].colour, style);
            if (column + 1 < row.size()) {
                out.append(widths[column] - width_of(row[column].text) + gap, ' ');
            }
        }
        out += '\n';
    };
    std::vector<Cell> header;
    for (const std::string& name : header_) {
        header.push_back({.text = name, .colour = Colour::Faint});
    }
    line(header);
    for (const auto& row : rows_) {
        line(row);
    }
    return out;
}

} // namespace anyvip::client
