// SPDX-License-Identifier: Apache-2.0
#include "health/probe/pidfile.hpp"

#include <array>
#include <cerrno>
#include <charconv>
#include <string_view>

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace anyvip::health {

namespace {

std::unexpected<std::error_code> failure(int error) {
    return std::unexpected(std::error_code(error, std::system_category()));
}

} // namespace

std::expected<pid_t, std::error_code> read_pidfile(const std::string& path) {
    // Non-blocking, so that a FIFO in its place cannot stop the loop.
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) {
        return failure(errno);
    }
    std::array<char, 64> text{};
    const ssize_t octets = ::read(descriptor, text.data(), text.size());
    const int error = errno;
    ::close(descriptor);
    if (octets < 0) {
        return failure(error);
    }
    std::string_view digits(text.data(), static_cast<std::size_t>(octets));
    digits.remove_prefix(std::min(digits.find_first_not_of(" \t\r\n"), digits.size()));
    pid_t pid = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), pid);
    if (pid <= 0) {
        return failure(EINVAL);
    }
    return pid;
}

std::expected<int, std::error_code> open_pidfd(pid_t pid) {
    const auto descriptor = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
    if (descriptor < 0) {
        return failure(errno);
    }
    return descriptor;
}

} // namespace anyvip::health
