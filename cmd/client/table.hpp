// SPDX-License-Identifier: Apache-2.0
// Text for people: aligned columns, colour where it is wanted, no control character from outside.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace anyvip::client {

enum class Colour : std::uint8_t { None, Good, Warning, Bad, Faint };

/// How the output looks.
struct Style {
    bool has_colour = false;
};

/// Whatever lets a service that is checked steer the operator's terminal, or reorder a line,
/// becomes a space.
[[nodiscard]] std::string printable(std::string_view text);

/// Number of characters of UTF-8 text.
[[nodiscard]] std::size_t width_of(std::string_view text);

[[nodiscard]] std::string paint(std::string_view text, Colour colour, Style style);

struct Cell {
    std::string text;
    Colour colour = Colour::None;
};

/// Left-aligned columns two spaces apart; the last one is not padded.
class TextTable {
  public:
    explicit TextTable(std::vector<std::string> header) : header_(std::move(header)) {}

    void add(std::vector<Cell> row) { rows_.push_back(std::move(row)); }

    [[nodiscard]] bool is_empty() const { return rows_.empty(); }

    /// In characters.
    [[nodiscard]] std::size_t width() const;
    [[nodiscard]] std::string render(Style style) const;

  private:
    [[nodiscard]] std::vector<std::size_t> column_widths() const;

    std::vector<std::string> header_;
    std::vector<std::vector<Cell>> rows_;
};

} // namespace anyvip::client
