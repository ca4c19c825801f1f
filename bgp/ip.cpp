// SPDX-License-Identifier: Apache-2.0
// Text and predicates of addresses and prefixes. Written here because the core knows no sockets
// and must accept and print exactly one form everywhere.
#include "bgp/ip.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

namespace anyvip {

namespace {

using Octets = std::array<std::uint8_t, 16>;

std::unexpected<std::string> not_an_address(std::string_view text) {
    return std::unexpected("\"" + std::string(text) + "\" is not an IPv4 or IPv6 address");
}

/// A whole number in `text` and nothing else, not above `max`; no sign, no leading zeros.
std::optional<std::uint32_t> parse_decimal(std::string_view text, std::uint32_t max) {
    if (text.empty() || text.size() > 10 || (text.size() > 1 && text.front() == '0')) {
        return std::nullopt;
    }
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || value > max) {
        return std::nullopt;
    }
    return value;
}

std::optional<std::uint32_t> parse_dotted_quad(std::string_view text) {
    std::uint32_t value = 0;
    for (int part = 0; part < 4; ++part) {
        const std::size_t dot = text.find('.');
        if ((dot == std::string_view::npos) != (part == 3)) {
            return std::nullopt;
        }
        const auto octet = parse_decimal(text.substr(0, dot), 255);
        if (!octet) {
            return std::nullopt;
        }
        value = (value << 8) | *octet;
        text.remove_prefix(dot == std::string_view::npos ? text.size() : dot + 1);
    }
    return value;
}

/// Groups of hexadecimal digits separated by single colons, the last one possibly a dotted quad.
/// Appends to `octets` from `size` on; false when malformed or too long.
bool parse_groups(std::string_view text, Octets& octets, std::size_t& size) {
    while (!text.empty()) {
        const std::size_t colon = text.find(':');
        const std::string_view group = text.substr(0, colon);
        if (colon == std::string_view::npos && group.find('.') != std::string_view::npos) {
            const auto quad = parse_dotted_quad(group);
            if (!quad || size + 4 > octets.size()) {
                return false;
            }
            for (int shift = 24; shift >= 0; shift -= 8) {
                octets[size++] = static_cast<std::uint8_t>(*quad >> shift);
            }
            return true;
        }
        std::uint16_t value = 0;
        const auto [end, error] =
            std::from_chars(group.data(), group.data() + group.size(), value, 16);
        if (group.empty() || group.size() > 4 || error != std::errc{} ||
            end != group.data() + group.size() || size + 2 > octets.size()) {
            return false;
        }
        octets[size++] = static_cast<std::uint8_t>(value >> 8);
        octets[size++] = static_cast<std::uint8_t>(value);
        if (colon == std::string_view::npos) {
            return true;
        }
        text.remove_prefix(colon + 1);
        if (text.empty()) {
            return false; // a single colon at the end
        }
    }
    return true;
}

std::optional<Octets> parse_v6(std::string_view text) {
    Octets octets{};
    std::size_t size = 0;
    const std::size_t gap = text.find("::");
    if (gap == std::string_view::npos) {
        const bool complete = parse_groups(text, octets, size) && size == octets.size();
        return complete ? std::optional(octets) : std::nullopt;
    }
    const std::string_view head = text.substr(0, gap);
    Octets tail{};
    std::size_t tail_size = 0;
    // A dotted quad may only end the address, so not in front of the gap.
    if (head.find('.') != std::string_view::npos || !parse_groups(head, octets, size) ||
        !parse_groups(text.substr(gap + 2), tail, tail_size) || size + tail_size > 14) {
        return std::nullopt;
    }
    const auto used = tail.begin() + static_cast<std::ptrdiff_t>(tail_size);
    std::copy_backward(tail.begin(), used, octets.end());
    return octets;
}

void append_decimal(std::string& text, std::uint32_t value) {
    text += std::to_string(value);
}

void append_dotted_quad(std::string& text, std::span<const std::uint8_t> octets) {
    for (std::size_t i = 0; i < 4; ++i) {
        if (i != 0) {
            text += '.';
        }
        append_decimal(text, octets[i]);
    }
}

/// RFC 5952 §4: lower case, no leading zeros, the longest run of at least two zero groups (the
/// first of equals) shortened; §5: IPv4-mapped addresses with a dotted quad.
std::string v6_text(const IpAddress& address) {
    const auto octets = address.octets();
    if (address.is_v4_mapped()) {
        std::string text = "::ffff:";
        append_dotted_quad(text, octets.subspan(12));
        return text;
    }
    std::array<unsigned, 8> groups{};
    for (std::size_t i = 0; i < groups.size(); ++i) {
        groups[i] = static_cast<unsigned>(octets[2 * i] << 8 | octets[2 * i + 1]);
    }
    std::size_t gap = groups.size();
    std::size_t gap_size = 1;
    for (std::size_t i = 0; i < groups.size();) {
        std::size_t end = i;
        while (end < groups.size() && groups[end] == 0) {
            ++end;
        }
        if (end - i > gap_size) {
            gap = i;
            gap_size = end - i;
        }
        i = end + 1;
    }
    std::string text;
    for (std::size_t i = 0; i < groups.size(); ++i) {
        if (i == gap) {
            text += "::";
            i += gap_size - 1;
            continue;
        }
        if (!text.empty() && text.back() != ':') {
            text += ':';
        }
        std::array<char, 4> digits{};
        const auto end = std::to_chars(digits.data(), digits.data() + 4, groups[i], 16).ptr;
        text.append(digits.data(), end);
    }
    return text;
}

} // namespace

std::string_view to_string(Family family) {
    return family == Family::Ipv4 ? "ipv4" : "ipv6";
}

IpAddress IpAddress::from_octets(std::span<const std::uint8_t> octets) {
    IpAddress address;
    if (octets.size() != 4 && octets.size() != 16) {
        return address;
    }
    address.family_ = octets.size() == 4 ? Family::Ipv4 : Family::Ipv6;
    std::ranges::copy(octets, address.octets_.begin());
    return address;
}

std::expected<IpAddress, std::string> IpAddress::parse(std::string_view text) {
    if (text.find(':') == std::string_view::npos) {
        const auto quad = parse_dotted_quad(text);
        return quad ? std::expected<IpAddress, std::string>(v4(*quad)) : not_an_address(text);
    }
    if (text.find('%') != std::string_view::npos) {
        return std::unexpected("\"" + std::string(text) + "\": no interface is allowed here");
    }
    const auto octets = parse_v6(text);
    return octets ? std::expected<IpAddress, std::string>(v6(*octets)) : not_an_address(text);
}

std::uint32_t IpAddress::to_v4() const {
    if (is_v6()) {
        return 0;
    }
    std::uint32_t value = 0;
    for (const std::uint8_t octet : octets()) {
        value = (value << 8) | octet;
    }
    return value;
}

bool IpAddress::is_unspecified() const {
    return std::ranges::all_of(octets_, [](std::uint8_t octet) { return octet == 0; });
}

bool IpAddress::is_loopback() const {
    if (is_v4()) {
        return octets_[0] == 127;
    }
    return octets_[15] == 1 &&
           std::all_of(octets_.begin(), octets_.end() - 1, [](std::uint8_t o) { return o == 0; });
}

bool IpAddress::is_multicast() const {
    return is_v4() ? (octets_[0] & 0xF0) == 0xE0 : octets_[0] == 0xFF;
}

bool IpAddress::is_link_local() const {
    return is_v4() ? octets_[0] == 169 && octets_[1] == 254
                   : octets_[0] == 0xFE && (octets_[1] & 0xC0) == 0x80;
}

bool IpAddress::is_v4_mapped() const {
    return is_v6() && octets_[10] == 0xFF && octets_[11] == 0xFF &&
           std::all_of(
               octets_.begin(), octets_.begin() + 10, [](std::uint8_t o) { return o == 0; });
}

bool IpAddress::is_class_e() const {
    return is_v4() && octets_[0] >= 240;
}

std::string to_string(const IpAddress& address) {
    if (address.is_v6()) {
        return v6_text(address);
    }
    std::string text;
    append_dotted_quad(text, address.octets());
    return text;
}

Prefix Prefix::of(const IpAddress& address, std::uint8_t length_bits) {
    Prefix prefix;
    prefix.length_bits_ = std::min(length_bits, host_length(address.family()));
    const auto from = address.octets();
    Octets octets{};
    const std::size_t whole = prefix.length_bits_ / 8U;
    std::copy_n(from.begin(), whole, octets.begin());
    if (const unsigned bits = prefix.length_bits_ % 8U; bits != 0) {
        octets[whole] = static_cast<std::uint8_t>(from[whole] & (0xFF00U >> bits));
    }
    prefix.address_ = IpAddress::from_octets(std::span(octets).first(from.size()));
    return prefix;
}

Prefix Prefix::host(const IpAddress& address) {
    return of(address, host_length(address.family()));
}

std::expected<Prefix, std::string> Prefix::parse(std::string_view text) {
    const std::size_t slash = text.find('/');
    const auto address = IpAddress::parse(text.substr(0, slash));
    if (!address) {
        return std::unexpected(address.error());
    }
    if (slash == std::string_view::npos) {
        return host(*address);
    }
    const auto length = parse_decimal(text.substr(slash + 1), host_length(address->family()));
    if (!length) {
        return std::unexpected("\"" + std::string(text) + "\": the prefix length must be 0 to " +
                               std::to_string(host_length(address->family())));
    }
    const Prefix prefix = of(*address, static_cast<std::uint8_t>(*length));
    if (prefix.address() != *address) {
        return std::unexpected("\"" + std::string(text) + "\" has host bits that are not zero; " +
                               to_string(prefix) + " is meant?");
    }
    return prefix;
}

bool Prefix::contains(const IpAddress& address) const {
    return address.family() == family() && of(address, length_bits_) == *this;
}

std::string to_string(const Prefix& prefix) {
    return to_string(prefix.address()) + "/" + std::to_string(prefix.length_bits());
}

} // namespace anyvip
