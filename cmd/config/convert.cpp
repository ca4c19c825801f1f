// SPDX-License-Identifier: Apache-2.0
// Converters of single values.
#include "cmd/config/convert.hpp"

#include <array>
#include <charconv>
#include <cmath>

namespace anyvip::cmd {

namespace {

struct BitUnit {
    std::string_view name;
    double bits;
};

constexpr std::array<BitUnit, 5> bit_units{
    {{"Tbit", 1e12}, {"Gbit", 1e9}, {"Mbit", 1e6}, {"kbit", 1e3}, {"bit", 1}}};

[[nodiscard]] bool is_space_or_control(char c) {
    return static_cast<unsigned char>(c) <= ' ' || c == '\x7f';
}

[[nodiscard]] std::string quoted(std::string_view text) {
    return '"' + std::string(text) + '"';
}

} // namespace

std::string wrong_kind(std::string_view wanted, const Value& value) {
    return "must be " + std::string(wanted) + ", not " + std::string(kind_of(value));
}

Converted<bool> to_bool(const Value& value) {
    if (const bool* boolean = value.as<bool>()) {
        return *boolean;
    }
    return std::unexpected(wrong_kind("true or false", value));
}

Converted<std::string> to_text(const Value& value) {
    if (const std::string* text = value.as<std::string>()) {
        return *text;
    }
    return std::unexpected(wrong_kind("a string", value));
}

Converted<std::string> to_nonempty_text(const Value& value) {
    auto text = to_text(value);
    if (text && text->empty()) {
        return std::unexpected("must not be empty");
    }
    return text;
}

Converted<std::string> to_path_or_empty(const Value& value) {
    auto text = to_text(value);
    if (text && !text->empty() && text->front() != '/') {
        return std::unexpected(quoted(*text) + " must be an absolute path");
    }
    if (text && text->find('\0') != std::string::npos) {
        return std::unexpected("must not contain a zero byte");
    }
    return text;
}

Converted<std::string> to_path(const Value& value) {
    auto text = to_path_or_empty(value);
    if (text && text->empty()) {
        return std::unexpected("must not be empty");
    }
    return text;
}

Converted<std::string> to_name(const Value& value) {
    auto text = to_nonempty_text(value);
    if (text &&
        (text->find('/') != std::string::npos || std::ranges::any_of(*text, is_space_or_control))) {
        return std::unexpected("must not contain white space, control characters or a slash");
    }
    return text;
}

Converted<std::string> to_interface(const Value& value) {
    constexpr std::size_t longest = 15;
    auto text = to_name(value);
    if (text && text->size() > longest) {
        return std::unexpected(quoted(*text) + " is longer than an interface name can be (15)");
    }
    return text;
}

std::optional<HostAndPort> split_host_and_port(std::string_view text) {
    HostAndPort result;
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) {
        return std::nullopt;
    }
    std::string_view host = text.substr(0, colon);
    const std::string_view port = text.substr(colon + 1);
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), result.port);
    if (error != std::errc() || end != port.data() + port.size() || result.port == 0) {
        return std::nullopt;
    }
    if (host.starts_with('[') && host.ends_with(']')) {
        host = host.substr(1, host.size() - 2);
        result.is_bracketed = true;
    } else if (host.find(':') != std::string_view::npos) {
        return std::nullopt;
    }
    if (host.empty() || std::ranges::any_of(host, is_space_or_control)) {
        return std::nullopt;
    }
    result.host = host;
    return result;
}

Converted<std::string> to_host_and_port(const Value& value) {
    auto text = to_text(value);
    if (!text) {
        return text;
    }
    const auto parts = split_host_and_port(*text);
    // A bracketed host is IPv6 text, or the word that stands for an address.
    if (!parts || (parts->is_bracketed && parts->host != "{vip}" &&
                   !IpAddress::parse(parts->host.substr(0, parts->host.find('%'))))) {
        return std::unexpected(
            quoted(*text) + R"( must be an address and a port, as "127.0.0.1:80" or "[::1]:80")");
    }
    return text;
}

Converted<double> to_bandwidth(const Value& value) {
    const std::string* text = value.as<std::string>();
    const std::string wanted = R"(must be a bandwidth with a unit, such as "10Gbit" or "2500Mbit")";
    if (text == nullptr) {
        return std::unexpected(wanted + ", not " + std::string(kind_of(value)));
    }
    double number = 0;
    const auto [end, error] = std::from_chars(
        text->data(), text->data() + text->size(), number, std::chars_format::fixed);
    const std::string_view unit(end, text->data() + text->size());
    const auto found = std::ranges::find(bit_units, unit, &BitUnit::name);
    if (error != std::errc() || found == bit_units.end()) {
        return std::unexpected(wanted + ", not " + quoted(*text));
    }
    const double bits = std::round(number * found->bits);
    if (!(bits >= 8 && bits <= 1e18)) {
        return std::unexpected(quoted(*text) + " is out of range");
    }
    return bits;
}

std::string format_bandwidth(double bits_per_second) {
    const auto exact = [&](const BitUnit& unit) {
        return std::fmod(bits_per_second, unit.bits) == 0 && bits_per_second >= unit.bits;
    };
    const auto unit = std::ranges::find_if(bit_units, exact);
    const BitUnit chosen = unit == bit_units.end() ? bit_units.back() : *unit;
    return std::to_string(std::llround(bits_per_second / chosen.bits)) + std::string(chosen.name);
}

Converted<IpAddress> to_unicast(const Value& value) {
    const auto text = to_text(value);
    if (!text) {
        return std::unexpected(text.error());
    }
    const auto address = IpAddress::parse(*text);
    if (!address) {
        return std::unexpected(address.error());
    }
    if (address->is_unspecified() || address->is_multicast() || address->is_class_e() ||
        address->is_v4_mapped()) {
        return std::unexpected(quoted(*text) + " is no unicast address");
    }
    return *address;
}

Converted<std::optional<IpAddress>> to_optional_unicast(const Value& value,
                                                        std::optional<Family> family) {
    const auto address = OrEmpty{to_unicast}(value);
    if (address && *address && family && (*address)->family() != *family) {
        return std::unexpected("must be an " +
                               std::string(*family == Family::Ipv4 ? "IPv4" : "IPv6") +
                               " address, not " + quoted(to_string(**address)));
    }
    return address;
}

} // namespace anyvip::cmd
