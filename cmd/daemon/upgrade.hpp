// SPDX-License-Identifier: Apache-2.0
// The side of an upgrade in place that hands over: a trial as a child process, a moment in which
// nothing is half done, then the program on disk in our place. Until then nothing is lost: whatever
// fails, this program carries on.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "cmd/daemon/log.hpp"
#include "cmd/daemon/program.hpp"
#include "health/probe/child.hpp"

namespace anyvip::cmd {

/// What an upgrade needs of the runtime.
struct UpgradeHost {
    boost::asio::io_context& io;
    Log& log;
    std::vector<std::string> arguments; ///< of this process
    /// Of the configuration in force.
    std::function<std::string()> config_text;
    /// Everything that goes over but BFD, as of now.
    std::function<SavedState(Instant began)> save;
    /// BFD, which stands still from then on.
    std::function<SavedState()> save_bfd;
    /// BFD goes on: it was a rehearsal, or the replacement has failed.
    std::function<void()> go_on;
    /// Why there cannot be one now; empty: there can.
    std::function<std::string()> obstacle;
    /// New clients have to wait, or no more.
    std::function<void(bool is_held)> hold_clients;
    std::function<bool()> is_settled;
    /// The last turn before the replacement: all that is due is done.
    std::function<void()> turn;
    /// It has ended without a replacement.
    std::function<void(const std::string& problem)> failed;
};

class Upgrade {
  public:
    explicit Upgrade(UpgradeHost host);

    /// Joins the one that is under way. `author`: for the log.
    void begin(const std::string& author);

    [[nodiscard]] bool is_under_way() const { return child_ || is_committed_; }

  private:
    void try_out();
    void trial_ended(const health::Ending& ending);
    void try_out_again();
    void commit();
    void wait_until_settled();
    void leave(int turns);
    void replace();
    void release();
    void carry_on(const std::string& problem);

    UpgradeHost host_;
    std::string path_;
    std::optional<ProgramFile> program_;
    std::unique_ptr<health::Child> child_;
    std::string tried_config_; ///< with which the trial was made
    int trials_ = 0;
    boost::asio::steady_timer timer_;
    Instant began_;
    Instant settled_by_;
    bool is_committed_ = false;
    bool is_holding_ = false;
};

/// SIGTERM and its like wait from now on, or no more. They wait over the replacement, too: none is
/// lost and none kills a program that has no handler yet.
void block_signals(bool is_blocked);

} // namespace anyvip::cmd
