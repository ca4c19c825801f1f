// SPDX-License-Identifier: Apache-2.0
// Tables from the JSON documents of CONTRACT section 4.
#include <doctest/doctest.h>

#include <boost/json.hpp>

#include "cmd/client/view.hpp"

using namespace anyvip::client;
namespace json = boost::json;

namespace {

/// 2026-01-02T03:04:17Z, twelve seconds after the times in the samples.
[[nodiscard]] Canvas plain() {
    using namespace std::chrono;
    return {.style = {}, .now = sys_days(year(2026) / 1 / 2) + hours(3) + minutes(4) + seconds(17)};
}

constexpr std::string_view status = R"(
{"node":   {"name":"lb-a","asn":65010,"router_id":"10.0.0.11","version":"0.1.0","pid":4711,
            "uptime_s":12.5,"state":"running"},
 "vips":   [{"name":"www","state":"announced","since":"2026-01-02T03:04:05.678Z",
             "reason":"all checks up","health":"up","drained":false,"weight":100,"flows":12,
             "checks":["web"],
             "addresses":[{"prefix":"203.0.113.10/32","interface":"lo","present":true,"owned":true},
                          {"prefix":"2001:db8::10/128","interface":"lo","present":true,"owned":true}],
             "announced_to":["tor1"]}],
 "peers":  [{"name":"tor1","address":"10.0.0.1","asn":65001,"state":"Established",
             "since":"2026-01-02T03:04:05.678Z","hold_time_s":9,"families":["ipv4","ipv6"],
             "bfd":"off","advertised":2,"received":0,"resets":0,"last_error":null}],
 "checks": [{"name":"web","type":"http","state":"up","since":"2026-01-02T03:04:05.678Z",
             "weight":100,"last":{"ok":true,"at":"2026-01-02T03:04:16Z","ms":0.31,
             "detail":"200 OK"}}]})";

} // namespace

TEST_CASE("status shows node, VIPs, peers and checks on one screen") {
    CHECK(show_status(json::parse(status), plain()) ==
          "lb-a  running  AS65010  router id 10.0.0.11  anyvipd 0.1.0 (pid 4711), up 12s\n"
          "\n"
          "VIP  STATE      SINCE  ADDRESSES                   ANNOUNCED TO  FLOWS  REASON\n"
          "www  announced  12s    203.0.113.10, 2001:db8::10  tor1          12     all checks up\n"
          "\n"
          "PEER  ADDRESS   ASN    STATE        SINCE  HOLD  FAMILIES    BFD  SENT  RECEIVED  RESETS"
          "  LAST ERROR\n"
          "tor1  10.0.0.1  65001  Established  12s    9s    ipv4, ipv6  off  2     0         0     "
          "  -\n"
          "\n"
          "CHECK  TYPE  STATE  SINCE  WEIGHT  LAST  MS    RESULT\n"
          "web    http  up     12s    100     1s    0.31  200 OK\n");
}

TEST_CASE("an array and an object that holds it give the same table") {
    const json::value document = json::parse(status);
    CHECK(show_vips(document, plain()) == show_vips(document.at("vips"), plain()));
    CHECK(show_peers(json::array{}, plain()) == "no peers\n");
    CHECK(show_checks(json::value(nullptr), plain()) == "no checks\n");
}

TEST_CASE("missing fields and other kinds show as a dash, nothing throws") {
    for (const std::string_view text : {"null", "1", "\"x\"", "[]", "{}", "[1,{}]", "[[{}]]"}) {
        const json::value odd = json::parse(text);
        CHECK_NOTHROW(static_cast<void>(show_status(odd, plain())));
        CHECK_NOTHROW(static_cast<void>(show_vips(odd, plain())));
        CHECK_NOTHROW(static_cast<void>(show_peers(odd, plain())));
        CHECK_NOTHROW(static_cast<void>(show_checks(odd, plain())));
        CHECK_NOTHROW(static_cast<void>(show_routes(odd, plain())));
        CHECK_NOTHROW(static_cast<void>(show_explain(odd, plain())));
        CHECK_NOTHROW(static_cast<void>(show_flows(odd, plain())));
        CHECK_NOTHROW(static_cast<void>(show_event(odd, plain())));
        CHECK_NOTHROW(static_cast<void>(show_details(odd, plain())));
        CHECK_NOTHROW(static_cast<void>(show_doctor(odd, plain())));
        CHECK_NOTHROW(static_cast<void>(show_step(odd)));
    }
}

TEST_CASE("ages: the two greatest units, relative to now, never negative") {
    const WallTime now = plain().now;
    CHECK(age("2026-01-02T03:04:05.678Z", now) == "12s");
    CHECK(age("2026-01-02T03:04:18Z", now) == "0s");
    CHECK(age("2026-01-02T02:59:14Z", now) == "5m03s");
    CHECK(age("2026-01-01T23:57:00Z", now) == "3h07m");
    CHECK(age("2025-12-20T23:04:17Z", now) == "12d04h");
    CHECK(age("yesterday", now) == "yesterday");
    CHECK(age("2026-13-40T99:99:99Z", now) == "2026-13-40T99:99:99Z");
    CHECK(age("", now) == "-");
}

TEST_CASE("colour marks the state, only when it is wanted") {
    Canvas colourful = plain();
    colourful.style.has_colour = true;
    const std::string shown = show_vips(json::parse(status), colourful);
    CHECK(shown.find("\x1b[32mannounced\x1b[0m  12s") != std::string::npos);
    CHECK(show_vips(json::parse(status), plain()).find('\x1b') == std::string::npos);
}

TEST_CASE("nothing from outside reaches the terminal as a control character") {
    CHECK(printable("a\x1b[2Jb\r\n\x7f") == "a [2Jb   ");
    CHECK(printable("\xc2\x9b"
                    "1m ä") == " 1m ä");
    const json::value check = json::parse(R"([{"name":"a","last":{"detail":"\u001b]0;x\u0007"}}])");
    CHECK(show_checks(check, plain()).find('\x1b') == std::string::npos);
    CHECK(show_details(check, plain()).find('\x1b') == std::string::npos);
}

TEST_CASE("explain: the state first, then each condition, then what would change it") {
    const json::value document = json::parse(
        R"({"vip":"www","state":"withdrawn","since":"2026-01-02T03:04:05Z","reason":"check web down",
            "conditions":[
              {"name":"health","value":"down","met":false,"since":"2026-01-02T03:04:05Z",
               "last_event":"check.down web","remedy":"check web must pass twice"},
              {"name":"session tor1","value":"Established","met":true,
               "since":"2026-01-02T03:00:05Z","last_event":null,"remedy":null}]})");
    CHECK(show_explain(document, plain()) ==
          "www is withdrawn since 2026-01-02T03:04:05Z: check web down\n"
          "\n"
          "    CONDITION     VALUE        SINCE  LAST CHANGED BY\n"
          "NO  health        down         12s    check.down web\n"
          "ok  session tor1  Established  4m12s  -\n"
          "\n"
          "What would change it:\n"
          "health: check web must pass twice\n");
}

TEST_CASE("routes, flows, events, changes") {
    CHECK(show_routes(json::parse(R"({"routes":[{"peer":"tor1","prefix":"203.0.113.10/32",
                "next_hop":"10.0.0.11","as_path":[65010,65010],"med":null,"local_pref":null,
                "communities":["no-export"],"large_communities":["65010:1:1"]}]})"),
                      plain()) ==
          "PREFIX           PEER  NEXT HOP   AS PATH      MED  LOCAL PREF  COMMUNITIES\n"
          "203.0.113.10/32  tor1  10.0.0.11  65010 65010  -    -           no-export, 65010:1:1\n");
    CHECK(show_flows(json::parse(R"({"flows":[{"vip":"www","flows":null}]})"), plain()) ==
          "VIP  FLOWS\nwww  -\n");
    CHECK(show_event(json::parse(R"({"at":"2026-01-02T03:04:05.678Z","event":"vip.announced",
                                     "name":"www","reason":"all checks up","prefixes":2})"),
                     plain()) ==
          "2026-01-02T03:04:05.678Z vip.announced www: all checks up prefixes=2\n");
    CHECK(show_changed(json::parse(R"({"changed":["www"],"notes":[]})"), "drain") ==
          "drain: www\n");
    CHECK(show_changed(json::parse("{}"), "drain") == "nothing changed\n");
    CHECK(show_reload(json::parse(R"({"changes":["vip www: prepend 0 -> 1"]})")) ==
          "vip www: prepend 0 -> 1\n");
    CHECK(show_reload(json::parse(R"({"changes":[]})")) == "nothing changes\n");
    CHECK(show_reload(json::parse(R"({"changes":[],"upgraded":{"from":"0.1.0","to":"0.2.0"}})")) ==
          "upgraded: anyvipd 0.1.0 to 0.2.0\n");
    CHECK(show_reload(json::parse(R"({"changes":["vip www: prepend 0 -> 1"],
                                      "upgraded":{"from":"0.1.0","to":"0.2.0"}})")) ==
          "upgraded: anyvipd 0.1.0 to 0.2.0\nvip www: prepend 0 -> 1\n");
}

TEST_CASE("a router that is drained is shown so, its session is up all the same") {
    json::value document = json::parse(status);
    json::object& peer = document.at("peers").at(0).as_object();
    peer["drained"] = false;
    CHECK(show_peers(document, plain()).find("drained") == std::string::npos);
    peer["drained"] = true;
    CHECK(show_peers(document, plain()).find("Established, drained  12s") != std::string::npos);
}

TEST_CASE("details: scalars aligned, lists of objects as a table, wide ones as blocks") {
    CHECK(show_details(json::parse(R"({"name":"web","scope":"local","last":null,
            "transitions":[{"at":"a","to":"up"},{"at":"b","to":"down"}]})"),
                       plain()) == "name:  web\n"
                                   "scope: local\n"
                                   "last:  -\n"
                                   "transitions:\n"
                                   "  at  to\n"
                                   "  a   up\n"
                                   "  b   down\n");
    const std::string wide(130, 'x');
    CHECK(show_details(json::array{json::object{{"a", wide}, {"b", 1}}}, plain()) ==
          "a: " + wide + "\nb: 1\n");
}
