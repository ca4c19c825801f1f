// SPDX-License-Identifier: Apache-2.0
// Hooks in bursts, and hooks that do not end.
#include "cmd/daemon/hooks.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>

#include <fcntl.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include "test/support/without_kill.hpp"

using namespace anyvip;
using namespace anyvip::cmd;
using namespace std::chrono_literals;

namespace {

bool run_until(boost::asio::io_context& io, const std::function<bool()>& condition) {
    const auto end = std::chrono::steady_clock::now() + 60s;
    while (!condition() && std::chrono::steady_clock::now() < end) {
        io.restart();
        io.run_one_for(20ms);
    }
    return condition();
}

struct TemporaryFile {
    ~TemporaryFile() { std::filesystem::remove(path); }

    [[nodiscard]] std::multiset<std::string> lines() const {
        std::multiset<std::string> result;
        std::ifstream file(path);
        for (std::string line; std::getline(file, line);) {
            result.insert(line);
        }
        return result;
    }

    std::string path =
        std::filesystem::temp_directory_path() / ("anyvip-hooks-" + std::to_string(::getpid()));
};

/// A log that can be read.
struct LogFile {
    LogFile() { REQUIRE(::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) == 0); }

    ~LogFile() {
        ::close(ends[0]);
        ::close(ends[1]);
    }

    LogFile(const LogFile&) = delete;
    LogFile& operator=(const LogFile&) = delete;

    [[nodiscard]] std::string read() const {
        std::array<char, 65536> text{};
        const ssize_t octets = ::read(ends[0], text.data(), text.size());
        return {text.data(), static_cast<std::size_t>(std::max<ssize_t>(octets, 0))};
    }

    std::array<int, 2> ends{};
};

LoggedEvent event(int number) {
    return {.at = {},
            .event = "vip.withdrawn",
            .name = "www",
            .reason = "",
            .json = "{\"number\":" + std::to_string(number) + "}"};
}

HookConfig writes_to(const std::string& path) {
    return {.event = "vip.*", .command = {"/bin/sh", "-c", "cat >>\"$0\"", path}, .user = ""};
}

} // namespace

TEST_CASE("CONTRACT §2: a hook is run on every event of a burst") {
    constexpr int burst = 600;
    const TemporaryFile file;
    boost::asio::io_context io;
    const LogFile log_file;
    Log log(log_file.ends[1]);
    Hooks hooks(io, log);
    hooks.configure({writes_to(file.path), {"peer.*", {"/bin/false"}, ""}});
    for (int i = 0; i < burst; ++i) {
        hooks.run(event(i));
    }
    CHECK(hooks.running().size() == limits::hooks_running);
    CHECK(hooks.waiting().size() == burst - limits::hooks_running);
    REQUIRE(run_until(io, [&] { return hooks.running().empty(); }));
    const auto lines = file.lines();
    CHECK(lines.size() == burst);
    CHECK(lines.contains("{\"number\":599}"));
    CHECK(std::set(lines.begin(), lines.end()).size() == burst);
    CHECK(log_file.read().empty());
}

TEST_CASE("a burst of a full node fits: 10,000 VIPs that go and come back") {
    boost::asio::io_context io;
    Log log(-1);
    Hooks hooks(io, log, {.running = 0});
    hooks.configure({writes_to("/dev/null")});
    LoggedEvent usual = event(0);
    usual.json.resize(600, ' ');
    for (int i = 0; i < 20'000; ++i) {
        hooks.run(usual);
    }
    CHECK(hooks.waiting().size() == 20'000);
}

TEST_CASE("what finds no place to wait is counted, and the log says so") {
    boost::asio::io_context io;
    const LogFile log_file;
    Log log(log_file.ends[1]);
    Hooks hooks(io, log, {.running = 0, .waiting_octets = 2000});
    hooks.configure({writes_to("/dev/null")});
    for (int i = 0; i < 6; ++i) {
        hooks.run(event(i));
    }
    const std::size_t waiting = hooks.waiting().size();
    CHECK(waiting == 3);
    const std::string text = log_file.read();
    CHECK(text.contains("hook /bin/sh: not run for vip.withdrawn www: 3 wait already; "
                        "not run so far: 1\n"));
    CHECK(text.contains("not run so far: 3\n"));
}

TEST_CASE("a hook that takes too long is killed and gives its place to the next") {
    const TemporaryFile file;
    boost::asio::io_context io;
    const LogFile log_file;
    Log log(log_file.ends[1]);
    Hooks hooks(io, log, {.running = 1, .time = 100ms});
    hooks.configure({{"vip.*", {"/bin/sleep", "1000"}, ""}});
    hooks.run(event(1));
    hooks.configure({writes_to(file.path)});
    hooks.run(event(2));
    CHECK(hooks.waiting().size() == 1);
    REQUIRE(run_until(io, [&] { return hooks.running().empty(); }));
    CHECK(file.lines().size() == 1);
    CHECK(log_file.read().contains("hook /bin/sleep: killed: it took longer than 10 s\n"));
}

TEST_CASE("hooks that cannot be killed keep their places" * doctest::skip(::geteuid() != 0)) {
    CHECK(test::as_daemon_without_kill([] {
        boost::asio::io_context io;
        Log log(-1);
        Hooks hooks(io, log, {.running = 2, .time = 100ms});
        hooks.configure({{"vip.*", {"/bin/sleep", "3"}, "nobody"}});
        for (int i = 0; i < 3; ++i) {
            hooks.run(event(i));
        }
        io.run_for(1s); // ten times as long as they may
        const bool is_kept = hooks.running().size() == 2 && hooks.waiting().size() == 1;
        return is_kept && health::unreaped_children() == 0 &&
               run_until(io, [&] { return hooks.waiting().empty(); });
    }));
}

TEST_CASE("the hooks of a predecessor have places until they end") {
    const TemporaryFile file;
    boost::asio::io_context io;
    Log log(-1);
    Hooks hooks(io, log, {.running = 2});
    hooks.predecessors(2);
    hooks.take_over({{{"/bin/sh", "-c", "cat >>\"$0\"", file.path}, "", "{}\n"}});
    CHECK(hooks.running().empty());
    hooks.predecessors(1);
    CHECK(hooks.running().size() == 1);
    REQUIRE(run_until(io, [&] { return hooks.running().empty(); }));
    CHECK(file.lines().size() == 1);
}
