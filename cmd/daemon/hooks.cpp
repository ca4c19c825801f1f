// SPDX-License-Identifier: Apache-2.0
#include "cmd/daemon/hooks.hpp"

#include <utility>

#include <fnmatch.h>

#include <boost/asio/post.hpp>

namespace anyvip::cmd {
namespace {

/// About what it takes in memory.
std::size_t octets_of(const health::Command& command) {
    constexpr std::size_t objects = 512;
    std::size_t octets = objects + command.user.size() + command.input.size();
    for (const std::string& argument : command.argv) {
        octets += sizeof argument + argument.size();
    }
    return octets;
}

} // namespace

Hooks::Hooks(boost::asio::io_context& io, Log& log, HookLimits limits)
    : io_(io), log_(log), limits_(limits) {}

void Hooks::run(const LoggedEvent& event) {
    for (const HookConfig& hook : hooks_) {
        if (::fnmatch(hook.event.c_str(), event.event.c_str(), 0) != 0) {
            continue;
        }
        if (waiting_octets_ >= limits_.waiting_octets) {
            ++dropped_;
            log_.warning("hook " + hook.command.front() + ": not run for " + event.event + " " +
                         event.name + ": " + std::to_string(waiting_.size()) +
                         " wait already; not run so far: " + std::to_string(dropped_));
            continue;
        }
        health::Command command;
        command.argv = hook.command;
        command.user = hook.user;
        command.input = event.json + "\n";
        wait_for_place(std::move(command));
    }
    start_next();
}

void Hooks::predecessors(std::size_t count) {
    predecessors_ = count;
    start_next();
}

std::vector<WaitingHook> Hooks::waiting() const {
    std::vector<WaitingHook> result;
    for (const health::Command& command : waiting_) {
        result.push_back({command.argv, command.user, command.input});
    }
    return result;
}

std::vector<OrphanHandedOver> Hooks::running() const {
    std::vector<OrphanHandedOver> result;
    for (const auto& [id, running] : running_) {
        result.push_back({running.child->pid(),
                          running.child->output_descriptor(),
                          true,
                          running.timeout.expiry()});
    }
    return result;
}

void Hooks::take_over(const std::vector<WaitingHook>& waiting) {
    for (const WaitingHook& one : waiting) {
        if (!one.argv.empty()) {
            health::Command command;
            command.argv = one.argv;
            command.user = one.user;
            command.input = one.input;
            wait_for_place(std::move(command));
        }
    }
    start_next();
}

void Hooks::wait_for_place(health::Command command) {
    waiting_octets_ += octets_of(command);
    waiting_.push_back(std::move(command));
}

void Hooks::start_next() {
    while (!waiting_.empty() && running_.size() + predecessors_ < limits_.running) {
        const health::Command command = std::move(waiting_.front());
        waiting_.pop_front();
        waiting_octets_ -= octets_of(command);
        start(command);
    }
}

void Hooks::start(const health::Command& command) {
    auto child = health::Child::spawn(io_, command);
    if (!child) {
        log_.warning("hook " + command.argv.front() + ": " + child.error().message());
        return;
    }
    const std::uint64_t id = next_id_++;
    Running& running = running_
                           .emplace(id,
                                    Running{command.argv.front(),
                                            *std::move(child),
                                            boost::asio::steady_timer(io_, limits_.time)})
                           .first->second;
    running.child->async_end([this, id](health::Ending ending) { end(id, ending); });
    running.timeout.async_wait([this, id](boost::system::error_code error) {
        if (!error) {
            kill(id);
        }
    });
}

// It may have ended just now; that is told then.
void Hooks::kill(std::uint64_t id) {
    const auto found = running_.find(id);
    if (found == running_.end()) {
        return;
    }
    Running& running = found->second;
    running.is_killed = true;
    const std::error_code error = running.child->kill();
    log_.warning("hook " + running.name +
                 (error ? ": it takes longer than 10 s and cannot be killed: " + error.message()
                        : ": killed: it took longer than 10 s"));
}

void Hooks::end(std::uint64_t id, health::Ending ending) {
    auto ended = running_.extract(id);
    if (ended.empty()) {
        return;
    }
    Running& running = ended.mapped();
    if (ending.signal != 0 && !running.is_killed) {
        log_.warning("hook " + running.name + ": killed by signal " +
                     std::to_string(ending.signal));
    } else if (ending.exit_status != 0) {
        log_.warning("hook " + running.name + ": exit status " +
                     std::to_string(ending.exit_status));
    }
    // The child is calling us: it lives until it has returned.
    boost::asio::post(io_, [child = std::shared_ptr<health::Child>(std::move(running.child))] {});
    start_next();
}

} // namespace anyvip::cmd
