// SPDX-License-Identifier: Apache-2.0
// UTF-8 as RFC 3629 §4 defines it: no surrogates, no overlong forms, nothing above U+10FFFF.
#include "bgp/wire/printable.hpp"

#include <array>
#include <string_view>

namespace anyvip::bgp::wire {

namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD"; // U+FFFD

struct Character {
    std::uint32_t code_point = 0;
    std::size_t size_octets = 0; ///< 0: not UTF-8
};

/// `octets` is not empty.
Character first_character(std::span<const std::uint8_t> octets) {
    const std::uint8_t lead = octets.front();
    if (lead < 0x80) {
        return {lead, 1};
    }
    const std::size_t size = lead >= 0xF0 ? 4U : lead >= 0xE0 ? 3U : 2U;
    if (lead < 0xC0 || lead > 0xF4 || size > octets.size()) {
        return {};
    }
    std::uint32_t code_point = lead & (0x7FU >> size);
    for (const std::uint8_t octet : octets.subspan(1, size - 1)) {
        if ((octet & 0xC0) != 0x80) {
            return {};
        }
        code_point = (code_point << 6) | (octet & 0x3FU);
    }
    constexpr std::array<std::uint32_t, 5> least{0, 0, 0x80, 0x800, 0x10000};
    const bool is_surrogate = code_point >= 0xD800 && code_point <= 0xDFFF;
    if (code_point < least[size] || code_point > 0x10FFFF || is_surrogate) {
        return {};
    }
    return {code_point, size};
}

bool is_steering(std::uint32_t code_point) {
    return code_point < 0x20 || (code_point >= 0x7F && code_point < 0xA0) || // C0, DEL, C1
           (code_point >= 0x200E && code_point <= 0x200F) ||                 // direction marks
           (code_point >= 0x2028 && code_point <= 0x202E) || // line separators, overrides
           (code_point >= 0x2066 && code_point <= 0x2069);   // isolates
}

} // namespace

std::string printable(std::span<const std::uint8_t> octets) {
    std::string text;
    while (!octets.empty()) {
        const Character character = first_character(octets);
        if (character.size_octets == 0) {
            text += replacement;
            octets = octets.subspan(1);
            continue;
        }
        if (is_steering(character.code_point)) {
            text += ' ';
        } else {
            const auto valid = octets.first(character.size_octets);
            text.append(valid.begin(), valid.end());
        }
        octets = octets.subspan(character.size_octets);
    }
    return text;
}

std::string cut_utf8(std::string text, std::size_t limit_octets) {
    if (text.size() <= limit_octets) {
        return text;
    }
    std::size_t size = limit_octets;
    while (size > 0 && (static_cast<std::uint8_t>(text[size]) & 0xC0) == 0x80) {
        --size;
    }
    text.resize(size);
    return text;
}

} // namespace anyvip::bgp::wire
