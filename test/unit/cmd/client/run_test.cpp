// SPDX-License-Identifier: Apache-2.0
// Exit status and output of whole commands, with a daemon made of words.
#include <doctest/doctest.h>

#include "cmd/client/run.hpp"

using namespace anyvip::client;

namespace {

struct Outcome {
    Exit exit = Exit::Done;
    std::string out;
    std::string err;
};

/// Runs a command against one answer; its body comes in portions of three octets where it streams.
[[nodiscard]] Outcome run_with(const std::vector<std::string>& words,
                               const std::expected<Response, Unreachable>& answer,
                               bool is_terminal = false,
                               const Outside& outside = {}) {
    Outcome outcome;
    const Console console{.out = [&](std::string_view text) { outcome.out += text; },
                          .err = [&](std::string_view text) { outcome.err += text; },
                          .is_terminal = is_terminal,
                          .style = {}};
    const auto invocation = parse_command_line(words);
    REQUIRE(invocation);
    const Ask daemon = [&](const std::string&,
                           const Request&,
                           std::chrono::seconds,
                           const Sink& sink) -> std::expected<Response, Unreachable> {
        if (!answer || !sink || answer->status >= 300) {
            return answer;
        }
        for (std::size_t i = 0; i < answer->body.size(); i += 3) {
            if (!sink(std::string_view(answer->body).substr(i, 3))) {
                break;
            }
        }
        return Response{.status = answer->status, .body = {}};
    };
    outcome.exit = run(*invocation, console, daemon, outside);
    return outcome;
}

[[nodiscard]] Response ok(std::string body) {
    return {.status = 200, .body = std::move(body)};
}

} // namespace

TEST_CASE("--json prints the daemon's document as it is, as one line end") {
    CHECK(run_with({"vips", "--json"}, ok("[{\"a\" : 1}]\n")).out == "[{\"a\" : 1}]\n");
    CHECK(run_with({"vips", "--json"}, ok("[]")).out == "[]\n");
}

TEST_CASE("exit 1: refused, with the daemon's reason on stderr") {
    const Outcome outcome =
        run_with({"drain"}, Response{.status = 409, .body = R"({"error":"last node for www"})"});
    CHECK(outcome.exit == Exit::Refused);
    CHECK(outcome.out.empty());
    CHECK(outcome.err == "anyvip: last node for www\n");
    CHECK(run_with({"status"}, Response{.status = 500, .body = "oops"}).err ==
          "anyvip: the daemon answers with status 500\n");
}

TEST_CASE("exit 1: a reload that could not be applied as a whole shows what it has changed") {
    const std::string body = R"({"changes":["vip www: changed"],"error":"except for http"})";
    const Response answer{.status = 500, .body = body};
    const Outcome outcome = run_with({"reload"}, answer);
    CHECK(outcome.exit == Exit::Refused);
    CHECK(outcome.out == "vip www: changed\n");
    CHECK(outcome.err == "anyvip: except for http\n");
    CHECK(run_with({"reload", "--json"}, answer).out == body + "\n");
    const std::string nothing = R"({"changes":[],"error":"except for http"})";
    CHECK(run_with({"reload"}, Response{.status = 500, .body = nothing}).out.empty());
    CHECK(run_with({"reload", "--json"}, Response{.status = 500, .body = nothing}).out ==
          nothing + "\n");
    const std::string upgraded =
        R"({"changes":[],"upgraded":{"from":"1","to":"2"},"error":"except for http"})";
    const Outcome both =
        run_with({"reload", "--upgrade"}, Response{.status = 500, .body = upgraded});
    CHECK(both.exit == Exit::Refused);
    CHECK(both.out == "upgraded: anyvipd 1 to 2\n");
}

TEST_CASE("exit 3: the daemon cannot be reached") {
    const Outcome outcome = run_with({"status"}, std::unexpected(Unreachable{"/x: No such file"}));
    CHECK(outcome.exit == Exit::Unreachable);
    CHECK(outcome.err == "anyvip: the daemon cannot be reached: /x: No such file\n");
}

TEST_CASE("an answer that is no JSON is an error, not a table") {
    CHECK(run_with({"status"}, ok("<html>")).exit == Exit::Refused);
}

TEST_CASE("drain shows what changed and puts notes on stderr") {
    const Outcome outcome =
        run_with({"drain"}, ok(R"({"changed":["www"],"notes":["no other node is known"]})"));
    CHECK(outcome.exit == Exit::Done);
    CHECK(outcome.out == "drain: www\n");
    CHECK(outcome.err == "anyvip: no other node is known\n");
}

TEST_CASE(
    "drain --wait without a terminal: one JSON line a step, the last one is the exit status") {
    const std::string steps = "{\"vip\":\"www\",\"step\":\"gshut\",\"flows\":3}\n"
                              "{\"vip\":\"www\",\"step\":\"withdrawn\",\"flows\":0}\n";
    const std::string done = R"({"done":true,"exit":0,"message":"drained"})";
    const Outcome ended = run_with({"drain", "--wait"}, ok(steps + done + '\n'));
    CHECK(ended.exit == Exit::Done);
    CHECK(ended.out == steps + done + '\n');
    const std::string late = R"({"done":true,"exit":4,"message":"www: 2 flows left"})";
    const Outcome deadline = run_with({"drain", "--wait"}, ok(steps + late + '\n'));
    CHECK(deadline.exit == Exit::Deadline);
    CHECK(deadline.err == "anyvip: www: 2 flows left\n");
    const std::string cancelled = R"({"done":true,"exit":1,"message":"undrained"})";
    CHECK(run_with({"drain", "--wait"}, ok(cancelled + '\n')).exit == Exit::Refused);
}

TEST_CASE("drain --wait when the daemon goes away: exit 3; when it refuses: exit 1") {
    CHECK(run_with({"drain", "--wait"}, ok("{\"vip\":\"www\"}\n")).exit == Exit::Unreachable);
    CHECK(run_with({"drain", "--wait"}, Response{.status = 404, .body = "{}"}).exit ==
          Exit::Refused);
}

TEST_CASE("drain --wait on a terminal draws one line a VIP, in place") {
    const Outcome outcome =
        run_with({"drain", "--wait"},
                 ok("{\"vip\":\"www\",\"message\":\"gshut\",\"flows\":3,\"left_s\":9.5}\n"
                    "{\"vip\":\"dns\",\"message\":\"gshut\",\"flows\":null}\n"
                    "{\"vip\":\"www\",\"message\":\"withdrawn\",\"flows\":1,\"packets\":2}\n"
                    "{\"done\":true,\"exit\":0,\"message\":\"drained\"}\n"),
                 true);
    CHECK(outcome.out == "\rwww: gshut (3 flows, 9s left)\x1b[K\n"
                         "\x1b[1A\rwww: gshut (3 flows, 9s left)\x1b[K\n\rdns: gshut\x1b[K\n"
                         "\x1b[2A\rwww: withdrawn (1 flows, 2 packets)\x1b[K\n\rdns: gshut\x1b[K\n"
                         "drained\n");
}

TEST_CASE("events come line by line, as text or as they are") {
    const std::string line = R"({"at":"T","event":"peer.up","name":"tor1","reason":""})";
    CHECK(run_with({"events"}, ok(line + '\n')).out == "T peer.up tor1\n");
    CHECK(run_with({"events", "-f", "--json"}, ok(line + '\n')).out == line + '\n');
}

TEST_CASE("flows of one VIP; an unknown one is refused") {
    const Response flows = ok(R"({"flows":[{"vip":"a","flows":1},{"vip":"b","flows":2}]})");
    CHECK(run_with({"flows", "b"}, flows).out == "VIP  FLOWS\nb    2\n");
    CHECK(run_with({"flows", "c"}, flows).exit == Exit::Refused);
}

TEST_CASE("version: of both; without a daemon the own one and exit 3") {
    CHECK(run_with({"version"}, ok(R"({"version":"0.2.0"})")).out.ends_with("\nanyvipd 0.2.0\n"));
    const Outcome alone = run_with({"version", "--json"}, std::unexpected(Unreachable{"x"}));
    CHECK(alone.exit == Exit::Unreachable);
    CHECK(alone.out.ends_with("\"daemon\":null}\n"));
}

TEST_CASE("watch without a terminal is status, once") {
    CHECK(run_with({"watch"}, ok("{}")).exit == Exit::Done);
}

TEST_CASE("help needs no daemon") {
    const Outcome outcome = run_with({"drain", "--help"}, std::unexpected(Unreachable{"x"}));
    CHECK(outcome.exit == Exit::Done);
    CHECK(outcome.out.find("--deadline TIME") != std::string::npos);
}

TEST_CASE("doctor without a daemon: exit 3, why, and what can be said all the same") {
    std::string asked;
    const Outside outside{.doctor_alone =
                              [&](const std::string& config) {
                                  asked = config;
                                  return R"({"findings":[{"severity":"error","check":"daemon",)"
                                         R"("finding":"no anyvipd answers","remedy":"start it"}]})";
                              },
                          .is_clock_synchronized = {}};
    const std::expected<Response, Unreachable> nobody =
        std::unexpected(Unreachable{"/x: No such file", true});
    const Outcome outcome = run_with({"doctor"}, nobody, false, outside);
    CHECK(outcome.exit == Exit::Unreachable);
    CHECK(asked == "/etc/anyvip/anyvip.toml");
    CHECK(outcome.out == "error daemon: no anyvipd answers\n    start it\n");
    CHECK(outcome.err == "anyvip: the daemon cannot be reached: /x: No such file\n");
    CHECK(run_with({"doctor", "-c", "/y.toml"}, nobody, false, outside).exit == Exit::Unreachable);
    CHECK(asked == "/y.toml");
    // There is one, and it does not let us in: nothing is to be said without it.
    const Outcome denied =
        run_with({"doctor"}, std::unexpected(Unreachable{"/x: Permission denied"}), false, outside);
    CHECK(denied.exit == Exit::Unreachable);
    CHECK(denied.out.empty());
    // Other commands ask nobody else.
    CHECK(run_with({"status"}, nobody, false, outside).out.empty());
}

TEST_CASE("doctor asks for the clock itself where the daemon may not") {
    bool is_synchronized = true;
    const Outside outside{.doctor_alone = {},
                          .is_clock_synchronized = [&] { return is_synchronized; }};
    const auto answer = ok(R"({"findings":[],"if_clock_is_unsynchronized":{"severity":"note",)"
                           R"("check":"clock","finding":"not set","remedy":"chrony"}})");
    CHECK(run_with({"doctor"}, answer, false, outside).out == "nothing found\n");
    CHECK(run_with({"doctor", "--json"}, answer, false, outside).out == "{\"findings\":[]}\n");
    is_synchronized = false;
    CHECK(run_with({"doctor"}, answer, false, outside).out == "note clock: not set\n    chrony\n");
    // Where the daemon may ask, it has said what there is.
    CHECK(run_with({"doctor"}, ok(R"({"findings":[]})"), false, outside).out == "nothing found\n");
}
