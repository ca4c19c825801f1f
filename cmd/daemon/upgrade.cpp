// SPDX-License-Identifier: Apache-2.0
#include "cmd/daemon/upgrade.hpp"

#include <csignal>
#include <cstring>
#include <string_view>
#include <utility>

#include <boost/asio/post.hpp>

#include "cmd/daemon/limits.hpp"
#include "cmd/daemon/wall_time.hpp"

namespace anyvip::cmd {
namespace {

using namespace std::chrono_literals;
using ErrorCode = boost::system::error_code;

constexpr auto settle_pause = 2ms;
/// Rounds of the loop after which a signal that came before they were blocked has been handled.
constexpr int turns_for_signals = 4;
/// A configuration that is reloaded during the trial needs another one.
constexpr int most_trials = 3;

std::string last_line(std::string_view text) {
    while (text.ends_with('\n')) {
        text.remove_suffix(1);
    }
    const std::size_t end = text.rfind('\n');
    return std::string(end == std::string_view::npos ? text : text.substr(end + 1));
}

std::string describe(const health::Ending& ending, const std::string& line) {
    if (ending.signal != 0) {
        return "the new program crashed in its trial: " + std::string(::strsignal(ending.signal)) +
               (line.empty() ? "" : ": " + line);
    }
    if (ending.exit_status != 0) {
        return "the new program cannot take over: " +
               (line.empty() ? "exit status " + std::to_string(ending.exit_status) : line);
    }
    return "the new program does not know how to take over: it said \"" + line + "\"";
}

} // namespace

Upgrade::Upgrade(UpgradeHost host)
    : host_(std::move(host)), path_(program_path()), timer_(host_.io) {}

void Upgrade::begin(const std::string& author) {
    if (is_under_way()) {
        return;
    }
    host_.log.info("upgrade: asked for by " + author + ", trying " + path_);
    began_ = read_clocks().monotonic;
    if (const std::string obstacle = host_.obstacle(); !obstacle.empty()) {
        carry_on(obstacle);
        return;
    }
    auto program = ProgramFile::open(path_);
    if (!program) {
        carry_on(program.error());
        return;
    }
    program_ = *std::move(program);
    trials_ = 0;
    try_out();
}

void Upgrade::try_out() {
    ++trials_;
    tried_config_ = host_.config_text();
    const SavedState state = host_.save(began_);
    const SavedState bfd = host_.save_bfd();
    host_.go_on();
    health::Command command;
    command.argv = {path_, "--upgrade-trial"};
    command.argv.insert(command.argv.end(), host_.arguments.begin() + 1, host_.arguments.end());
    command.input.assign(state.file.begin(), state.file.end());
    command.input.append(bfd.file.begin(), bfd.file.end());
    auto child = health::Child::spawn(host_.io, command);
    if (!child) {
        carry_on("cannot run " + path_ + ": " + child.error().message());
        return;
    }
    child_ = *std::move(child);
    child_->async_end([this](const health::Ending& ending) { trial_ended(ending); });
    timer_.expires_after(limits::upgrade_trial_time);
    timer_.async_wait([this](ErrorCode error) {
        if (!error && child_) {
            carry_on("the new program did not end its trial within 10 s");
        }
    });
}

void Upgrade::trial_ended(const health::Ending& ending) {
    timer_.cancel();
    // It is calling us: it lives until it has returned.
    const std::shared_ptr<health::Child> child = std::move(child_);
    boost::asio::post(host_.io, [child] {});
    const std::string line = last_line(child->output());
    if (ending.signal != 0 || ending.exit_status != 0 || !line.starts_with("ready ")) {
        carry_on(describe(ending, line));
    } else if (!program_->is_at(path_)) {
        carry_on(path_ + " was replaced during the trial");
    } else if (host_.config_text() != tried_config_) {
        try_out_again();
    } else {
        host_.log.info("upgrade: the trial is passed, anyvipd " + line.substr(6) + " takes over");
        commit();
    }
}

// What the new program has not read may be what it cannot take over.
void Upgrade::try_out_again() {
    if (trials_ == most_trials) {
        carry_on("the configuration was reloaded during the trial");
        return;
    }
    if (const std::string obstacle = host_.obstacle(); !obstacle.empty()) {
        carry_on(obstacle);
        return;
    }
    host_.log.info("upgrade: the configuration was reloaded during the trial, once more");
    try_out();
}

void Upgrade::commit() {
    is_committed_ = true;
    is_holding_ = true;
    host_.hold_clients(true);
    settled_by_ = read_clocks().monotonic + limits::upgrade_settle_time;
    wait_until_settled();
}

void Upgrade::wait_until_settled() {
    if (host_.is_settled() || read_clocks().monotonic >= settled_by_) {
        block_signals(true);
        leave(turns_for_signals);
        return;
    }
    timer_.expires_after(settle_pause);
    timer_.async_wait([this](ErrorCode error) {
        if (!error) {
            wait_until_settled();
        }
    });
}

void Upgrade::leave(int turns) {
    boost::asio::post(host_.io, [this, turns] {
        if (turns > 0) {
            leave(turns - 1);
        } else {
            replace();
        }
    });
}

void Upgrade::replace() {
    if (const std::string obstacle = host_.obstacle(); !obstacle.empty()) {
        carry_on(obstacle);
        return;
    }
    host_.turn();
    if (!host_.is_settled() && read_clocks().monotonic < settled_by_) {
        // The last turn had something to say.
        block_signals(false);
        wait_until_settled();
        return;
    }
    if (host_.config_text() != tried_config_) {
        release();
        try_out_again();
        return;
    }
    const std::string problem =
        program_->execute(host_.arguments, host_.save(began_), host_.save_bfd);
    host_.go_on();
    carry_on(problem);
}

// Back from the last moments before the replacement.
void Upgrade::release() {
    is_committed_ = false;
    if (std::exchange(is_holding_, false)) {
        host_.hold_clients(false);
    }
    block_signals(false);
}

void Upgrade::carry_on(const std::string& problem) {
    child_.reset();
    timer_.cancel();
    program_.reset();
    release();
    host_.failed(problem);
}

void block_signals(bool is_blocked) {
    sigset_t signals;
    ::sigemptyset(&signals);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR2}) {
        ::sigaddset(&signals, signal);
    }
    ::pthread_sigmask(is_blocked ? SIG_BLOCK : SIG_UNBLOCK, &signals, nullptr);
}

} // namespace anyvip::cmd
