// SPDX-License-Identifier: Apache-2.0
#include "cmd/daemon/program.hpp"

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace anyvip::cmd {
namespace {

using bgp::net::FileDescriptor;

std::string last_error() {
    return std::system_category().message(errno);
}

bool append(int file, std::span<const std::uint8_t> octets) {
    while (!octets.empty()) {
        const ssize_t count = ::write(file, octets.data(), octets.size());
        if (count < 0 && errno != EINTR) {
            return false;
        }
        octets = octets.subspan(count > 0 ? static_cast<std::size_t>(count) : 0);
    }
    return true;
}

void keep_open(int descriptor, bool is_kept) {
    const int flags = ::fcntl(descriptor, F_GETFD);
    if (flags >= 0) {
        ::fcntl(descriptor, F_SETFD, is_kept ? flags & ~FD_CLOEXEC : flags | FD_CLOEXEC);
    }
}

/// What an ordinary user's process may do goes over to the next program only in its ambient set.
/// The service manager has put it there; this is for whoever started us without. Those that were
/// not there before.
std::vector<unsigned long> raise_capabilities() {
    __user_cap_header_struct header{};
    header.version = _LINUX_CAPABILITY_VERSION_3;
    std::array<__user_cap_data_struct, 2> sets{};
    if (::geteuid() == 0 || ::syscall(SYS_capget, &header, sets.data()) != 0) {
        return {};
    }
    bool is_inheritable = true;
    for (auto& set : sets) {
        is_inheritable = is_inheritable && (set.permitted & ~set.inheritable) == 0;
        set.inheritable |= set.permitted;
    }
    if (!is_inheritable) {
        ::syscall(SYS_capset, &header, sets.data());
    }
    std::vector<unsigned long> raised;
    for (unsigned long number = 0; number < 64; ++number) {
        if (((sets.at(number / 32).permitted >> (number % 32)) & 1U) != 0 &&
            ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, number, 0UL, 0UL) == 0 &&
            ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number, 0UL, 0UL) == 0) {
            raised.push_back(number);
        }
    }
    return raised;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
    std::vector<char*> result;
    for (std::string& text : strings) {
        result.push_back(text.data());
    }
    result.push_back(nullptr);
    return result;
}

} // namespace

std::string program_path() {
    std::array<char, 4096> target{};
    const ssize_t length = ::readlink("/proc/self/exe", target.data(), target.size());
    std::string path(target.data(), length > 0 ? static_cast<std::size_t>(length) : 0);
    constexpr std::string_view gone = " (deleted)";
    if (path.ends_with(gone)) {
        path.resize(path.size() - gone.size());
    }
    return path;
}

std::expected<ProgramFile, std::string> ProgramFile::open(const std::string& path) {
    FileDescriptor file(::open(path.c_str(), O_PATH | O_CLOEXEC));
    if (!file.is_open()) {
        return std::unexpected("cannot run " + path + ": " + last_error());
    }
    return ProgramFile(std::move(file));
}

bool ProgramFile::is_at(const std::string& path) const {
    struct stat ours{};
    struct stat theirs{};
    return ::fstat(file_.get(), &ours) == 0 && ::stat(path.c_str(), &theirs) == 0 &&
           ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino;
}

std::string ProgramFile::execute(const std::vector<std::string>& arguments,
                                 const SavedState& state,
                                 const std::function<SavedState()>& save_bfd) const {
    const FileDescriptor memory(::memfd_create("anyvip-state", MFD_CLOEXEC));
    if (!memory.is_open() || !append(memory.get(), state.file)) {
        return "no memory for the state: " + last_error();
    }
    std::vector<std::string> argv = arguments;
    std::vector<std::string> environment;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        environment.emplace_back(*entry);
    }
    environment.push_back(std::string(state_variable) + "=" + std::to_string(memory.get()));
    const std::vector<char*> argv_pointers = pointers(argv);
    const std::vector<char*> environment_pointers = pointers(environment);
    const std::vector<unsigned long> raised = raise_capabilities();
    // Asio's sockets are not all born so: a probe's connection must not go over unknown.
    ::close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
    std::vector<int> kept = state.descriptors;
    kept.push_back(memory.get());
    for (const int descriptor : kept) {
        keep_open(descriptor, true);
    }
    const SavedState bfd = save_bfd();
    for (const int descriptor : bfd.descriptors) {
        keep_open(descriptor, true);
        kept.push_back(descriptor);
    }
    std::string problem = "no memory for the state: ";
    if (append(memory.get(), bfd.file)) {
        ::execveat(
            file_.get(), "", argv_pointers.data(), environment_pointers.data(), AT_EMPTY_PATH);
        problem = "cannot run the new program: ";
    }
    problem += last_error();
    for (const int descriptor : kept) {
        keep_open(descriptor, false);
    }
    for (const unsigned long capability : raised) { // no check or hook gets them
        ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, capability, 0UL, 0UL);
    }
    return problem;
}

void settle_in(const std::vector<int>& descriptors) {
    // Run by descriptor, it would be shown by the descriptor's number.
    ::prctl(PR_SET_NAME, "anyvipd", 0UL, 0UL, 0UL);
    for (const int descriptor : descriptors) {
        keep_open(descriptor, false);
    }
}

} // namespace anyvip::cmd
