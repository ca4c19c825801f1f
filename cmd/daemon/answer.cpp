// SPDX-License-Identifier: Apache-2.0
#include "cmd/daemon/answer.hpp"

#include <algorithm>
#include <array>

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

Resource resource_at(std::string_view path) {
    constexpr std::array<std::string_view, 10> views{"/v1/status",
                                                     "/v1/vips",
                                                     "/v1/peers",
                                                     "/v1/checks",
                                                     "/v1/routes",
                                                     "/v1/flows",
                                                     "/v1/events",
                                                     "/v1/doctor",
                                                     "/v1/version",
                                                     "/metrics"};
    constexpr std::array<std::string_view, 4> named_views{"vips", "peers", "checks", "explain"};
    constexpr std::array<std::string_view, 3> changes{"/v1/drain", "/v1/undrain", "/v1/reload"};
    const auto named = split_named(path);
    if (std::ranges::find(views, path) != views.end() ||
        (named && named->verb.empty() &&
         std::ranges::find(named_views, named->kind) != named_views.end())) {
        return Resource::View;
    }
    const bool is_named_change = named && ((named->kind == "peers" && named->verb == "reset") ||
                                           (named->kind == "checks" && named->verb == "run"));
    return is_named_change || std::ranges::find(changes, path) != changes.end() ? Resource::Change
                                                                                : Resource::None;
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
