// SPDX-License-Identifier: Apache-2.0
// The file as a whole: positions, unknown keys, sections, syntax.
#include <fstream>

#include "cmd/agent/event_name.hpp"
#include "cmd/config/nearest.hpp"
#include "test/unit/cmd/config/support.hpp"

using namespace anyvip;
using namespace anyvip::cmd;
using namespace anyvip::cmd::test;

TEST_CASE("a node alone is a configuration, with every default") {
    const Config config = valid(node);
    CHECK(config.node.asn == bgp::Asn{65010});
    CHECK_FALSE(config.node.router_id);
    CHECK(config.daemon == DaemonConfig{});
    CHECK(config.drain == vip::DrainConfig{});
    CHECK(config.peers.empty());
}

TEST_CASE("every problem is reported, sorted, at the offending value") {
    CHECK(problems_of("[node]\n"
                      "asn = 23456\n"
                      "router_id = \"::1\"\n"
                      "[daemon]\n"
                      "log_levle = \"info\"\n"
                      "linger = 5\n"
                      "[[peer]]\n"
                      "address = \"10.0.0.1\"\n"
                      "asn = 65001\n"
                      "  hold_time = \"2s\"\n") ==
          std::vector<std::string>{
              "2:7: asn 23456 is reserved",
              "3:13: router_id must be an IPv4 address other than 0.0.0.0, not \"::1\"",
              "5:1: unknown key \"log_levle\" in [daemon]; did you mean \"log_level\"?",
              "6:10: linger is a bare number; write a duration with a unit, such as \"300ms\" or "
              "\"3s\"",
              "10:15: hold_time must be \"0s\" or from \"3s\" to \"65535s\"",
          });
}

TEST_CASE("a problem prints as FILE:LINE:COLUMN, one of the whole file without position") {
    CHECK(to_string({.line = 3, .column = 7, .message = "is wrong"}, "a.toml") ==
          "a.toml:3:7: is wrong");
    CHECK(to_string({.line = 0, .column = 0, .message = "cannot be read"}, "a.toml") ==
          "a.toml: cannot be read");
}

TEST_CASE("a syntax error is reported where it is") {
    const auto problems = problems_of("[node]\nasn = = 1\n");
    REQUIRE(problems.size() == 1);
    CHECK(problems.front().starts_with("2:"));
}

TEST_CASE("a duplicate key and a file that is no UTF-8 are syntax errors") {
    CHECK(problems_of("[node]\nasn = 1\nasn = 2\n").size() == 1);
    CHECK(problems_of("[node]\nasn = 1\nname = \"\xff\"\n").size() == 1);
}

TEST_CASE("an empty file lacks [node] and its asn") {
    CHECK(problems_of("") == std::vector<std::string>{"1:1: the section [node] is missing"});
    CHECK(problems_of("[node]\n") == std::vector<std::string>{"1:1: [node] needs the key \"asn\""});
}

TEST_CASE("unknown sections name the nearest one; wrong brackets say which are right") {
    check_one_problem("[node]\nasn = 1\n[deamon]\n", "did you mean \"daemon\"?");
    check_one_problem("[node]\nasn = 1\n[peer]\nasn = 1\n", "as [[peer]]");
    check_one_problem("[[node]]\nasn = 1\n", "written as [node]");
    check_one_problem("[node]\nasn = 1\n[defaults.vips]\n", "did you mean \"vip\"?");
}

TEST_CASE("columns count characters, not bytes") {
    CHECK(problems_of("[node]\nname = \"ä\"\nasn = 1\n[daemon]\n\"ä\" = 1\n").size() == 1);
    CHECK(problems_of("node = { name = \"äö\", asn = 0 }\n").front().starts_with("1:29: "));
}

TEST_CASE("node.asn: 1..4294967294 without the reserved numbers") {
    for (const std::string_view bad :
         {"0", "23456", "65535", "4294967295", "-1", "\"65010\"", "1.5"}) {
        check_one_problem("[node]\nasn = " + std::string(bad) + '\n', "asn ");
    }
    CHECK(valid("[node]\nasn = 4294967294\n").node.asn.value == 4294967294U);
}

TEST_CASE("daemon: words, paths, listen addresses and the order of linger and linger_min") {
    const auto daemon = [](std::string_view line) {
        return std::string(node) + "[daemon]\n" + std::string(line) + '\n';
    };
    CHECK(valid(daemon("http = \"\"")).daemon.http.empty());
    CHECK(valid(daemon("http = \"[::1]:9179\"")).daemon.http == "[::1]:9179");
    for (const std::string_view bad : {"9179",
                                       "localhost:9179",
                                       "127.0.0.1",
                                       "::1:9179",
                                       "127.0.0.1:0",
                                       "127.0.0.1:65536",
                                       "224.0.0.1:80",
                                       "[127.0.0.1]:80"}) {
        check_one_problem(daemon("http = \"" + std::string(bad) + '"'), "http ");
    }
    check_one_problem(daemon("log_level = \"loud\""), "must be one of \"error\", \"warning\"");
    check_one_problem(daemon("control = \"run/control.sock\""), "absolute path");
    check_one_problem(daemon("control = \"/" + std::string(107, 'a') + '"'), "107 bytes");
    check_one_problem(daemon("state_dir = \"\""), "must not be empty");
    check_one_problem(daemon("linger = \"1s\"\nlinger_min = \"2s\""), "longer than linger");
    CHECK(valid(daemon("linger = \"0s\"")).daemon.linger_min.count() == 0);
    check_one_problem(daemon("linger = \"50us\""), "whole milliseconds");
}

TEST_CASE("CONTRACT 4: hooks can name every event there is, and each group") {
    for (const std::string_view event : event_names) {
        for (const std::string& name :
             {std::string(event), std::string(event.substr(0, event.find('.'))) + ".*"}) {
            const Config config = valid(std::string(node) + "[[hook]]\nevent = \"" + name +
                                        "\"\ncommand = [\"/bin/true\"]\n");
            REQUIRE(config.hooks.size() == 1);
            CHECK(config.hooks.front().event == name);
        }
    }
}

TEST_CASE("hooks match at least one event and name a program that exists") {
    const auto hook = [](std::string_view event, std::string_view command) {
        return std::string(node) + "[[hook]]\nevent = \"" + std::string(event) +
               "\"\ncommand = " + std::string(command) + '\n';
    };
    CHECK(valid(hook("vip.*", R"(["/bin/true"])")).hooks.size() == 1);
    CHECK(valid(hook("*", R"(["/bin/true", ""])")).hooks.front().command.size() == 2);
    check_one_problem(hook("vip.anounced", R"(["/bin/true"])"), "did you mean \"vip.announced\"?");
    check_one_problem(hook("vip.*", R"(["/usr/none"])"), "No such file");
    check_one_problem(hook("vip.*", R"(["true"])"), "absolute path");
    check_one_problem(hook("vip.*", "[]"), "must name a program");
    check_one_problem(hook("vip.*", "\"/bin/true\""), "must be an array");
}

TEST_CASE("a wrong value in [defaults.*] is one problem, however many tables inherit it") {
    check_one_problem(with_peer("[[peer]]\naddress = \"10.0.0.2\"\nasn = 1\n"
                                "[defaults.peer]\nhold_time = \"1s\""),
                      "hold_time ");
    check_one_problem(std::string(node) + "[defaults.peer]\naddress = \"10.0.0.1\"\n",
                      "unknown key \"address\" in [defaults.peer]");
    check_one_problem(std::string(node) + "[defaults.vip]\nchecks = [\"none\"]\n",
                      "not configured");
}

TEST_CASE("own keys come before [defaults.*], these before the built-in ones") {
    const Config config = valid(with_peer("hold_time = \"3s\"\n"
                                          "[[peer]]\naddress = \"10.0.0.2\"\nasn = 1\n"
                                          "[defaults.peer]\nhold_time = \"30s\"\nport = 1179"));
    REQUIRE(config.peers.size() == 2);
    CHECK(config.peers[0].session.hold_time == std::chrono::seconds(3));
    CHECK(config.peers[1].session.hold_time == std::chrono::seconds(30));
    CHECK(config.peers[0].port == 1179);
}

TEST_CASE("a file that cannot be read is a problem of the file as a whole") {
    const auto missing = load_config("/nonexistent/anyvip.toml");
    REQUIRE_FALSE(missing);
    CHECK(missing.error().front().line == 0);
    CHECK(missing.error().front().message == "cannot be read: No such file or directory");
    CHECK_FALSE(load_config("/").has_value());
}

TEST_CASE("the nearest word counts insertions, deletions, replacements and swaps") {
    CHECK(edit_distance("", "") == 0);
    CHECK(edit_distance("", "abc") == 3);
    CHECK(edit_distance("hold_tmie", "hold_time") == 1);
    CHECK(edit_distance("hodtime", "hold_time") == 2);
    CHECK(nearest("x", {}).empty());
}
