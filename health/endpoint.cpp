// SPDX-License-Identifier: Apache-2.0
#include "health/endpoint.hpp"

#include <charconv>

namespace anyvip::health {

namespace {

constexpr std::string_view unix_scheme = "unix:";

std::unexpected<std::string> malformed(std::string_view text, std::string_view why) {
    return std::unexpected("target \"" + std::string(text) + "\": " + std::string(why));
}

} // namespace

std::expected<HostPort, std::string> parse_host_port(std::string_view text,
                                                     std::uint16_t default_port) {
    if (text.starts_with(unix_scheme)) {
        return HostPort{.host = {}, .unix_path = std::string(text.substr(unix_scheme.size()))};
    }
    std::string_view host = text;
    std::string_view port;
    if (text.starts_with('[')) {
        const auto end = text.find(']');
        if (end == std::string_view::npos) {
            return malformed(text, "] is missing");
        }
        host = text.substr(1, end - 1);
        port = text.substr(end + 1);
    } else if (const auto colon = text.rfind(':');
               colon != std::string_view::npos && text.find(':') == colon) {
        host = text.substr(0, colon);
        port = text.substr(colon);
    }
    if (host.empty()) {
        return malformed(text, "no host");
    }
    if (port.empty() && default_port != 0) {
        return HostPort{.host = std::string(host), .port = default_port};
    }
    std::uint16_t number = 0;
    const char* const last = port.data() + port.size();
    const bool is_port =
        port.starts_with(':') && std::from_chars(port.data() + 1, last, number).ptr == last;
    if (!is_port || number == 0) {
        return malformed(text, "no port");
    }
    return HostPort{.host = std::string(host), .port = number};
}

} // namespace anyvip::health
