// SPDX-License-Identifier: Apache-2.0
// As under our unit: an ordinary user with ambient capabilities, and a system call filter that
// forbids capset.
#include "health/probe/launch.hpp"

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <doctest/doctest.h>

namespace anyvip::health {
namespace {

namespace fs = std::filesystem;

constexpr uid_t nobody = 65534;
constexpr unsigned long net_raw = CAP_NET_RAW;

bool forbid_capset() {
    std::array<sock_filter, 4> code{{
        {BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)},
        {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, SYS_capset},
        {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | EPERM},
        {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
    }};
    const sock_fprog program{code.size(), code.data()};
    return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

bool become_nobody_with_net_raw() {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    std::array<__user_cap_data_struct, 2> sets{};
    sets[0] = {1U << net_raw, 1U << net_raw, 1U << net_raw};
    return ::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0 && ::setresgid(nobody, nobody, nobody) == 0 &&
           ::setresuid(nobody, nobody, nobody) == 0 &&
           ::syscall(SYS_capset, &header, sets.data()) == 0 &&
           ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, net_raw, 0, 0) == 0;
}

/// What `act` prints, in a process of its own that has become like our unit's.
template <class Act> std::string as_in_our_unit(Act act) {
    std::array<int, 2> ends{};
    REQUIRE(::pipe(ends.data()) == 0);
    const pid_t pid = ::fork();
    if (pid == 0) {
        ::close(ends[0]);
        if (become_nobody_with_net_raw() && forbid_capset()) {
            act(ends[1]);
        }
        ::_exit(0);
    }
    ::close(ends[1]);
    std::string text;
    std::array<char, 512> piece{};
    for (ssize_t size = 0; (size = ::read(ends[0], piece.data(), piece.size())) > 0;) {
        text.append(piece.data(), static_cast<std::size_t>(size));
    }
    ::close(ends[0]);
    ::waitpid(pid, nullptr, 0);
    return text;
}

std::string launched(const std::vector<std::string>& argv) {
    return as_in_our_unit([&](int output) {
        Command command;
        command.argv = argv;
        if (const auto pid = launch(command, output)) {
            ::waitpid(*pid, nullptr, 0);
        } else {
            const std::string problem = pid.error().message();
            std::ignore = ::write(output, problem.data(), problem.size());
        }
    });
}

/// A copy of the shell with cap_net_raw+ep on its file, and a script that it interprets.
struct Files {
    Files() {
        fs::create_directories(directory);
        fs::permissions(directory, fs::perms(0755));
        fs::copy_file("/bin/sh", shell, fs::copy_options::overwrite_existing);
        const std::array<std::uint32_t, 5> caps{0x02000001, 1U << net_raw, 0, 0, 0};
        is_possible =
            ::setxattr(shell.c_str(), "security.capability", caps.data(), sizeof caps, 0) == 0;
        std::ofstream(script) << "#!" << shell.string() << "\n" << read_own;
        fs::permissions(script, fs::perms(0755));
    }

    ~Files() { fs::remove_all(directory); }

    static constexpr const char* read_own =
        "while read -r line; do case $line in CapEff*|CapPrm*) echo \"$line\";; esac; "
        "done </proc/$$/status\n";

    fs::path directory =
        fs::temp_directory_path() / ("anyvip-launch-" + std::to_string(::getpid()));
    fs::path shell = directory / "shell";
    fs::path script = directory / "script";
    bool is_possible = false;
};

constexpr const char* none = "CapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n";

} // namespace

TEST_CASE("exec: capabilities on the file of a program give it none of ours, even without capset" *
          doctest::skip(::geteuid() != 0)) {
    const Files files;
    if (!files.is_possible) {
        MESSAGE("no right to give a file capabilities");
        return;
    }
    // The trap works: who is just executed keeps what he has.
    const std::string kept = as_in_our_unit([&](int output) {
        ::dup2(output, STDOUT_FILENO);
        ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
        ::execl(files.shell.c_str(), "shell", "-c", Files::read_own, nullptr);
    });
    REQUIRE(kept != "");
    CHECK(kept != none);
    CHECK(launched({files.shell, "-c", Files::read_own}) == none);
    CHECK(launched({files.script}) == none);
    CHECK(launched({"/bin/sh", "-c", Files::read_own}) == none);
    // Whatever stands in between, a program that is not there is not found, and words stay words.
    CHECK(launched({files.directory / "missing"}) == "No such file or directory");
    CHECK(launched({files.shell, "-c", "echo \"$0|$1\"", "a  b", "$c"}) == "a  b|$c\n");
}

} // namespace anyvip::health
