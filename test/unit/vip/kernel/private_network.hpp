// SPDX-License-Identifier: Apache-2.0
// A network namespace of its own for one test case, a loop to run in it, and the `ip` command as
// "somebody else".
#pragma once

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <string>

#include <boost/asio/io_context.hpp>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

namespace anyvip::vip::kernel::test {

/// Whether the command succeeded; what it says is not of interest.
inline bool run(const std::string& command) {
    return std::system((command + " >/dev/null 2>&1").c_str()) == 0;
}

/// Each one leaves the namespace of the one before, which ends with its last socket.
class PrivateNetwork {
  public:
    PrivateNetwork() {
        REQUIRE(::unshare(CLONE_NEWNET) == 0); // needs root
        REQUIRE(run("ip link set lo up"));
    }

    boost::asio::io_context loop;

    /// Runs the loop until the condition holds, for at most five seconds.
    template <typename Condition> [[nodiscard]] bool run_until(Condition condition) {
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
        while (!condition()) {
            if (std::chrono::steady_clock::now() > deadline) {
                return false;
            }
            loop.restart();
            loop.run_one_for(std::chrono::milliseconds(20));
        }
        return true;
    }
};

/// Another machine: a namespace beside the present one, joined to it by a cable from up0 (here) to
/// far0 (there), both up.
class RemoteHost {
  public:
    RemoteHost() : home_(open_current()) {
        REQUIRE(::unshare(CLONE_NEWNET) == 0);
        there_ = open_current();
        REQUIRE(::setns(home_, CLONE_NEWNET) == 0);
        const std::string descriptor =
            "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(there_);
        REQUIRE(run("ip link add up0 type veth peer name far0 && ip link set up0 up"));
        REQUIRE(run("ip link set far0 netns " + descriptor));
        in([] { REQUIRE(run("ip link set lo up && ip link set far0 up")); });
    }

    ~RemoteHost() {
        ::close(home_);
        ::close(there_);
    }

    RemoteHost(const RemoteHost&) = delete;
    RemoteHost& operator=(const RemoteHost&) = delete;

    /// What is called in there: commands run, sockets made.
    template <typename Function> void in(Function function) const {
        REQUIRE(::setns(there_, CLONE_NEWNET) == 0);
        function();
        REQUIRE(::setns(home_, CLONE_NEWNET) == 0);
    }

  private:
    static int open_current() { return ::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC); }

    int home_;
    int there_ = -1;
};

class TemporaryDirectory {
  public:
    TemporaryDirectory() {
        std::string name = (std::filesystem::temp_directory_path() / "anyvip-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        path = name;
    }

    ~TemporaryDirectory() {
        std::error_code ignored;
        std::filesystem::remove_all(path, ignored);
    }

    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

    std::filesystem::path path;
};

} // namespace anyvip::vip::kernel::test
