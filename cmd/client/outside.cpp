// SPDX-License-Identifier: Apache-2.0
// What `anyvip doctor` finds out without the daemon: by the daemon's program, and of the clock.
#include <array>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include <fcntl.h>
#include <spawn.h>
#include <sys/timex.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/client/run.hpp"

extern char** environ; // NOLINT(readability-redundant-declaration)

namespace anyvip::client {

namespace {

/// anyvipd beside this program, or where a package puts it.
[[nodiscard]] std::string daemon_program() {
    std::error_code error;
    const std::filesystem::path own =
        std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
    for (const std::filesystem::path& path :
         {own / "anyvipd", own.parent_path() / "sbin" / "anyvipd"}) {
        if (::access(path.c_str(), X_OK) == 0) {
            return path;
        }
    }
    return {};
}

[[nodiscard]] std::string read_all(int descriptor) {
    std::string text;
    std::array<char, 4096> buffer;
    for (;;) {
        const ssize_t count = ::read(descriptor, buffer.data(), buffer.size());
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count <= 0) {
            return text;
        }
        text.append(buffer.data(), static_cast<std::size_t>(count));
    }
}

[[nodiscard]] std::optional<std::string> doctor_alone(const std::string& config) {
    std::string program = daemon_program();
    std::array<int, 2> ends{};
    if (program.empty() || ::pipe2(ends.data(), O_CLOEXEC) != 0) {
        return std::nullopt;
    }
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    std::string flag = "--doctor";
    std::string option = "-c";
    std::string file = config;
    const std::array<char*, 5> words{
        program.data(), flag.data(), option.data(), file.data(), nullptr};
    pid_t child = 0;
    const int error =
        ::posix_spawn(&child, program.c_str(), &actions, nullptr, words.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    std::string text = error == 0 ? read_all(ends[0]) : std::string();
    ::close(ends[0]);
    int status = 0;
    while (error == 0 && ::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return text.empty() || status != 0 ? std::nullopt : std::optional(std::move(text));
}

} // namespace

Outside this_host() {
    return {.doctor_alone = doctor_alone, .is_clock_synchronized = [] {
                timex state{};
                return ::adjtimex(&state) < 0 || (state.status & STA_UNSYNC) == 0;
            }};
}

} // namespace anyvip::client
