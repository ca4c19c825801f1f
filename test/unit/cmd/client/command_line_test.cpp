// SPDX-License-Identifier: Apache-2.0
// Words to requests: every command of CONTRACT section 4.
#include <doctest/doctest.h>

#include "cmd/client/commands.hpp"
#include "cmd/client/invocation.hpp"

using namespace anyvip::client;

namespace {

[[nodiscard]] Invocation parsed(const std::vector<std::string>& words) {
    auto invocation = parse_command_line(words);
    REQUIRE_MESSAGE(invocation.has_value(), invocation.error());
    return *invocation;
}

[[nodiscard]] std::string error_of(const std::vector<std::string>& words) {
    const auto invocation = parse_command_line(words);
    return invocation ? "" : invocation.error();
}

void check_get(const std::vector<std::string>& words, View view, std::string_view target) {
    const Invocation invocation = parsed(words);
    CHECK(invocation.view == view);
    CHECK(invocation.request.method == "GET");
    CHECK(invocation.request.target == target);
    CHECK(invocation.request.body.empty());
}

void check_post(const std::vector<std::string>& words,
                View view,
                std::string_view target,
                std::string_view body) {
    const Invocation invocation = parsed(words);
    CHECK(invocation.view == view);
    CHECK(invocation.request.method == "POST");
    CHECK(invocation.request.target == target);
    CHECK(invocation.request.body == body);
}

} // namespace

TEST_CASE("commands that read ask for the resource of the API") {
    check_get({"status"}, View::Status, "/v1/status");
    check_get({"vips"}, View::Vips, "/v1/vips");
    check_get({"vips", "www"}, View::Details, "/v1/vips/www");
    check_get({"peers"}, View::Peers, "/v1/peers");
    check_get({"peers", "fe80::1%eth0"}, View::Details, "/v1/peers/fe80%3A%3A1%25eth0");
    check_get({"checks"}, View::Checks, "/v1/checks");
    check_get({"checks", "web@203.0.113.1"}, View::Details, "/v1/checks/web%40203.0.113.1");
    check_get({"routes"}, View::Routes, "/v1/routes");
    check_get({"routes", "--peer", "tor1"}, View::Routes, "/v1/routes?peer=tor1");
    check_get(
        {"routes", "--received", "--peer=a b"}, View::Routes, "/v1/routes?received=1&peer=a%20b");
    check_get({"explain", "www"}, View::Explain, "/v1/explain/www");
    check_get({"flows"}, View::Flows, "/v1/flows");
    check_get({"doctor"}, View::Doctor, "/v1/doctor");
    check_get({"events"}, View::Events, "/v1/events");
    check_get({"events", "-f"}, View::Events, "/v1/events?follow=1");
    check_get(
        {"events", "--follow", "--since", "5m"}, View::Events, "/v1/events?follow=1&since=5m");
    check_get({"events", "--since=90s"}, View::Events, "/v1/events?since=90s");
    check_get({"watch"}, View::Watch, "/v1/status");
    check_get({"version"}, View::Version, "/v1/version");
    check_get({"--version"}, View::Version, "/v1/version");
}

TEST_CASE("commands that act post the documented bodies") {
    const std::string rest = R"("peer":"","deadline":null,"until":null,"reason":"",)";
    check_post({"drain"},
               View::Changed,
               "/v1/drain",
               R"({"vips":[],)" + rest + R"("force":false,"dry_run":false,"wait":false})");
    check_post({"drain", "www", "dns", "--wait", "--force"},
               View::DrainProgress,
               "/v1/drain",
               R"({"vips":["www","dns"],)" + rest + R"("force":true,"dry_run":false,"wait":true})");
    check_post(
        {"drain", "--deadline", "30s", "--until=2h", "--reason", "say \"hi\"\n", "--dry-run"},
        View::Changed,
        "/v1/drain",
        R"({"vips":[],"peer":"","deadline":"30s","until":"2h","reason":"say \"hi\"\u000a",)"
        R"("force":false,"dry_run":true,"wait":false})");
    check_post({"undrain", "www"}, View::Changed, "/v1/undrain", R"({"vips":["www"],"peer":""})");
    check_post({"undrain", "--peer", "tor1"},
               View::Changed,
               "/v1/undrain",
               R"({"vips":[],"peer":"tor1"})");
    check_post({"check", "web"}, View::Details, "/v1/checks/web/run", "");
    check_post({"reload"}, View::Reload, "/v1/reload", R"({"dry_run":false,"upgrade":false})");
    check_post(
        {"reload", "--upgrade"}, View::Reload, "/v1/reload", R"({"dry_run":false,"upgrade":true})");
    check_post(
        {"reset", "tor1", "--soft"}, View::Details, "/v1/peers/tor1/reset", R"({"soft":true})");
}

TEST_CASE("global options stand before or behind the command") {
    CHECK(parsed({"status"}).socket == "/run/anyvip/control.sock");
    CHECK(parsed({"--socket", "/a", "--json", "status"}).socket == "/a");
    CHECK(parsed({"--socket=/a", "--json", "status"}).is_json);
    CHECK(parsed({"status", "--json", "--socket", "/b"}).socket == "/b");
    // The word behind --socket is its value, even when it is spelled like a command.
    CHECK(parsed({"--socket", "drain", "status"}).view == View::Status);
}

TEST_CASE("a bad command line says what is wrong") {
    CHECK(error_of({}) == "a command is missing");
    CHECK(error_of({"drian"}) == "unknown command \"drian\"");
    CHECK(error_of({"--wait", "drain"}) == "unknown option --wait before the command");
    CHECK(error_of({"status", "www"}) == "status takes no name");
    CHECK(error_of({"explain"}) == "explain takes VIP");
    CHECK(error_of({"check", "a", "b"}) == "check takes NAME");
    CHECK(error_of({"drain", ""}) == "drain: a name must not be empty");
    CHECK(error_of({"drain", "--forc"}).starts_with("drain: "));
    CHECK(error_of({"drain", "--deadline"}).starts_with("drain: "));
    CHECK(error_of({"drain", "--peer", "tor1", "www"}).starts_with("drain: --peer and names"));
    CHECK(error_of({"reload", "--dry-run", "--upgrade"}).starts_with("reload: "));
    CHECK(error_of({"--socket"}) == "a command is missing");
}

TEST_CASE("a duration without a unit is a bad command line that says so") {
    CHECK(error_of({"drain", "--deadline", "30"}).find("has no unit") != std::string::npos);
    CHECK(error_of({"drain", "--until", "soon"}).find("--until") != std::string::npos);
    CHECK(error_of({"events", "--since", "5"}).find("has no unit") != std::string::npos);
}

TEST_CASE("every command has a help that names its options") {
    for (const Command& command : commands()) {
        const std::string help = help_text(command.name);
        CHECK(parsed({std::string(command.name), "--help"}).subject == command.name);
        CHECK(help.find("usage: anyvip [--socket PATH] [--json] " + std::string(command.name)) ==
              0);
        for (const Option& option : command.options) {
            const std::string name(option.name.substr(0, option.name.find(',')));
            CHECK_MESSAGE(help.find("--" + name) != std::string::npos, name);
        }
        CHECK(help_text("").find("\n  " + std::string(command.name) + ' ') != std::string::npos);
    }
    CHECK(parsed({"--help"}).view == View::Help);
    CHECK(parsed({"-h"}).view == View::Help);
    CHECK(parsed({"help", "drain"}).subject == "drain");
}
