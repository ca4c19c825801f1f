// SPDX-License-Identifier: Apache-2.0
#include "cmd/daemon/status_page.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "cmd/daemon/wall_time.hpp"

namespace anyvip::cmd {
namespace {

namespace json = boost::json;

// On a phone each row becomes a block: name and state on its first line, the reason on its last.
constexpr std::string_view head = R"(<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1"><meta http-equiv="refresh" content="5">
<title>anyvip</title><style>
:root{color-scheme:light dark}body{font:15px/1.45 system-ui,sans-serif;margin:0 auto;max-width:75rem;padding:1rem}
h1{font-size:1.3rem;margin:.2rem 0}h2{font-size:1.05rem;margin:1.4rem 0 .3rem}p{margin:.3rem 0}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .9rem .3rem 0;border-bottom:1px solid #8884;vertical-align:top}
td:first-child,td:nth-child(2){white-space:nowrap}td:last-child{width:40%;overflow-wrap:anywhere}
th{font-weight:600;opacity:.7}.ok{color:#15803d}.warn{color:#b45309}.bad{color:#b91c1c}
@media(prefers-color-scheme:dark){.ok{color:#4ade80}.warn{color:#fbbf24}.bad{color:#f87171}}
@media(max-width:45rem){tr{display:flex;flex-wrap:wrap;gap:0 .8rem;padding:.4rem 0;border-bottom:1px solid #8884}
tr:first-child{display:none}td{border:0;padding:0}td:first-child{font-weight:600}td:last-child{width:100%}
td:nth-child(n+3):not(:last-child)::before{content:attr(data-c) " ";opacity:.6}}
</style></head><body>)";

// More rows than this help nobody who looks at a page.
constexpr std::size_t most_rows = 500;

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

class Table {
  public:
    Table(std::string_view title, std::vector<std::string_view> columns)
        : title_(title), columns_(std::move(columns)) {}

    [[nodiscard]] std::string begin() const {
        std::string text = "<h2>" + std::string(title_) + "</h2><table><tr>";
        for (const std::string_view column : columns_) {
            text += "<th>" + std::string(column) + "</th>";
        }
        return text + "</tr>";
    }

    /// `state`, where it stands in a cell, has its colour.
    [[nodiscard]] std::string row(const std::vector<std::string>& cells,
                                  std::string_view state) const {
        std::string text = "<tr>";
        for (std::size_t i = 0; i < cells.size(); ++i) {
            text += "<td data-c=\"" + std::string(columns_.at(i)) + "\"";
            if (cells[i] == state) {
                text += " class=\"" + std::string(colour(state)) + "\"";
            }
            text += ">" + escape(cells[i]) + "</td>";
        }
        return text + "</tr>";
    }

    [[nodiscard]] static std::string end(std::size_t rows) {
        return rows > most_rows ? "</table><p>and " + std::to_string(rows - most_rows) + " more</p>"
                                : "</table>";
    }

  private:
    std::string_view title_;
    std::vector<std::string_view> columns_;
};

using Row = std::function<std::string(const Table&, std::size_t index)>;

void append(Pieces& page, Table table, std::size_t rows, Row row) {
    page.text(table.begin())
        .each(std::min(rows, most_rows),
              [table = std::move(table), row = std::move(row)](
                  std::size_t index, std::string& out) { out += row(table, index); })
        .text(Table::end(rows));
}

std::string vip_row(const Table& table, const json::object& vip) {
    std::string addresses;
    for (const json::value& address : vip.at("addresses").as_array()) {
        addresses += (addresses.empty() ? "" : ", ") + text_at(address.as_object(), "prefix");
    }
    const std::string state = text_at(vip, "state");
    return table.row({text_at(vip, "name"),
                      state,
                      addresses,
                      text_at(vip, "announced_to"),
                      text_at(vip, "flows"),
                      text_at(vip, "reason")},
                     state);
}

std::string peer_row(const Table& table, const json::object& peer) {
    const json::value& error = peer.at("last_error");
    const std::string state = text_at(peer, "state");
    return table.row({text_at(peer, "name"),
                      state + (peer.at("drained").as_bool() ? ", drained" : ""),
                      text_at(peer, "address"),
                      text_at(peer, "asn"),
                      text_at(peer, "bfd"),
                      text_at(peer, "advertised"),
                      text_at(peer, "resets"),
                      error.is_object() ? text_at(error.as_object(), "name") + " " +
                                              text_at(error.as_object(), "message")
                                        : "–"},
                     state);
}

std::string check_row(const Table& table, const json::object& check) {
    const json::value& last = check.at("last");
    const std::string state = text_at(check, "state");
    return table.row({text_at(check, "name"),
                      state,
                      text_at(check, "type"),
                      text_at(check, "weight"),
                      last.is_object() ? text_at(last.as_object(), "detail") : "–"},
                     state);
}

void append_events(Pieces& page, const EventLog& events) {
    constexpr std::size_t shown = 20;
    const Table table("Recent events", {"Time", "Event", "Name", "Reason"});
    const auto& all = events.all();
    const std::size_t rows = std::min(shown, all.size());
    page.text(table.begin());
    for (std::size_t i = 0; i < rows; ++i) {
        const LoggedEvent& event = all[all.size() - 1 - i];
        std::string at = to_rfc3339(event.at); // 2026-01-02T03:04:05.678Z
        at = at.substr(0, 10) + " " + at.substr(11, 8);
        page.text(table.row({at, event.event, event.name, event.reason}, {}));
    }
    page.text(Table::end(rows));
}

} // namespace

Pieces status_page(Agent& agent, const ProcessFacts& facts, const EventLog& events) {
    const json::object node = node_document(agent, facts);
    const std::string state = text_at(node, "state");
    Pieces page;
    page.text(head).text("<h1>" + escape(text_at(node, "name")) + " <span class=\"" +
                         std::string(colour(state)) + "\">" + escape(state) + "</span></h1><p>AS " +
                         escape(text_at(node, "asn")) + ", router ID " +
                         escape(text_at(node, "router_id")) + ", anyvip " +
                         escape(text_at(node, "version")) + "</p>");
    append(page,
           {"VIPs", {"Name", "State", "Addresses", "Announced to", "Flows", "Why"}},
           agent.vip_count(),
           [&agent](const Table& table, std::size_t index) {
               return vip_row(table, vip_summary(agent.vip_at(index)));
           });
    append(
        page,
        {"Peers", {"Name", "State", "Address", "ASN", "BFD", "Advertised", "Resets", "Last error"}},
        agent.peer_names().size(),
        [&agent](const Table& table, std::size_t index) {
            const bgp::Peer* peer = agent.find_peer(agent.peer_names().at(index));
            return peer == nullptr ? "" : peer_row(table, peer_summary(agent, *peer));
        });
    append(page,
           {"Checks", {"Name", "State", "Type", "Weight", "Last result"}},
           agent.config().checks.size(),
           [&agent](const Table& table, std::size_t index) {
               std::string rows;
               for (const CheckView& view : agent.checks_at(index)) {
                   rows += check_row(table, check_summary(view));
               }
               return rows;
           });
    append_events(page, events);
    page.text("</body></html>\n");
    return page;
}

} // namespace anyvip::cmd
