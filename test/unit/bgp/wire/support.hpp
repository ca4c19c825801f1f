// SPDX-License-Identifier: Apache-2.0
// Annotated hex and short texts of results, for tables of octets and messages.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bgp/wire/error.hpp"
#include "bgp/wire/update.hpp"

namespace anyvip::bgp::wire::test {

using Octets = std::vector<std::uint8_t>;

/// Pairs of hex digits; "16*ff" repeats; "#" begins a remark up to the end of the line.
inline Octets hex(std::string_view text) {
    Octets octets;
    std::size_t repeat = 1;
    const auto is_end = [](char c) { return c == ' ' || c == '\n' || c == '#'; };
    while (!text.empty()) {
        if (text.front() == '#') {
            text.remove_prefix(std::min(text.find('\n'), text.size()));
        } else if (is_end(text.front())) {
            text.remove_prefix(1);
        } else {
            std::size_t size = 0;
            while (size < text.size() && !is_end(text[size]) && text[size] != '*') {
                ++size;
            }
            const std::string word(text.substr(0, size));
            text.remove_prefix(size);
            if (!text.empty() && text.front() == '*') {
                repeat = std::stoul(word);
                text.remove_prefix(1);
                continue;
            }
            REQUIRE_MESSAGE(word.size() % 2 == 0, word);
            for (; repeat > 0; --repeat) {
                for (std::size_t i = 0; i < word.size(); i += 2) {
                    octets.push_back(
                        static_cast<std::uint8_t>(std::stoul(word.substr(i, 2), nullptr, 16)));
                }
            }
            repeat = 1;
        }
    }
    return octets;
}

inline std::string to_hex(std::span<const std::uint8_t> octets) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (const std::uint8_t octet : octets) {
        text += digits[octet >> 4];
        text += digits[octet & 0xF];
    }
    return text;
}

/// The fields of an UPDATE in hex; their lengths are added.
struct UpdateText {
    std::string_view withdrawn{};
    std::string_view attributes{};
    std::string_view nlri{};
};

inline Octets update_body(const UpdateText& text) {
    Octets body;
    const auto append_sized = [&body](const Octets& field) {
        body.push_back(static_cast<std::uint8_t>(field.size() >> 8));
        body.push_back(static_cast<std::uint8_t>(field.size()));
        body.insert(body.end(), field.begin(), field.end());
    };
    append_sized(hex(text.withdrawn));
    append_sized(hex(text.attributes));
    const Octets nlri = hex(text.nlri);
    body.insert(body.end(), nlri.begin(), nlri.end());
    return body;
}

inline std::span<const std::uint8_t> body_of(std::span<const std::uint8_t> message) {
    return message.subspan(19);
}

inline std::string to_text(Severity severity) {
    switch (severity) {
    case Severity::None:
        return "none";
    case Severity::Discard:
        return "discard";
    case Severity::TreatAsWithdraw:
        return "treat-as-withdraw";
    case Severity::AfiSafiDisable:
        return "afi-safi-disable";
    case Severity::Reset:
        return "reset";
    }
    return "?";
}

/// "3/4 reset attribute-flags 400101"
inline std::string to_text(const Error& error) {
    return std::to_string(error.code) + "/" + std::to_string(error.subcode) + " " +
           to_text(error.severity) + " " + std::string(error.rule) + " " + to_hex(error.data);
}

/// "10.0.0.0/8 2001:db8::/32", path identifiers as "ID@"
inline std::string to_text(NlriRange range) {
    std::string text;
    while (const auto nlri = range.pop_front()) {
        text += text.empty() ? "" : " ";
        text += nlri->path_id == 0 ? "" : std::to_string(nlri->path_id) + "@";
        text += anyvip::to_string(nlri->prefix);
    }
    return text;
}

inline IpAddress address(std::string_view text) {
    return IpAddress::parse(text).value();
}

inline Prefix prefix(std::string_view text) {
    return Prefix::parse(text).value();
}

/// An external dual-stack session with four-octet AS numbers: we are AS 65010, the peer 65001.
inline DecodeContext external_session() {
    DecodeContext context;
    context.local_asn = Asn{65010};
    context.peer_asn = Asn{65001};
    context.families = {true, true};
    return context;
}

inline DecodeContext internal_session() {
    DecodeContext context = external_session();
    context.peer_asn = context.local_asn;
    context.is_internal = true;
    return context;
}

} // namespace anyvip::bgp::wire::test
