// SPDX-License-Identifier: Apache-2.0
// Writes TOML, one `key = value` a line. By hand, because a formatter that sorts the keys would
// tear apart what belongs together.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cmd/units/duration.hpp"

namespace anyvip::cmd {

/// A TOML basic string with its quotes.
[[nodiscard]] std::string quote_toml(std::string_view text);

class DumpWriter {
  public:
    /// "[node]" or "[[peer]]", after an empty line.
    void table(std::string_view header);
    void raw(std::string_view key, std::string_view value);
    /// One line.
    void comment(std::string_view text);

    void text(std::string_view key, std::string_view value) { raw(key, quote_toml(value)); }

    void boolean(std::string_view key, bool value) { raw(key, value ? "true" : "false"); }

    void number(std::string_view key, std::uint64_t value) { raw(key, std::to_string(value)); }

    /// Nothing when there is none: the key has no value that means so.
    void optional_number(std::string_view key, std::optional<std::uint32_t> value) {
        if (value) {
            number(key, *value);
        }
    }

    void duration(std::string_view key, std::chrono::microseconds value) {
        text(key, format_duration(value));
    }

    void optional_duration(std::string_view key, std::optional<std::chrono::milliseconds> value) {
        text(key, value ? format_duration(*value) : std::string());
    }

    void texts(std::string_view key, const std::vector<std::string>& values);
    void text_table(std::string_view key, const std::map<std::string, std::string>& values);

    [[nodiscard]] std::string take() { return std::move(out_); }

  private:
    std::string out_;
};

} // namespace anyvip::cmd
