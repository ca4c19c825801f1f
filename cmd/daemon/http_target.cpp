// SPDX-License-Identifier: Apache-2.0
// The request target of HTTP: path, query, percent-encoding.
#include <charconv>

#include "cmd/daemon/http_message.hpp"

namespace anyvip::cmd {

std::string percent_decode(std::string_view text) {
    std::string decoded;
    decoded.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        unsigned value = 0;
        if (text[i] == '%' && i + 2 < text.size()) {
            const char* first = text.data() + i + 1;
            if (std::from_chars(first, first + 2, value, 16).ptr == first + 2) {
                decoded += static_cast<char>(value);
                i += 2;
                continue;
            }
        }
        decoded += text[i];
    }
    return decoded;
}

void parse_target(std::string_view target, HttpRequest& request) {
    const std::size_t question = target.find('?');
    request.path = percent_decode(target.substr(0, question));
    if (question == std::string_view::npos) {
        return;
    }
    std::string_view rest = target.substr(question + 1);
    while (!rest.empty()) {
        const std::string_view pair = rest.substr(0, rest.find('&'));
        rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
        const std::size_t equals = pair.find('=');
        const std::string_view value =
            equals == std::string_view::npos ? std::string_view{} : pair.substr(equals + 1);
        request.query[percent_decode(pair.substr(0, equals))] = percent_decode(value);
    }
}

} // namespace anyvip::cmd
