// SPDX-License-Identifier: Apache-2.0
// process, file and haproxy checks: what is on this host.
#include <array>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <vector>

#include <linux/sched.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/write.hpp>

#include "health/probe/haproxy_stats.hpp"
#include "test/unit/health/probe/support.hpp"

namespace anyvip::health {
namespace {

using namespace test;
using Local = boost::asio::local::stream_protocol;

struct Path {
    explicit Path(const char* name)
        : text(std::filesystem::temp_directory_path() /
               ("anyvip-" + std::to_string(::getpid()) + "-" + name)) {
        std::filesystem::remove(text);
    }

    ~Path() { std::filesystem::remove(text); }

    void write(const std::string& content) const { std::ofstream(text) << content; }

    std::string text;
};

TEST_CASE("process: the pidfile's process lives, has ended, is gone, or there is none") {
    const Path file("pid");
    const auto run = [&] { return probe(config_of(ProcessTarget{.pidfile = file.text})); };
    Result result = run();
    CHECK(result.outcome == Outcome::Fail);
    CHECK(result.detail == file.text + " is missing");
    CHECK(result.is_hard);

    file.write("no number\n");
    result = run();
    CHECK(result.outcome == Outcome::Fail);
    CHECK(result.detail == file.text + " holds no process id");
    CHECK(!result.is_hard); // it may be written just now

    std::string program = "/bin/sleep";
    std::string argument = "300";
    char* const argv[] = {program.data(), argument.data(), nullptr};
    pid_t pid = 0;
    REQUIRE(::posix_spawn(&pid, program.c_str(), nullptr, nullptr, argv, environ) == 0);
    const std::string name = "process " + std::to_string(pid);
    file.write("  " + std::to_string(pid) + "\n");
    result = run();
    CHECK(result.outcome == Outcome::Pass);
    CHECK(result.detail == name + " is running");

    ::kill(pid, SIGKILL);
    siginfo_t info{};
    ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT);
    result = run();
    CHECK(result.detail == name + " has ended"); // a zombie
    CHECK(result.is_hard);
    ::waitpid(pid, nullptr, 0);
    result = run();
    CHECK(result.detail == name + " is gone");
    CHECK(result.is_hard);
}

/// A process that waits, with this number if it is free.
pid_t start_as(pid_t wanted) {
    clone_args arguments{};
    arguments.exit_signal = SIGCHLD;
    arguments.set_tid = reinterpret_cast<std::uintptr_t>(&wanted);
    arguments.set_tid_size = 1;
    const auto pid = static_cast<pid_t>(::syscall(SYS_clone3, &arguments, sizeof arguments));
    if (pid == 0) {
        ::pause();
        ::_exit(0);
    }
    return pid;
}

void end(pid_t pid) {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
}

TEST_CASE("process: another process with the number of the dead one is not taken for it" *
          doctest::skip(::geteuid() != 0)) {
    const Path file("reused");
    const auto run = [&] { return probe(config_of(ProcessTarget{.pidfile = file.text})); };
    const pid_t pid = ::fork();
    if (pid == 0) {
        ::pause();
        ::_exit(0);
    }
    file.write(std::to_string(pid));
    CHECK(run().outcome == Outcome::Pass);
    end(pid);
    // Start times are clock ticks of 10 ms.
    const Instant later = std::chrono::steady_clock::now() + milliseconds(30);
    while (std::chrono::steady_clock::now() < later) {
    }
    REQUIRE(start_as(pid) == pid);
    const Result result = run();
    CHECK(result.outcome == Outcome::Fail);
    CHECK(result.is_hard);
    CHECK(result.detail == "process " + std::to_string(pid) + " is not the one that " + file.text +
                               " was written for, which is gone");
    std::filesystem::remove(file.text);
    file.write(std::to_string(pid)); // by its own start script
    CHECK(run().outcome == Outcome::Pass);
    end(pid);
}

TEST_CASE("process: a unit where systemd does not run is an error that says so" *
          doctest::skip(std::filesystem::exists("/run/systemd/system"))) {
    const Result result = probe(config_of(ProcessTarget{.pidfile = {}, .unit = "app.service"}));
    CHECK(result.outcome == Outcome::Error);
    CHECK(result.detail == "unit app.service: systemd is not running here; use pidfile");
    CHECK(!result.is_our_fault);
}

TEST_CASE("file: present and absent") {
    const Path file("file");
    const auto run = [&](bool up_when_present) {
        return probe(config_of(FileTarget{.path = file.text, .up_when_present = up_when_present}));
    };
    CHECK(run(true).outcome == Outcome::Fail);
    CHECK(run(true).is_hard);
    CHECK(run(false).outcome == Outcome::Pass);
    CHECK(run(false).detail == file.text + " is absent");
    file.write("");
    CHECK(run(true).outcome == Outcome::Pass);
    CHECK(run(true).detail == file.text + " is present");
    CHECK(run(false).outcome == Outcome::Fail);
    CHECK(probe(config_of(FileTarget{.path = file.text + "/below"})).outcome == Outcome::Fail);
}

/// Only its last octet is missing.
constexpr const char* cut_off = "# pxname,svname,status\n"
                                "web,a,UP\n";

constexpr const char* stats = "# pxname,svname,qcur,status,weight\n"
                              "web,a,0,UP,1\n"
                              "web,b,0,UP 1/3,1\n"
                              "web,c,0,DOWN,1\n"
                              "web,d,0,MAINT,1\n"
                              "web,BACKEND,0,UP,1\n"
                              "api,a,0,no check,1\n"
                              "old,a,0,DOWN 1/2,1\n"
                              "\n";

TEST_CASE("haproxy: servers are counted for each backend, wherever the columns are") {
    const auto found = parse_haproxy_stats(stats);
    REQUIRE(found);
    CHECK(found->size() == 3);
    CHECK(found->at("web").up == 2);
    CHECK(found->at("web").all == 4);
    CHECK(found->at("api").up == 1);
    CHECK(found->at("old").up == 0);
    CHECK(parse_haproxy_stats("# pxname,svname,status\n")->empty());
    CHECK(parse_haproxy_stats("# status,pxname,svname\nUP,web,a\nshort\n")->at("web").up == 1);
    CHECK(!parse_haproxy_stats("# pxname,svname\nweb,a\n"));
    CHECK(!parse_haproxy_stats("Unknown command"));
    CHECK(!parse_haproxy_stats(""));
}

TEST_CASE("haproxy: enough servers are a pass with their share as weight") {
    struct Row {
        std::vector<std::string> backends;
        std::uint32_t min_up;
        const char* answer;
        Outcome outcome;
        const char* detail;
        std::optional<std::uint32_t> weight{};
    };

    const std::vector<Row> rows{
        {{"web"}, 1, stats, Outcome::Pass, "web 2/4 up", 50},
        {{"web", "api"}, 1, stats, Outcome::Pass, "web 2/4 up, api 1/1 up", 60},
        {{"web"}, 3, stats, Outcome::Fail, "web 2/4 up, wanted 3"},
        {{"web", "old"}, 1, stats, Outcome::Fail, "web 2/4 up, old 0/1 up, wanted 1"},
        {{"other"}, 1, stats, Outcome::Fail, "no backend other with servers"},
        {{"web"},
         1,
         "Permission denied\n",
         Outcome::Fail,
         "show stat: not an answer of HAProxy: Permission denied."},
        {{"web"}, 1, "", Outcome::Fail, "show stat: not an answer of HAProxy: "},
        {{"web"}, 1, cut_off, Outcome::Fail, "show stat: the answer is cut off after 32 octets"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.detail);
        const Path path("haproxy");
        boost::asio::io_context io;
        Local::acceptor acceptor(io, Local::endpoint(path.text));
        Local::socket connection(io);
        std::array<char, 64> heard{};
        acceptor.async_accept(connection, [&](const auto&) {
            connection.async_read_some(
                boost::asio::buffer(heard), [&](const auto&, std::size_t octets) {
                    CHECK(std::string_view(heard.data(), octets) == "show stat -1 4 -1\n");
                    boost::asio::write(connection,
                                       boost::asio::buffer(std::string_view(row.answer)));
                    connection.close();
                });
        });
        const HaproxyTarget target{
            .socket = path.text, .backends = row.backends, .min_up = row.min_up};
        const Result result = probe(io, config_of(target));
        CHECK(result.outcome == row.outcome);
        CHECK(result.detail == row.detail);
        CHECK(result.weight == row.weight);
        acceptor.close();
        CHECK(probe(io, config_of(target)).detail == "connect refused");
        CHECK(probe(io, config_of(target)).is_hard);
    }
}

} // namespace
} // namespace anyvip::health
