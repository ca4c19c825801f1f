// SPDX-License-Identifier: Apache-2.0
#include "cmd/daemon/hooks.hpp"

#include <utility>

#include <fnmatch.h>

#include <boost/asio/post.hpp>

#include "cmd/daemon/limits.hpp"

namespace anyvip::cmd {

Hooks::Hooks(boost::asio::io_context& io, Log& log) : io_(io), log_(log) {}

void Hooks::run(const LoggedEvent& event) {
    for (const HookConfig& hook : hooks_) {
        if (::fnmatch(hook.event.c_str(), event.event.c_str(), 0) != 0) {
            continue;
        }
        if (waiting_.size() >= limits::hooks_waiting) {
            log_.warning("hook " + hook.command.front() + ": not run for " + event.event + " " +
                         event.name + ": too many are waiting");
            continue;
        }
        health::Command command;
        command.argv = hook.command;
        command.user = hook.user;
        command.input = event.json + "\n";
        waiting_.push_back(std::move(command));
    }
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
            health::Command& command = waiting_.emplace_back();
            command.argv = one.argv;
            command.user = one.user;
            command.input = one.input;
        }
    }
    start_next();
}

void Hooks::start_next() {
    while (!waiting_.empty() && running_.size() < limits::hooks_running) {
        const health::Command command = std::move(waiting_.front());
        waiting_.pop_front();
        auto child = health::Child::spawn(io_, command);
        if (!child) {
            log_.warning("hook " + command.argv.front() + ": " + child.error().message());
            continue;
        }
        const std::uint64_t id = next_id_++;
        Running& running = running_
                               .emplace(id,
                                        Running{command.argv.front(),
                                                *std::move(child),
                                                boost::asio::steady_timer(io_, limits::hook_time)})
                               .first->second;
        running.child->async_end([this, id](health::Ending ending) {
            std::string problem;
            if (ending.signal != 0) {
                problem = "killed by signal " + std::to_string(ending.signal);
            } else if (ending.exit_status != 0) {
                problem = "exit status " + std::to_string(ending.exit_status);
            }
            end(id, problem);
        });
        running.timeout.async_wait([this, id](boost::system::error_code error) {
            if (!error) {
                end(id, "killed: it took longer than 10 s");
            }
        });
    }
}

// Both completions may be on their way when a hook ends just at its limit: the first one counts.
void Hooks::end(std::uint64_t id, const std::string& problem) {
    auto ended = running_.extract(id);
    if (ended.empty()) {
        return;
    }
    Running& running = ended.mapped();
    if (!problem.empty()) {
        log_.warning("hook " + running.name + ": " + problem);
    }
    // The child may be calling us: it lives until it has returned.
    boost::asio::post(io_, [child = std::shared_ptr<health::Child>(std::move(running.child))] {});
    start_next();
}

} // namespace anyvip::cmd
