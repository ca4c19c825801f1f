// SPDX-License-Identifier: Apache-2.0
// Reads the keys of one table into fields, reports what is wrong with each, and in the end every
// key that nobody asked for.
#pragma once

#include <expected>
#include <functional>
#include <initializer_list>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cmd/config/config.hpp"
#include "cmd/config/value.hpp"

namespace anyvip::cmd {

/// What a whole reading has in common.
struct ReadContext {
    const Host& host;
    std::vector<Problem> problems;
    std::set<std::string> known_keys; ///< "section.key", all that were ever asked for

    void report(Position where, std::string message) {
        problems.push_back(
            {.line = where.line, .column = where.column, .message = std::move(message)});
    }
};

/// A converted value, or what is wrong with it ("must be …").
template <typename T> using Converted = std::expected<T, std::string>;

/// A table together with the [defaults.*] table that stands in for keys it lacks. Both must outlive
/// the reader.
class TableReader {
  public:
    /// `section` as the file writes it: "[[peer]]". `where` is blamed for missing keys; `inherited`
    /// may be nullptr.
    TableReader(ReadContext& context,
                std::string section,
                Position where,
                const Table& own,
                const Table* inherited = nullptr);

    /// The value of a key, own or inherited, nullptr when absent. The key counts as known.
    [[nodiscard]] const Value* find(std::string_view key);
    /// True when the table itself has the key.
    [[nodiscard]] bool has_own(std::string_view key) const;
    /// Keys of which only one may be given: an own one hides the inherited others. Two own ones are
    /// a problem.
    void exclusive(std::initializer_list<std::string_view> keys);

    /// Converts the value into `out`, which keeps its default when the key is absent or wrong.
    /// True when it was set.
    template <typename T, typename Convert>
    bool read(std::string_view key, T& out, Convert&& convert) {
        const Value* value = find(key);
        if (value == nullptr) {
            return false;
        }
        auto converted = convert(*value);
        if (!converted) {
            report(value->where, key, converted.error());
            return false;
        }
        out = std::move(*converted);
        return true;
    }

    /// As `read`, but an absent key is a problem.
    template <typename T, typename Convert>
    bool require(std::string_view key, T& out, Convert&& convert) {
        if (find(key) == nullptr) {
            context_.report(where_, section_ + " needs the key \"" + std::string(key) + '"');
            return false;
        }
        return read(key, out, std::forward<Convert>(convert));
    }

    /// An array with each element converted on its own, so that every wrong one is reported.
    template <typename T, typename Convert>
    void read_list(std::string_view key, std::vector<T>& out, Convert&& convert) {
        const Value* value = find(key);
        if (value == nullptr) {
            return;
        }
        out.clear();
        for (const Value* element : elements(key, *value)) {
            if (auto converted = convert(*element)) {
                out.push_back(std::move(*converted));
            } else {
                report(element->where, key, converted.error());
            }
        }
    }

    /// `KEY MESSAGE` at a value.
    void report(Position where, std::string_view key, std::string_view message);
    /// The same at the value of the key, or at the table when it has none.
    void report(std::string_view key, std::string_view message);

    /// What to say of an unknown key, "" for the usual.
    using Explain = std::function<std::string(const std::string& key)>;

    /// Reports every own key that was never asked for, with the nearest one that was.
    void finish(const Explain& explain = {});

    [[nodiscard]] ReadContext& context() { return context_; }

    [[nodiscard]] Position where() const { return where_; }

  private:
    /// The elements of an array; reports any other kind and returns none.
    [[nodiscard]] std::vector<const Value*> elements(std::string_view key, const Value& value);

    ReadContext& context_;
    std::string section_;
    Position where_;
    const Table& own_;
    const Table* inherited_;
    std::vector<std::string> known_;
    std::set<std::string, std::less<>> hidden_; ///< inherited keys that do not count
};

} // namespace anyvip::cmd
