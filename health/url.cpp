// SPDX-License-Identifier: Apache-2.0
#include "health/url.hpp"

#include <algorithm>

namespace anyvip::health {

std::expected<Url, std::string> parse_url(std::string_view text) {
    constexpr std::string_view http = "http://";
    constexpr std::string_view https = "https://";
    const std::string quoted = "url \"" + std::string(text) + "\": ";
    const bool is_https = text.starts_with(https);
    if (!is_https && !text.starts_with(http)) {
        return std::unexpected(quoted + "neither http:// nor https://");
    }
    const bool is_plain = std::ranges::all_of(
        text, [](unsigned char character) { return character > 0x20 && character < 0x7F; });
    if (!is_plain) {
        return std::unexpected(quoted + "blanks and other special characters must be %-encoded");
    }
    const std::string_view rest = text.substr(is_https ? https.size() : http.size());
    const auto path_at = rest.find_first_of("/?#");
    const std::string_view authority = rest.substr(0, path_at);
    std::string path(path_at == std::string_view::npos ? "" : rest.substr(path_at));
    path.resize(std::min(path.size(), path.find('#'))); // a fragment is never sent
    if (!path.starts_with('/')) {
        path.insert(0, "/");
    }
    if (authority.contains('@')) {
        return std::unexpected(quoted + "no user in a URL; use a header");
    }
    auto address = parse_host_port(authority, is_https ? 443 : 80);
    if (!address || !address->unix_path.empty()) {
        return std::unexpected(quoted + (address ? "no host" : address.error()));
    }
    return Url{.is_https = is_https,
               .address = std::move(*address),
               .authority = std::string(authority),
               .path = std::move(path)};
}

} // namespace anyvip::health
