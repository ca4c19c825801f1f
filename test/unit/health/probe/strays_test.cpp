// SPDX-License-Identifier: Apache-2.0
// What programs leave behind in sessions of their own.
#include "health/probe/strays.hpp"

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "health/probe/child.hpp"
#include "test/unit/health/probe/support.hpp"

namespace anyvip::health {
namespace {

using namespace test;

/// Orphans come to this process, while it lives.
struct World {
    World() { std::filesystem::remove(path); }

    ~World() {
        strays.reset();
        const auto none_is_left = [] {
            return ::waitpid(-1, nullptr, WNOHANG) < 0 && errno == ECHILD;
        };
        CHECK(run_until(io, none_is_left));
        ::prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
        std::filesystem::remove(path);
    }

    World(const World&) = delete;
    World& operator=(const World&) = delete;

    /// Leaves `text` running in a session of its own; `then` is what the script does when it runs.
    [[nodiscard]] Command leaving(const std::string& text, const std::string& then) const {
        return {.argv = {"/bin/sh",
                         "-c",
                         "(setsid sh -c 'echo $$ >" + path + "; " + text + "' &) ; until test -s " +
                             path + "; do sleep 0.02; done; " + then},
                .env = {},
                .user = {}};
    }

    [[nodiscard]] pid_t stray() const {
        pid_t pid = 0;
        std::ifstream(path) >> pid;
        return pid;
    }

    /// 0: it runs; ECHILD: it is reaped, or not our child yet.
    [[nodiscard]] int state() const {
        siginfo_t info{};
        const auto id = static_cast<id_t>(stray());
        return ::waitid(P_PID, id, &info, WEXITED | WNOHANG | WNOWAIT) == 0 ? 0 : errno;
    }

    /// A zombie that nobody waits for any more.
    [[nodiscard]] bool has_been_killed() const {
        siginfo_t info{};
        const auto id = static_cast<id_t>(stray());
        return ::waitid(P_PID, id, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
               info.si_code == CLD_KILLED;
    }

    std::string path =
        std::filesystem::temp_directory_path() / ("anyvip-stray-" + std::to_string(::getpid()));
    boost::asio::io_context io;
    std::vector<std::string> warnings;
    std::optional<Strays> strays{
        std::in_place,
        io,
        StraysHost{[](int) { return false; },
                   [this](const std::string& text) { warnings.push_back(text); }},
        milliseconds(20)};
};

TEST_CASE("what a check leaves in a session of its own is killed when its run is over") {
    World world;
    const Command command = world.leaving("sleep 300", "exit 0");
    CHECK(probe(world.io, config_of(ExecTarget{.command = command.argv})).outcome == Outcome::Pass);
    REQUIRE(world.stray() > 0);
    REQUIRE(run_until(world.io, [&] { return world.state() == ECHILD; }));
    REQUIRE_FALSE(world.warnings.empty());
    CHECK(world.warnings[0] == "check test: what its program left running is killed: sh; so far 1");
}

TEST_CASE("what a check leaves when it is killed at its timeout is killed, too") {
    World world;
    const Command command = world.leaving("sleep 300", "sleep 300");
    const auto config = config_of(ExecTarget{.command = command.argv}, milliseconds(500));
    CHECK(probe(world.io, config).outcome == Outcome::Timeout);
    REQUIRE(world.stray() > 0);
    CHECK(run_until(world.io, [&] { return world.state() == ECHILD; }));
}

TEST_CASE("while its run goes on, what a check has put aside is left alone") {
    World world;
    const Command command =
        world.leaving("sleep 300", "sleep 0.4; kill -0 $(cat " + world.path + ")");
    std::optional<Result> result;
    const auto run = make_probe(world.io,
                                config_of(ExecTarget{.command = command.argv}, milliseconds(9000)),
                                [&](Result finished) { result = std::move(finished); });
    REQUIRE(run_until(world.io, [&] {
        world.strays->look();
        return result.has_value();
    }));
    CHECK(result->detail == "exit status 0");
    CHECK(run_until(world.io, [&] { return world.state() == ECHILD; }));
}

TEST_CASE("what is of no check is not killed, and reaped when it ends") {
    World world;
    const auto hook = Child::spawn(world.io, world.leaving("sleep 0.3", "exit 0"));
    REQUIRE(hook.has_value());
    bool has_ended = false;
    (*hook)->async_end([&](const Ending&) { has_ended = true; });
    REQUIRE(run_until(world.io, [&] { return has_ended; }));
    world.strays->look();
    CHECK(world.state() == 0);
    CHECK(run_until(world.io, [&] { return world.state() == ECHILD; }));
    CHECK(world.warnings.empty());
}

TEST_CASE("nothing of a check outlives the program") {
    World world; // its end waits for all
    const Command command = world.leaving("sleep 300", "sleep 300");
    auto run =
        make_probe(world.io, config_of(ExecTarget{.command = command.argv}), [](const Result&) {});
    REQUIRE(run_until(world.io, [&] { return world.stray() > 0 && world.state() == 0; }));
    run.reset();
    world.strays.reset();
    CHECK(run_until(world.io, [&] { return world.has_been_killed(); }));
}

} // namespace
} // namespace anyvip::health
