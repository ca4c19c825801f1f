// SPDX-License-Identifier: Apache-2.0
// exec checks: scripts that behave, and scripts that do not.
#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "health/account/account.hpp"
#include "health/probe/child.hpp"
#include "test/support/without_kill.hpp"
#include "test/unit/health/probe/support.hpp"

namespace anyvip::health {
namespace {

using namespace test;

CheckConfig script(std::string text, milliseconds timeout = milliseconds(5000)) {
    return config_of(ExecTarget{.command = {"/bin/sh", "-c", std::move(text)}}, timeout);
}

TEST_CASE("exec: exit status, signal, output and weight") {
    struct Row {
        const char* text;
        Outcome outcome;
        const char* detail;
        const char* output;
        std::optional<std::uint32_t> weight{};
    };

    const std::vector<Row> rows{
        {"exit 0", Outcome::Pass, "exit status 0", ""},
        {"echo fine; exit 0", Outcome::Pass, "exit status 0", "fine\n"},
        {"exit 1", Outcome::Fail, "exit status 1", ""},
        {"echo one; echo disk full >&2; echo; exit 2",
         Outcome::Fail,
         "exit status 2: disk full",
         "one\ndisk full\n\n"},
        {"exit 254", Outcome::Fail, "exit status 254", ""},
        {"exit 255", Outcome::Error, "exit status 255", ""},
        {"kill -SEGV $$", Outcome::Fail, "killed by signal 11 (SIGSEGV)", ""},
        {"echo weight=75", Outcome::Pass, "exit status 0", "weight=75\n", 75},
        {"echo weight=7; echo weight=0", Outcome::Pass, "exit status 0", "weight=7\nweight=0\n", 0},
        {"echo weight=101", Outcome::Pass, "exit status 0", "weight=101\n"},
        {"echo weight=5x", Outcome::Pass, "exit status 0", "weight=5x\n"},
        {"printf 'a\\033[2Jb'; exit 3", Outcome::Fail, "exit status 3: a.[2Jb", "a\033[2Jb"},
        {"read line || echo no input", Outcome::Pass, "exit status 0", "no input\n"},
        {"echo $ANYVIP_CHECK", Outcome::Pass, "exit status 0", "test\n"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.text);
        const Result result = probe(script(row.text));
        CHECK(result.outcome == row.outcome);
        CHECK(result.detail == row.detail);
        CHECK(result.output == row.output);
        CHECK(result.weight == row.weight);
        CHECK(!result.is_hard);
        CHECK(!result.is_our_fault);
    }
}

TEST_CASE("exec: arguments are not seen by a shell; env is added; our notify socket is withheld") {
    ::setenv("NOTIFY_SOCKET", "/run/nobody", 1);
    CheckConfig config =
        config_of(ExecTarget{.command = {"/usr/bin/printenv", "NOTIFY_SOCKET", "GREETING"},
                             .env = {{"GREETING", "hello; $HOME"}}});
    CHECK(probe(config).output == "hello; $HOME\n");
    ::unsetenv("NOTIFY_SOCKET");
}

TEST_CASE("exec: a program that is missing is an error of the check, not ours") {
    const Result result = probe(config_of(ExecTarget{.command = {"/nonexistent/check"}}));
    CHECK(result.outcome == Outcome::Error);
    CHECK(result.detail == "cannot run /nonexistent/check: No such file or directory");
    CHECK(!result.is_our_fault);
    CHECK(probe(config_of(ExecTarget{.command = {"/etc/passwd"}})).detail ==
          "cannot run /etc/passwd: Permission denied");
}

/// A descriptor that a whole process group holds open: at its end all of them are gone.
struct Witness {
    Witness()
        : path(std::filesystem::temp_directory_path() /
               ("anyvip-witness-" + std::to_string(::getpid()))) {
        std::filesystem::remove(path);
    }

    ~Witness() { std::filesystem::remove(path); }

    /// Process ids that the script has written there, one a line.
    [[nodiscard]] std::vector<pid_t> pids() const {
        std::vector<pid_t> result;
        if (std::FILE* const file = std::fopen(path.c_str(), "re")) {
            int pid = 0;
            while (std::fscanf(file, "%d", &pid) == 1) {
                result.push_back(pid);
            }
            std::fclose(file);
        }
        return result;
    }

    /// Gone, or a zombie that waits for whoever is init here.
    [[nodiscard]] bool all_ended(std::size_t wanted) const {
        const auto list = pids();
        return list.size() == wanted && std::ranges::none_of(list, [](pid_t pid) {
                   const auto status = "/proc/" + std::to_string(pid) + "/stat";
                   std::FILE* const file = std::fopen(status.c_str(), "re");
                   if (file == nullptr) {
                       return false;
                   }
                   char state = 'Z';
                   const int found = std::fscanf(file, "%*d (%*[^)]) %c", &state);
                   std::fclose(file);
                   return found == 1 && state != 'Z' && state != 'X';
               });
    }

    std::filesystem::path path;
};

TEST_CASE("exec: at the timeout the whole process group is killed, whatever it ignores") {
    const Witness witness;
    boost::asio::io_context io;
    const std::string file = witness.path.string();
    const Result result =
        probe(io,
              script("trap '' TERM INT HUP; echo $$ >>" + file + "; sh -c 'echo $$ >>" + file +
                         "; sleep 300' & echo waiting; sleep 300",
                     milliseconds(700)));
    CHECK(result.outcome == Outcome::Timeout);
    CHECK(result.detail == "exec timeout after 0.7 s");
    CHECK(result.output == "waiting\n");
    CHECK(run_until(io, [&] { return witness.all_ended(2) && unreaped_children() == 0; }));
}

TEST_CASE("exec: children left behind do not delay the result and are killed") {
    const Witness witness;
    boost::asio::io_context io;
    const Result result = probe(io,
                                script("sh -c 'echo $$ >>" + witness.path.string() +
                                       "; exec sleep 300' & sleep 0.2; exit 0"));
    CHECK(result.outcome == Outcome::Pass);
    CHECK(run_until(io, [&] { return witness.all_ended(1); }));
}

TEST_CASE("exec: a probe that is destroyed kills its group") {
    const Witness witness;
    boost::asio::io_context io;
    bool is_called = false;
    auto run = make_probe(io,
                          script("echo $$ >>" + witness.path.string() + "; sleep 300"),
                          [&](const Result&) { is_called = true; });
    REQUIRE(run_until(io, [&] { return witness.pids().size() == 1; }));
    run.reset();
    CHECK(unreaped_children() == 1);
    CHECK(run_until(io, [&] { return witness.all_ended(1) && unreaped_children() == 0; }));
    CHECK(!is_called);
}

TEST_CASE("exec: while its killed process lives no other is started, and it says why" *
          doctest::skip(::geteuid() != 0)) {
    CHECK(anyvip::test::as_daemon_without_kill([] {
        boost::asio::io_context io;
        CheckConfig hanging = script("sleep 8; exit 0", milliseconds(300));
        hanging.user = "nobody";
        bool is_right = probe(io, hanging).outcome == Outcome::Timeout;
        for (int i = 0; i < 3; ++i) {
            const Result again = probe(io, hanging);
            is_right = is_right && again.outcome == Outcome::Error && again.is_our_fault &&
                       again.detail == "cannot kill its former process: Operation not permitted";
        }
        is_right = is_right && unreaped_children() == 1;
        is_right = is_right && probe(io, script("exit 0")).outcome == Outcome::Pass; // another one
        is_right = is_right && run_until(io, [] { return unreaped_children() == 0; });
        hanging = script("exit 0");
        hanging.user = "nobody";
        return is_right && probe(io, hanging).outcome == Outcome::Pass;
    }));
}

TEST_CASE("exec: children of others that cannot be killed take nothing from a check" *
          doctest::skip(::geteuid() != 0)) {
    CHECK(anyvip::test::as_daemon_without_kill([] {
        boost::asio::io_context io;
        const Command hanging{.argv = {"/bin/sleep", "5"}, .env = {}, .user = "nobody"};
        for (int i = 0; i < max_unreaped + 1; ++i) {
            auto child = Child::spawn(io, hanging);
            if (!child || (*child)->kill() != std::errc::operation_not_permitted) {
                return false;
            }
        }
        return unreaped_children() == 0 && probe(io, script("exit 0")).outcome == Outcome::Pass;
    }));
}

TEST_CASE("exec: a run that follows a timeout at once waits for the killed process") {
    boost::asio::io_context io;
    CheckConfig check = script("sleep 300", milliseconds(700));
    for (int i = 0; i < 2; ++i) {
        const Result result = probe(io, check);
        CHECK(result.outcome == Outcome::Timeout);
        CHECK(result.detail == "exec timeout after 0.7 s");
        CHECK(unreaped_children() <= 1);
    }
    CHECK(run_until(io, [] { return unreaped_children() == 0; }));
}

TEST_CASE("exec: an exit status that is lost is an end, and no verdict") {
    const auto before = std::signal(SIGCHLD, SIG_IGN);
    // It may end before its pidfd is opened, or after that: with many runs, both happen.
    for (int i = 0; i < 200; ++i) {
        const Result result = probe(script("exit 1"));
        CHECK(result.outcome == Outcome::Error);
        CHECK(result.is_our_fault);
        CHECK(result.detail == "its exit status is lost: somebody else took it");
    }
    std::signal(SIGCHLD, before);
}

TEST_CASE("exec: endless output is bounded, cut off at the timeout, and its tail kept") {
    const Result result = probe(script("yes", milliseconds(500)));
    CHECK(result.outcome == Outcome::Timeout);
    CHECK(result.detail == "exec timeout after 0.5 s, and it printed more than 1 MiB");
    CHECK(result.output.size() == 4096);
}

TEST_CASE("exec: the last 4 KiB of a long output are kept whole") {
    const Result result =
        probe(script("i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done; exit 1"));
    CHECK(result.detail == "exit status 1: line 1999");
    CHECK(result.output.size() == 4096);
    CHECK(result.output.ends_with("line 1998\nline 1999\n"));
}

TEST_CASE("exec: a check has none of our capabilities, also when both are root, and gains none") {
    const std::string output =
        probe(script("grep -E '^(Cap(Inh|Prm|Eff|Amb)|NoNewPrivs):' /proc/self/status")).output;
    CHECK(output == "CapInh:\t0000000000000000\nCapPrm:\t0000000000000000\n"
                    "CapEff:\t0000000000000000\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\n");
}

TEST_CASE("exec: `user` is another user with his groups" * doctest::skip(::geteuid() != 0)) {
    CheckConfig config = script("id -un; id -G; grep -c '^CapEff:.0*$' /proc/self/status");
    config.user = "nobody";
    CHECK(probe(config).output == "nobody\n65534\n1\n");
    config.user = "no-such-user";
    const Result result = probe(config);
    CHECK(result.outcome == Outcome::Error);
    CHECK(result.detail == "cannot run /bin/sh: no such user in /etc/passwd");
}

TEST_CASE("a user that cannot be looked up is not one that does not exist") {
    CHECK(find_account("root").value().has_value());
    CHECK(!find_account("no-such-user").value().has_value());
    rlimit before{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
    const rlimit none{.rlim_cur = 3, .rlim_max = before.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
    const auto found = find_account("root");
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
    REQUIRE(!found);
    CHECK(found.error() == std::errc::too_many_files_open);
}

TEST_CASE("exec: nothing but the standard descriptors and no ignored signal is inherited") {
    const int leak = ::open("/dev/null", O_RDONLY);                   // not close-on-exec
    CHECK(probe(script("ls /proc/self/fd | wc -l")).output == "4\n"); // the fourth is ls's own
    ::close(leak);
    const auto before = std::signal(SIGPIPE, SIG_IGN);
    CHECK(probe(script("grep SigIgn /proc/self/status")).output == "SigIgn:\t0000000000000000\n");
    std::signal(SIGPIPE, before);
}

} // namespace
} // namespace anyvip::health
