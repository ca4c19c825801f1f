// SPDX-License-Identifier: Apache-2.0
// Tables of VIPs, peers, checks and routes, and the screen of `status`.
#include "cmd/client/view.hpp"

#include <array>
#include <charconv>

#include "cmd/client/fields.hpp"

namespace anyvip::client {

namespace {

namespace json = boost::json;

[[nodiscard]] std::string two_digits(long long number) {
    return (number < 10 ? "0" : "") + std::to_string(number);
}

[[nodiscard]] std::string span_text(long long seconds) {
    constexpr long long minute = 60;
    constexpr long long hour = 60 * minute;
    constexpr long long day = 24 * hour;
    if (seconds < minute) {
        return std::to_string(seconds) + 's';
    }
    if (seconds < hour) {
        return std::to_string(seconds / minute) + 'm' + two_digits(seconds % minute) + 's';
    }
    if (seconds < day) {
        return std::to_string(seconds / hour) + 'h' + two_digits(seconds % hour / minute) + 'm';
    }
    return std::to_string(seconds / day) + 'd' + two_digits(seconds % day / hour) + 'h';
}

/// The prefixes of host routes without their length.
[[nodiscard]] std::string address_text(const json::value& vip) {
    std::string joined;
    for (const json::value& entry : list(member(vip, "addresses"), "")) {
        std::string prefix = text(entry, "prefix");
        const bool is_host =
            prefix.ends_with(prefix.find(':') == std::string::npos ? "/32" : "/128");
        prefix.resize(is_host ? prefix.rfind('/') : prefix.size());
        joined += (joined.empty() ? "" : ", ") + prefix;
    }
    return joined.empty() ? "-" : joined;
}

[[nodiscard]] std::string last_error_text(const json::value& error) {
    if (!error.is_object()) {
        return text(error);
    }
    std::string line = member(error, "sent") == json::value(true) ? "sent " : "";
    line += text(error, "name");
    const std::string message = text(error, "message");
    return message == "-" ? line : line + ": " + message;
}

/// One that `drain --peer` has taken out of use keeps its session, so its state does not say so.
[[nodiscard]] Cell peer_state_cell(const json::value& peer) {
    Cell cell = state_cell(peer, "state");
    if (member(peer, "drained") == json::value(true)) {
        cell.text += ", drained";
        cell.colour = Colour::Warning;
    }
    return cell;
}

[[nodiscard]] std::string seconds_text(const json::value& value) {
    const double seconds = value.is_number() ? value.to_number<double>() : -1;
    return seconds < 0 ? "-" : span_text(static_cast<long long>(seconds));
}

} // namespace

std::string age(std::string_view rfc3339, WallTime now) {
    using namespace std::chrono;
    // "2026-01-02T03:04:05" with whatever fraction, in UTC as the daemon writes it.
    std::array<int, 6> part{};
    constexpr std::array<std::size_t, 6> at{0, 5, 8, 11, 14, 17};
    constexpr std::array<std::size_t, 6> length{4, 2, 2, 2, 2, 2};
    if (rfc3339.size() < 19) {
        return rfc3339.empty() ? "-" : std::string(rfc3339);
    }
    for (std::size_t i = 0; i < part.size(); ++i) {
        const char* first = rfc3339.data() + at.at(i);
        const char* last = first + length.at(i);
        if (std::from_chars(first, last, part.at(i)).ptr != last) {
            return std::string(rfc3339);
        }
    }
    const year_month_day date{
        year(part[0]), month(static_cast<unsigned>(part[1])), day(static_cast<unsigned>(part[2]))};
    if (!date.ok()) {
        return std::string(rfc3339);
    }
    const auto then = sys_days(date) + hours(part[3]) + minutes(part[4]) + seconds(part[5]);
    return span_text(std::max<long long>(0, duration_cast<seconds>(now - then).count()));
}

std::string show_vips(const json::value& vips, const Canvas& canvas) {
    TextTable table({"VIP", "STATE", "SINCE", "ADDRESSES", "ANNOUNCED TO", "FLOWS", "REASON"});
    for (const json::value& vip : list(vips, "vips")) {
        table.add({{text(vip, "name")},
                   state_cell(vip, "state"),
                   {age(text(vip, "since"), canvas.now)},
                   {address_text(vip)},
                   {text(vip, "announced_to")},
                   {text(vip, "flows")},
                   {text(vip, "reason")}});
    }
    return table.is_empty() ? "no VIPs\n" : table.render(canvas.style);
}

std::string show_peers(const json::value& peers, const Canvas& canvas) {
    TextTable table({"PEER",
                     "ADDRESS",
                     "ASN",
                     "STATE",
                     "SINCE",
                     "HOLD",
                     "FAMILIES",
                     "BFD",
                     "SENT",
                     "RECEIVED",
                     "RESETS",
                     "LAST ERROR"});
    for (const json::value& peer : list(peers, "peers")) {
        table.add({{text(peer, "name")},
                   {text(peer, "address")},
                   {text(peer, "asn")},
                   peer_state_cell(peer),
                   {age(text(peer, "since"), canvas.now)},
                   {text(peer, "hold_time_s") + 's'},
                   {text(peer, "families")},
                   state_cell(peer, "bfd"),
                   {text(peer, "advertised")},
                   {text(peer, "received")},
                   {text(peer, "resets")},
                   {last_error_text(member(peer, "last_error"))}});
    }
    return table.is_empty() ? "no peers\n" : table.render(canvas.style);
}

std::string show_checks(const json::value& checks, const Canvas& canvas) {
    TextTable table({"CHECK", "TYPE", "STATE", "SINCE", "WEIGHT", "LAST", "MS", "RESULT"});
    for (const json::value& check : list(checks, "checks")) {
        const json::value& last = member(check, "last");
        table.add({{text(check, "name")},
                   {text(check, "type")},
                   state_cell(check, "state"),
                   {age(text(check, "since"), canvas.now)},
                   {text(check, "weight")},
                   {last.is_null() ? "-" : age(text(last, "at"), canvas.now)},
                   {text(last, "ms")},
                   {text(last, "detail")}});
    }
    return table.is_empty() ? "no checks\n" : table.render(canvas.style);
}

namespace {

/// Empty when there are none.
std::string show_default_routes(const json::value& routes, const Canvas& canvas) {
    TextTable table({"DEFAULT ROUTE", "METRIC", "SINCE", "NEXT HOPS", "REMARK"});
    for (const json::value& route : elements(routes)) {
        std::string next_hops;
        for (const json::value& hop : elements(member(route, "next_hops"))) {
            next_hops += (next_hops.empty() ? "" : ", ") + text(hop, "address") + " dev " +
                         text(hop, "interface");
            next_hops +=
                member(hop, "installed") == json::value(true) ? "" : " (not in the kernel)";
        }
        std::string remark = text(route, "problem");
        if (remark == "-" && text(route, "hidden_by") != "-") {
            remark = "hidden by " + text(route, "hidden_by");
        }
        if (remark == "-" && member(route, "last") == json::value(true)) {
            remark = "no router offers it any more";
        }
        table.add({{text(route, "prefix")},
                   {text(route, "metric")},
                   {age(text(route, "since"), canvas.now)},
                   {next_hops.empty() ? "-" : next_hops},
                   {remark}});
    }
    return table.is_empty() ? "" : table.render(canvas.style);
}

} // namespace

std::string show_status(const json::value& document, const Canvas& canvas) {
    const json::value& node = member(document, "node");
    const Cell state = state_cell(node, "state");
    std::string out = text(node, "name") + "  " + paint(state.text, state.colour, canvas.style) +
                      "  AS" + text(node, "asn") + "  router id " + text(node, "router_id") +
                      "  anyvipd " + text(node, "version") + " (pid " + text(node, "pid") +
                      "), up " + seconds_text(member(node, "uptime_s")) + '\n';
    out += '\n' + show_vips(member(document, "vips"), canvas);
    out += '\n' + show_peers(member(document, "peers"), canvas);
    out += '\n' + show_checks(member(document, "checks"), canvas);
    const std::string routes = show_default_routes(member(document, "default_routes"), canvas);
    return routes.empty() ? out : out + '\n' + routes;
}

std::string show_routes(const json::value& document, const Canvas& canvas) {
    TextTable table({"PREFIX", "PEER", "NEXT HOP", "AS PATH", "MED", "LOCAL PREF", "COMMUNITIES"});
    for (const json::value& route : list(document, "routes")) {
        std::string communities;
        for (const std::string_view key :
             {"communities", "large_communities", "extended_communities"}) {
            const std::string some = text(route, key);
            if (some != "-") {
                communities += (communities.empty() ? "" : ", ") + some;
            }
        }
        std::string path;
        for (const json::value& asn : elements(member(route, "as_path"))) {
            path += (path.empty() ? "" : " ") + text(asn);
        }
        table.add({{text(route, "prefix")},
                   {text(route, "peer")},
                   {text(route, "next_hop")},
                   {path.empty() ? "-" : path},
                   {text(route, "med")},
                   {text(route, "local_pref")},
                   {communities.empty() ? "-" : communities}});
    }
    return table.is_empty() ? "no routes\n" : table.render(canvas.style);
}

std::string show_flows(const json::value& document, const Canvas& canvas) {
    TextTable table({"VIP", "FLOWS"});
    for (const json::value& entry : list(document, "flows")) {
        table.add({{text(entry, "vip")}, {text(entry, "flows")}});
    }
    return table.is_empty() ? "no VIPs\n" : table.render(canvas.style);
}

} // namespace anyvip::client
