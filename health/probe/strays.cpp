// SPDX-License-Identifier: Apache-2.0
#include "health/probe/strays.hpp"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string_view>
#include <utility>

#include <sys/prctl.h>
#include <sys/wait.h>

#include "health/probe/child.hpp"

namespace anyvip::health {

namespace {

/// Of any of our threads. nullopt: this kernel does not tell.
std::optional<std::vector<int>> children() {
    std::vector<int> pids;
    std::error_code error;
    bool is_told = false;
    for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task", error)) {
        std::ifstream list(thread.path() / "children");
        is_told = is_told || list.is_open();
        std::copy(std::istream_iterator<int>(list), {}, std::back_inserter(pids));
    }
    return is_told ? std::optional(pids) : std::nullopt;
}

std::string content_of(int pid, const char* file) {
    constexpr std::streamsize limit = 256 * 1024;
    std::ifstream stream("/proc/" + std::to_string(pid) + "/" + file);
    if (!stream) {
        return {};
    }
    std::string text(limit, '\0');
    stream.read(text.data(), limit);
    text.resize(static_cast<std::size_t>(stream.gcount()));
    return text;
}

/// Empty: it is not there.
std::string variable(std::string_view environment, std::string_view name) {
    while (!environment.empty()) {
        const std::string_view entry = environment.substr(0, environment.find('\0'));
        environment.remove_prefix(std::min(entry.size() + 1, environment.size()));
        if (entry.starts_with(name) && entry.substr(name.size()).starts_with('=')) {
            return std::string(entry.substr(name.size() + 1));
        }
    }
    return {};
}

bool is_power_of_ten(std::uint64_t number) {
    while (number > 1 && number % 10 == 0) {
        number /= 10;
    }
    return number == 1;
}

} // namespace

Strays::Strays(boost::asio::io_context& io, StraysHost host, std::chrono::milliseconds pause)
    : host_(std::move(host)), pause_(pause), timer_(io) {
    if (children() && ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0) {
        on_child_end([this] { look_soon(); });
        look_soon(); // those of the program before an upgrade
    }
}

Strays::~Strays() {
    on_child_end(nullptr);
    look();
}

void Strays::look_soon() {
    if (std::exchange(is_waiting_, true)) {
        return;
    }
    timer_.expires_after(pause_);
    timer_.async_wait([this](const boost::system::error_code& error) {
        if (!error) {
            is_waiting_ = false;
            look();
        }
    });
}

void Strays::look() {
    const std::vector<int> ours = living_children();
    bool is_anybody = false;
    for (const int pid : children().value_or(std::vector<int>())) {
        if (std::ranges::find(ours, pid) != ours.end() || host_.is_known(pid)) {
            continue;
        }
        siginfo_t info{};
        const bool has_ended =
            ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG) == 0 &&
            info.si_pid != 0;
        if (!has_ended) {
            judge(pid);
            is_anybody = true;
        }
    }
    if (is_anybody) {
        look_soon();
    }
}

/// It is our child and not reaped: its number is its own, and so is its group when it leads one.
void Strays::judge(int pid) {
    const std::string environment = content_of(pid, "environ");
    const std::string run = variable(environment, run_variable);
    if (run.empty() || is_under_way(run) || ::kill(pid, SIGKILL) != 0) {
        return;
    }
    ::kill(-pid, SIGKILL);
    const std::string check = variable(environment, "ANYVIP_CHECK");
    const std::uint64_t count = ++killed_[check];
    if (is_power_of_ten(count)) {
        std::string name = content_of(pid, "comm");
        name.erase(std::min(name.find('\n'), name.size()));
        host_.warn("check " + check + ": what its program left running is killed: " + name +
                   "; so far " + std::to_string(count));
    }
}

} // namespace anyvip::health
