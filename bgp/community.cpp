// SPDX-License-Identifier: Apache-2.0
// Communities of all three sizes: their text, as the configuration and the tables spell it, and
// the link bandwidth community.
#include <array>
#include <bit>
#include <charconv>
#include <optional>
#include <vector>

#include "bgp/types.hpp"

namespace anyvip::bgp {

namespace {

struct WellKnown {
    std::string_view name;
    Community community;
};

constexpr std::array well_known{
    WellKnown{"no-export", no_export},
    WellKnown{"no-advertise", no_advertise},
    WellKnown{"graceful-shutdown", graceful_shutdown},
};

// Extended communities, first octet: RFC 4360 §3.1, §3.2 and RFC 5668 §2; second octet: §4, §5.
constexpr std::uint8_t two_octet_as = 0x00;
constexpr std::uint8_t ipv4_address = 0x01;
constexpr std::uint8_t four_octet_as = 0x02;
constexpr std::uint8_t non_transitive = 0x40;
constexpr std::uint8_t route_target = 0x02;
constexpr std::uint8_t route_origin = 0x03;
constexpr std::uint8_t bandwidth = 0x04; // RFC 10005

template <class... Text>
std::unexpected<std::string> wrong(std::string_view what, const Text&... why) {
    std::string message = "\"" + std::string(what) + "\": ";
    (message.append(why), ...);
    return std::unexpected(std::move(message));
}

std::optional<std::uint32_t> parse_number(std::string_view text, std::uint32_t max) {
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size() || value > max) {
        return std::nullopt;
    }
    return value;
}

std::vector<std::string_view> split(std::string_view text) {
    std::vector<std::string_view> parts;
    for (;;) {
        const std::size_t colon = text.find(':');
        parts.push_back(text.substr(0, colon));
        if (colon == std::string_view::npos) {
            return parts;
        }
        text.remove_prefix(colon + 1);
    }
}

std::string pair_text(std::string_view kind, std::string_view a, std::uint32_t b) {
    return std::string(kind) + std::string(a) + ":" + std::to_string(b);
}

std::string hexadecimal(std::uint64_t value) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text = "0x";
    for (int shift = 60; shift >= 0; shift -= 4) {
        text += digits[(value >> shift) & 0xF];
    }
    return text;
}

std::string bandwidth_text(std::uint64_t value) {
    const auto bytes_per_second = std::bit_cast<float>(static_cast<std::uint32_t>(value));
    std::array<char, 64> buffer{}; // the greatest float has 39 digits
    const auto end = std::to_chars(buffer.data(),
                                   buffer.data() + buffer.size(),
                                   bytes_per_second,
                                   std::chars_format::fixed,
                                   0)
                         .ptr;
    return "bandwidth:" + std::to_string((value >> 32) & 0xFFFF) + ":" +
           std::string(buffer.data(), end);
}

} // namespace

std::string to_string(Community community) {
    for (const WellKnown& known : well_known) {
        if (known.community == community) {
            return std::string(known.name);
        }
    }
    return pair_text("", std::to_string(community.value >> 16), community.value & 0xFFFF);
}

std::string to_string(LargeCommunity community) {
    return std::to_string(community.global) + ":" + std::to_string(community.local1) + ":" +
           std::to_string(community.local2);
}

std::string to_string(ExtendedCommunity community) {
    const std::uint64_t value = community.value;
    const auto type = static_cast<std::uint8_t>(value >> 56);
    const auto subtype = static_cast<std::uint8_t>(value >> 48);
    if (subtype == bandwidth && (type == two_octet_as || type == (two_octet_as | non_transitive))) {
        return bandwidth_text(value);
    }
    if (subtype != route_target && subtype != route_origin) {
        return hexadecimal(value);
    }
    const std::string_view kind = subtype == route_target ? "rt:" : "so:";
    const auto low16 = static_cast<std::uint32_t>(value & 0xFFFF);
    switch (type) {
    case two_octet_as:
        return pair_text(
            kind, std::to_string((value >> 32) & 0xFFFF), static_cast<std::uint32_t>(value));
    case ipv4_address:
        return pair_text(
            kind, anyvip::to_string(IpAddress::v4(static_cast<std::uint32_t>(value >> 16))), low16);
    case four_octet_as:
        return pair_text(kind, std::to_string((value >> 16) & 0xFFFFFFFF), low16);
    default:
        return hexadecimal(value);
    }
}

std::expected<Community, std::string> parse_community(std::string_view text) {
    for (const WellKnown& known : well_known) {
        if (known.name == text) {
            return known.community;
        }
    }
    const auto parts = split(text);
    if (parts.size() != 2) {
        return wrong(text, "a community is \"A:B\" or a well-known name such as \"no-export\"");
    }
    const auto high = parse_number(parts[0], 0xFFFF);
    const auto low = parse_number(parts[1], 0xFFFF);
    if (!high || !low) {
        return wrong(text, "both numbers of a community must be 0 to 65535");
    }
    return Community{(*high << 16) | *low};
}

std::expected<LargeCommunity, std::string> parse_large_community(std::string_view text) {
    const auto parts = split(text);
    if (parts.size() != 3) {
        return wrong(text, "a large community is \"A:B:C\"");
    }
    const auto global = parse_number(parts[0], 0xFFFFFFFF);
    const auto local1 = parse_number(parts[1], 0xFFFFFFFF);
    const auto local2 = parse_number(parts[2], 0xFFFFFFFF);
    if (!global || !local1 || !local2) {
        return wrong(text, "the numbers of a large community must be 0 to 4294967295");
    }
    return LargeCommunity{*global, *local1, *local2};
}

std::expected<ExtendedCommunity, std::string> parse_extended_community(std::string_view text) {
    const auto parts = split(text);
    if (parts.size() != 3 || (parts[0] != "rt" && parts[0] != "so")) {
        return wrong(text, "an extended community is \"rt:A:B\" or \"so:A:B\"");
    }
    const std::uint64_t subtype = parts[0] == "rt" ? route_target : route_origin;
    const auto assemble = [subtype](std::uint64_t type, std::uint64_t six_octets) {
        return ExtendedCommunity{(type << 56) | (subtype << 48) | six_octets};
    };

    std::uint8_t type = four_octet_as;
    std::uint32_t administrator = 0;
    if (parts[1].find('.') != std::string_view::npos) {
        const auto address = IpAddress::parse(parts[1]);
        if (!address) {
            return wrong(text, address.error());
        }
        type = ipv4_address;
        administrator = address->to_v4();
    } else {
        const auto asn = parse_number(parts[1], 0xFFFFFFFF);
        if (!asn) {
            return wrong(text, "A must be an AS number or an IPv4 address");
        }
        type = *asn <= 0xFFFF ? two_octet_as : four_octet_as;
        administrator = *asn;
    }
    const std::uint32_t max = type == two_octet_as ? 0xFFFFFFFF : 0xFFFF;
    const auto number = parse_number(parts[2], max);
    if (!number) {
        return wrong(text, "B must be 0 to ", std::to_string(max), " with this A");
    }
    const int shift = type == two_octet_as ? 32 : 16;
    return assemble(type, (std::uint64_t{administrator} << shift) | *number);
}

ExtendedCommunity link_bandwidth(Asn local, float bytes_per_second) {
    const Asn as16 = local.value > 0xFFFF ? as_trans : local;
    return ExtendedCommunity{(std::uint64_t{bandwidth} << 48) | (std::uint64_t{as16.value} << 32) |
                             std::bit_cast<std::uint32_t>(bytes_per_second)};
}

} // namespace anyvip::bgp
