// SPDX-License-Identifier: Apache-2.0
#include "cmd/daemon/status_page.hpp"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <string_view>

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "cmd/daemon/wall_time.hpp"

namespace anyvip::cmd {
namespace {

namespace json = boost::json;

constexpr std::string_view head = R"(<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1"><meta http-equiv="refresh" content="5">
<title>anyvip</title><style>
:root{color-scheme:light dark}body{font:15px/1.45 system-ui,sans-serif;margin:0 auto;max-width:60rem;padding:1rem}
h1{font-size:1.3rem;margin:.2rem 0}h2{font-size:1.05rem;margin:1.4rem 0 .3rem}.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .7rem .3rem 0;border-bottom:1px solid #8884;vertical-align:top}
th{font-weight:600;opacity:.7}.ok{color:#15803d}.warn{color:#b45309}.bad{color:#b91c1c}
@media(prefers-color-scheme:dark){.ok{color:#4ade80}.warn{color:#fbbf24}.bad{color:#f87171}}
</style></head><body>)";

std::string escape(std::string_view text) {
    std::string safe;
    for (const char character : text) {
        switch (character) {
        case '&':
            safe += "&amp;";
            break;
        case '<':
            safe += "&lt;";
            break;
        case '>':
            safe += "&gt;";
            break;
        case '"':
            safe += "&quot;";
            break;
        default:
            safe += character;
        }
    }
    return safe;
}

std::string text_of(const json::value& value) {
    if (value.is_string()) {
        return std::string(value.as_string());
    }
    if (value.is_null()) {
        return "–";
    }
    if (value.is_array()) {
        std::string joined;
        for (const json::value& element : value.as_array()) {
            joined += (joined.empty() ? "" : ", ") + text_of(element);
        }
        return joined.empty() ? "–" : joined;
    }
    return json::serialize(value);
}

std::string text_at(const json::object& object, std::string_view key) {
    const json::value* value = object.if_contains(key);
    return value == nullptr ? "–" : text_of(*value);
}

std::string_view colour(std::string_view state) {
    static constexpr std::array<std::string_view, 4> good{
        "announced", "up", "Established", "running"};
    static constexpr std::array<std::string_view, 3> bad{"withdrawn", "down", "Idle"};
    if (std::ranges::find(good, state) != good.end()) {
        return "ok";
    }
    return std::ranges::find(bad, state) != bad.end() ? "bad" : "warn";
}

void add_row(std::string& page, std::initializer_list<std::string> cells, std::string_view state) {
    page += "<tr>";
    for (const std::string& cell : cells) {
        if (cell == state) {
            page += "<td class=\"" + std::string(colour(state)) + "\">" + escape(cell) + "</td>";
        } else {
            page += "<td>" + escape(cell) + "</td>";
        }
    }
    page += "</tr>";
}

void begin_table(std::string& page,
                 std::string_view title,
                 std::initializer_list<std::string_view> columns) {
    page += "<h2>" + std::string(title) + "</h2><div class=\"wide\"><table><tr>";
    for (const std::string_view column : columns) {
        page += "<th>" + std::string(column) + "</th>";
    }
    page += "</tr>";
}

void end_table(std::string& page) {
    page += "</table></div>";
}

void add_vips(std::string& page, const json::array& vips) {
    begin_table(page, "VIPs", {"Name", "State", "Addresses", "Announced to", "Flows", "Why"});
    for (const json::value& element : vips) {
        const json::object& vip = element.as_object();
        std::string addresses;
        for (const json::value& address : vip.at("addresses").as_array()) {
            addresses += (addresses.empty() ? "" : ", ") + text_at(address.as_object(), "prefix");
        }
        const std::string state = text_at(vip, "state");
        add_row(page,
                {text_at(vip, "name"),
                 state,
                 addresses,
                 text_at(vip, "announced_to"),
                 text_at(vip, "flows"),
                 text_at(vip, "reason")},
                state);
    }
    end_table(page);
}

void add_peers(std::string& page, const json::array& peers) {
    begin_table(
        page, "Peers", {"Name", "State", "Address", "ASN", "Advertised", "Resets", "Last error"});
    for (const json::value& element : peers) {
        const json::object& peer = element.as_object();
        const json::value& error = peer.at("last_error");
        const std::string state = text_at(peer, "state");
        add_row(page,
                {text_at(peer, "name"),
                 state,
                 text_at(peer, "address"),
                 text_at(peer, "asn"),
                 text_at(peer, "advertised"),
                 text_at(peer, "resets"),
                 error.is_object() ? text_at(error.as_object(), "name") + " " +
                                         text_at(error.as_object(), "message")
                                   : "–"},
                state);
    }
    end_table(page);
}

void add_checks(std::string& page, const json::array& checks) {
    begin_table(page, "Checks", {"Name", "State", "Type", "Weight", "Last result"});
    for (const json::value& element : checks) {
        const json::object& check = element.as_object();
        const json::value& last = check.at("last");
        const std::string state = text_at(check, "state");
        add_row(page,
                {text_at(check, "name"),
                 state,
                 text_at(check, "type"),
                 text_at(check, "weight"),
                 last.is_object() ? text_at(last.as_object(), "detail") : "–"},
                state);
    }
    end_table(page);
}

void add_events(std::string& page, const EventLog& events) {
    constexpr std::size_t shown = 20;
    begin_table(page, "Recent events", {"Time", "Event", "Name", "Reason"});
    const auto& all = events.all();
    for (std::size_t i = 0; i < std::min(shown, all.size()); ++i) {
        const LoggedEvent& event = all[all.size() - 1 - i];
        add_row(page, {to_rfc3339(event.at), event.event, event.name, event.reason}, {});
    }
    end_table(page);
}

} // namespace

std::string status_page(const json::object& status, const EventLog& events) {
    const json::object& node = status.at("node").as_object();
    const std::string state = text_at(node, "state");
    std::string page(head);
    page += "<h1>" + escape(text_at(node, "name")) + " <span class=\"" +
            std::string(colour(state)) + "\">" + escape(state) + "</span></h1><p>AS " +
            escape(text_at(node, "asn")) + ", router ID " + escape(text_at(node, "router_id")) +
            ", anyvip " + escape(text_at(node, "version")) + "</p>";
    add_vips(page, status.at("vips").as_array());
    add_peers(page, status.at("peers").as_array());
    add_checks(page, status.at("checks").as_array());
    add_events(page, events);
    page += "</body></html>\n";
    return page;
}

} // namespace anyvip::cmd
