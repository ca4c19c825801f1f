// SPDX-License-Identifier: Apache-2.0
// Children of a predecessor: reaped whenever they end, over any number of upgrades.
#include "cmd/daemon/orphans.hpp"

#include <array>
#include <cerrno>
#include <chrono>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include "cmd/daemon/wall_time.hpp"
#include "health/probe/launch.hpp"

using namespace anyvip;
using namespace anyvip::cmd;
using namespace std::chrono_literals;

namespace {

/// `sleep` for so many seconds; `output` is the end of its pipe that is ours.
OrphanHandedOver child(const char* seconds) {
    std::array<int, 2> ends{};
    REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
    health::Command command;
    command.argv = {"/bin/sleep", seconds};
    const auto pid = health::launch(command, ends[1]);
    ::close(ends[1]);
    REQUIRE(pid.has_value());
    return {*pid, ends[0], true, std::nullopt};
}

bool is_reaped(int pid) {
    siginfo_t info{};
    return ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) != 0 &&
           errno == ECHILD;
}

} // namespace

TEST_CASE("a child that outlives its upgrade goes over to the next, with the time it has left") {
    boost::asio::io_context io;
    std::vector<std::size_t> told;
    Orphans orphans(io, [&](std::size_t hooks) { told.push_back(hooks); });
    OrphanHandedOver hook = child("1000");
    hook.end_by = read_clocks().monotonic + 300ms;
    orphans.adopt({hook});
    const auto handed_over = orphans.hand_over();
    REQUIRE(handed_over.size() == 1);
    CHECK(handed_over[0].pid == hook.pid);
    CHECK(handed_over[0].output == hook.output);
    CHECK(handed_over[0].is_hook);
    CHECK(handed_over[0].end_by == hook.end_by);
    io.run_for(10s); // ends with the last of them
    CHECK(read_clocks().monotonic >= *hook.end_by);
    CHECK(is_reaped(hook.pid));
    CHECK(orphans.hand_over().empty());
    CHECK(told == std::vector<std::size_t>{1, 0}); // so long it has its place among the hooks
}

TEST_CASE("a predecessor that does not say how long, or says too long: as long as any hook") {
    boost::asio::io_context io;
    Orphans orphans(io, [](std::size_t) {});
    const OrphanHandedOver silent = child("0.1");
    OrphanHandedOver boasting = child("0.1");
    boasting.end_by = read_clocks().monotonic + 1000h;
    orphans.adopt({silent, boasting});
    for (const OrphanHandedOver& one : orphans.hand_over()) {
        REQUIRE(one.end_by.has_value());
        CHECK(*one.end_by <= read_clocks().monotonic + 10s);
        CHECK(*one.end_by >= read_clocks().monotonic + 9s);
    }
    io.run_for(10s);
    CHECK(is_reaped(silent.pid));
    CHECK(is_reaped(boasting.pid));
}

TEST_CASE("the child of a probe ends at once: the probe is made again") {
    boost::asio::io_context io;
    Orphans orphans(io, [](std::size_t) {});
    OrphanHandedOver probe = child("1000");
    probe.is_hook = false;
    orphans.adopt({probe});
    io.run_for(10s);
    CHECK(is_reaped(probe.pid));
}
