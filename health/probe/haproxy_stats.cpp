// SPDX-License-Identifier: Apache-2.0
#include "health/probe/haproxy_stats.hpp"

#include <algorithm>
#include <vector>

namespace anyvip::health {

namespace {

constexpr std::string_view header_mark = "# ";

/// Proxy, server and status are names without commas or quotes in HAProxy.
std::vector<std::string_view> fields_of(std::string_view line) {
    std::vector<std::string_view> fields;
    while (true) {
        const auto comma = line.find(',');
        fields.push_back(line.substr(0, comma));
        if (comma == std::string_view::npos) {
            return fields;
        }
        line.remove_prefix(comma + 1);
    }
}

struct Columns {
    std::size_t proxy = 0;
    std::size_t server = 0;
    std::size_t status = 0;
};

std::optional<Columns> columns_of(std::string_view header) {
    if (!header.starts_with(header_mark)) {
        return std::nullopt;
    }
    const auto names = fields_of(header.substr(header_mark.size()));
    const auto at = [&](std::string_view name) {
        return static_cast<std::size_t>(std::ranges::find(names, name) - names.begin());
    };
    const Columns columns{.proxy = at("pxname"), .server = at("svname"), .status = at("status")};
    if (std::max({columns.proxy, columns.server, columns.status}) >= names.size()) {
        return std::nullopt;
    }
    return columns;
}

} // namespace

bool is_whole_haproxy_answer(std::string_view answer) {
    return answer.ends_with("\n\n");
}

std::optional<std::map<std::string, ServerCount, std::less<>>>
parse_haproxy_stats(std::string_view csv) {
    std::map<std::string, ServerCount, std::less<>> backends;
    const auto columns = columns_of(csv.substr(0, csv.find('\n')));
    if (!columns) {
        return std::nullopt;
    }
    while (csv.contains('\n')) {
        csv.remove_prefix(csv.find('\n') + 1);
        const auto fields = fields_of(csv.substr(0, csv.find('\n')));
        if (fields.size() <= std::max({columns->proxy, columns->server, columns->status})) {
            continue;
        }
        const std::string_view server = fields[columns->server];
        if (server == "FRONTEND" || server == "BACKEND") {
            continue;
        }
        ServerCount& count = backends[std::string(fields[columns->proxy])];
        const std::string_view status = fields[columns->status];
        ++count.all;
        count.up += status.starts_with("UP") || status == "no check" ? 1U : 0U;
    }
    return backends;
}

} // namespace anyvip::health
