// SPDX-License-Identifier: Apache-2.0
#include "cmd/daemon/answer.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

namespace anyvip::cmd {

namespace json = boost::json;

void reply(const Responder& responder, const json::value& document, unsigned status) {
    responder->send(status, "application/json", json::serialize(document) + "\n");
}

void fail(const Responder& responder, unsigned status, std::string_view error) {
    reply(responder, json::object{{"error", error}}, status);
}

std::optional<NamedPath> split_named(std::string_view path) {
    if (!path.starts_with("/v1/")) {
        return std::nullopt;
    }
    path.remove_prefix(4);
    const std::size_t first = path.find('/');
    if (first == std::string_view::npos) {
        return std::nullopt;
    }
    const std::size_t second = path.find('/', first + 1);
    NamedPath named{
        path.substr(0, first), std::string(path.substr(first + 1, second - first - 1)), {}};
    if (second != std::string_view::npos) {
        named.verb = path.substr(second + 1);
    }
    return named;
}

} // namespace anyvip::cmd
