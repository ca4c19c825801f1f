// SPDX-License-Identifier: Apache-2.0
// From a TOML value to a typed one. Each converter is a function object that returns the value or
// the end of a sentence that begins with the key: `must be an integer, not a string`.
#pragma once

#include <algorithm>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bgp/ip.hpp"
#include "cmd/config/table_reader.hpp"
#include "cmd/units/duration.hpp"

namespace anyvip::cmd {

[[nodiscard]] Converted<bool> to_bool(const Value& value);
[[nodiscard]] Converted<std::string> to_text(const Value& value);
/// A string that is not empty.
[[nodiscard]] Converted<std::string> to_nonempty_text(const Value& value);
/// Empty, or a path from the root.
[[nodiscard]] Converted<std::string> to_path_or_empty(const Value& value);
[[nodiscard]] Converted<std::string> to_path(const Value& value);
/// A name of a peer, check or VIP: no white space, no control character, no slash.
[[nodiscard]] Converted<std::string> to_name(const Value& value);
/// The name of a network interface, at most 15 characters (IFNAMSIZ).
[[nodiscard]] Converted<std::string> to_interface(const Value& value);
/// "HOST:PORT" with IPv6 in brackets.
[[nodiscard]] Converted<std::string> to_host_and_port(const Value& value);
/// "10Gbit" to bits a second.
[[nodiscard]] Converted<double> to_bandwidth(const Value& value);
/// An IPv4 or IPv6 address that a host can have as a unicast address.
[[nodiscard]] Converted<IpAddress> to_unicast(const Value& value);
/// The same, "" giving nothing; with a family, one of it.
[[nodiscard]] Converted<std::optional<IpAddress>>
to_optional_unicast(const Value& value, std::optional<Family> family = std::nullopt);
/// The inverse of `to_bandwidth`, exact for whole numbers of bits.
[[nodiscard]] std::string format_bandwidth(double bits_per_second);

/// "a host:port pair" apart: the host without brackets, and the port. Nothing when malformed.
struct HostAndPort {
    std::string host;
    std::uint16_t port = 0;
    bool is_bracketed = false;
};

[[nodiscard]] std::optional<HostAndPort> split_host_and_port(std::string_view text);

/// `must be WANTED, not a KIND`
[[nodiscard]] std::string wrong_kind(std::string_view wanted, const Value& value);

/// An integer within limits.
template <std::unsigned_integral T> struct Integer {
    T least = 0;
    T most = std::numeric_limits<T>::max();

    [[nodiscard]] Converted<T> operator()(const Value& value) const {
        const std::int64_t* number = value.as<std::int64_t>();
        if (number == nullptr) {
            return std::unexpected(wrong_kind("an integer", value));
        }
        if (*number < std::int64_t{least} || *number > std::int64_t{most}) {
            return std::unexpected("must be between " + std::to_string(least) + " and " +
                                   std::to_string(most) + ", not " + std::to_string(*number));
        }
        return static_cast<T>(*number);
    }
};

/// A duration in whole `Unit`s, at least `least`.
template <typename Unit = std::chrono::milliseconds> struct DurationOf {
    Unit least{0};

    [[nodiscard]] Converted<Unit> operator()(const Value& value) const {
        const std::string* text = value.as<std::string>();
        if (text == nullptr) {
            return std::unexpected(
                value.as<std::int64_t>() != nullptr || value.as<double>() != nullptr
                    ? R"(is a bare number; write a duration with a unit, such as "300ms" or "3s")"
                    : wrong_kind(R"(a duration such as "300ms" or "3s")", value));
        }
        const auto parsed = parse_duration(*text);
        if (!parsed) {
            return std::unexpected(parsed.error());
        }
        const Unit whole = std::chrono::floor<Unit>(*parsed);
        if (whole != *parsed) {
            return std::unexpected(
                "\"" + *text + "\" is too fine; whole " +
                (std::is_same_v<Unit, std::chrono::seconds> ? "seconds" : "milliseconds") +
                " are possible");
        }
        if (whole < least) {
            return std::unexpected("must be at least \"" + format_duration(least) + "\", not \"" +
                                   *text + '"');
        }
        return whole;
    }
};

/// "" gives nothing, everything else is for the inner converter.
template <typename Inner> struct OrEmpty {
    Inner inner;

    [[nodiscard]] auto operator()(const Value& value) const
        -> Converted<std::optional<typename decltype(inner(value))::value_type>> {
        const std::string* text = value.as<std::string>();
        if (text != nullptr && text->empty()) {
            return std::nullopt;
        }
        auto converted = inner(value);
        if (!converted) {
            return std::unexpected(std::move(converted.error()));
        }
        return std::move(*converted);
    }
};

template <typename Inner> OrEmpty(Inner) -> OrEmpty<Inner>;

/// One of a few words.
template <typename T> struct Choice {
    std::vector<std::pair<std::string_view, T>> words;

    [[nodiscard]] Converted<T> operator()(const Value& value) const {
        const std::string* text = value.as<std::string>();
        if (text != nullptr) {
            const auto found =
                std::ranges::find(words, *text, [](const auto& w) { return w.first; });
            if (found != words.end()) {
                return found->second;
            }
        }
        std::string list;
        for (const auto& [word, meaning] : words) {
            list += (list.empty() ? "\"" : ", \"") + std::string(word) + '"';
        }
        return std::unexpected("must be one of " + list + ", not " +
                               (text == nullptr ? std::string(kind_of(value)) : '"' + *text + '"'));
    }

    /// The word of a value; the first one when several mean the same.
    [[nodiscard]] std::string_view word(const T& meaning) const {
        const auto found =
            std::ranges::find(words, meaning, [](const auto& w) { return w.second; });
        return found == words.end() ? std::string_view() : found->first;
    }
};

} // namespace anyvip::cmd
