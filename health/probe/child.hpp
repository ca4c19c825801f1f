// SPDX-License-Identifier: Apache-2.0
// A child process of an exec check or a hook: own process group, pidfd, one pipe for all that it
// prints.
#pragma once

#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <system_error>

#include <boost/asio/io_context.hpp>

#include "health/probe/launch.hpp"

namespace anyvip::health {

/// How a child ended: exit status, or the signal that killed it.
struct Ending {
    int exit_status = 0;
    int signal = 0;
    bool is_unknown = false; ///< somebody else has reaped it, or SIGCHLD is ignored
};

/// At most this many killed children of checks may refuse to end (disk wait) before no new one is
/// started.
inline constexpr int max_unreaped = 64;

/// Killed children of checks that have not ended yet.
[[nodiscard]] int unreaped_children();

/// All children that are not reaped yet. They stay children when this process executes another
/// program.
[[nodiscard]] std::vector<int> living_children();

/// The environment variable that tells which run of a check a process belongs to, wherever it goes.
inline constexpr const char* run_variable = "ANYVIP_RUN";

/// Has the program that was started for this run neither ended nor been killed?
[[nodiscard]] bool is_under_way(const std::string& run);

/// Called from the loop whenever a child has ended; replaces the one before.
void on_child_end(std::function<void()> then);

/// Is a killed child of this owner still there? Then why it could not be killed; no error: it is
/// about to end, or waits for a disk.
[[nodiscard]] std::optional<std::error_code> dying_child(const std::string& owner);

/// Called once from the loop when the owner has no such child any more; replaces the one before.
void when_reaped(const std::string& owner, std::function<void()> then);

/// Owns one process group. Its destruction kills the whole group and reaps the child later, from
/// the loop, without waiting for it.
class Child {
  public:
    /// ECHILD when it ran, but somebody else reaped it at once. `owner` is a check, and then it may
    /// be EAGAIN: `max_unreaped` is reached. Who starts a child for anything else sees to it that
    /// they do not become many; no check suffers from them.
    [[nodiscard]] static std::expected<std::unique_ptr<Child>, std::error_code>
    spawn(boost::asio::io_context& io, const Command& command, std::string owner = {});
    ~Child();
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;

    /// From the loop when the child itself has ended; its group is killed then, so that nothing is
    /// left behind. What it printed is complete in `output()`.
    void async_end(std::function<void(Ending)> on_end);

    /// Its whole group; the end is told as any other. An error: it goes on.
    [[nodiscard]] std::error_code kill();

    /// The last 4 KiB of standard output and standard error.
    [[nodiscard]] const std::string& output() const;
    [[nodiscard]] int pid() const;
    /// Where what it prints comes out; it stays the child's.
    [[nodiscard]] int output_descriptor() const;
    /// It printed more than anybody reads; reading has stopped, and so it blocks.
    [[nodiscard]] bool is_flooding() const;

  private:
    struct Impl;
    explicit Child(std::shared_ptr<Impl> impl);
    std::shared_ptr<Impl> impl_;
};

} // namespace anyvip::health
