// SPDX-License-Identifier: Apache-2.0
// anyvipd, the daemon: command line and exit status. Everything else is in cmd/daemon.
#include <array>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <getopt.h>
#include <sys/prctl.h>

#include "cmd/config/config.hpp"
#include "cmd/daemon/doctor.hpp"
#include "cmd/daemon/identity.hpp"
#include "cmd/daemon/runtime.hpp"
#include "cmd/daemon/takeover.hpp"

namespace {

using anyvip::cmd::LogLevel;

// CONTRACT section 1.
enum ExitStatus { clean = 0, cannot_run = 1, bad_command_line = 2, bad_configuration = 78 };

struct CommandLine {
    std::string file = "/etc/anyvip/anyvip.toml";
    std::string log_level;
    bool is_check = false;
    bool is_dump = false;
    bool is_doctor = false;
    bool is_upgrade_trial = false;
};

constexpr std::string_view help =
    "Usage: anyvipd [-c FILE] [--check] [--dump-config] [--log-level LEVEL]\n"
    "Announces VIPs over BGP while their health checks pass. Runs in the foreground, logs to "
    "stderr.\n\n"
    "Options:\n"
    "  -c, --config FILE     configuration file (default /etc/anyvip/anyvip.toml)\n"
    "      --check           validate the configuration, print every problem\n"
    "      --dump-config     print the effective configuration as TOML, secrets hidden\n"
    "      --log-level LEVEL error, warning, info or debug; overrides the configuration\n"
    "      --doctor          used by anyvip doctor where no daemon runs: print as JSON what can\n"
    "                        be said without one\n"
    "      --upgrade-trial   used by upgrades: restore the state on standard input, touching\n"
    "                        nothing, and say whether that works\n"
    "      --version         print the version\n"
    "  -h, --help            print this help\n\n"
    "SIGTERM, SIGINT: withdraw, serve on until traffic has ended, stop; a second one stops at "
    "once.\n"
    "SIGHUP: reload. SIGUSR2: the program on disk takes over, sessions stay up.\n"
    "Manual: anyvipd(8), anyvip.toml(5), anyvip(1).\n";

// getopt and not Boost.Program_options, which would stay in the daemon's memory for life.
constexpr std::array long_options{option{"config", required_argument, nullptr, 'c'},
                                  option{"check", no_argument, nullptr, 'C'},
                                  option{"dump-config", no_argument, nullptr, 'D'},
                                  option{"log-level", required_argument, nullptr, 'l'},
                                  option{"doctor", no_argument, nullptr, 'd'},
                                  option{"upgrade-trial", no_argument, nullptr, 'u'},
                                  option{"version", no_argument, nullptr, 'v'},
                                  option{"help", no_argument, nullptr, 'h'},
                                  option{}};

int bad(const std::string& problem) {
    std::cerr << "anyvipd: " << problem << "; see anyvipd --help\n";
    return bad_command_line;
}

/// The option that getopt did not take in this word: of a cluster such as -xyz the letter.
std::string rejected(std::string_view word) {
    return word.starts_with("--") ? std::string(word)
                                  : "-" + std::string(1, static_cast<char>(::optopt));
}

/// The exit status when nothing is left to be done.
std::optional<int> parse(int argc, char** argv, CommandLine& line) {
    ::opterr = 0;
    for (;;) {
        const int place = ::optind; // it stays while the letters of a cluster are read
        switch (::getopt_long(argc, argv, "+:c:h", long_options.data(), nullptr)) {
        case -1:
            if (::optind < argc) {
                return bad("unexpected argument '" + std::string(argv[::optind]) + "'");
            }
            return std::nullopt;
        case 'c':
            line.file = ::optarg;
            break;
        case 'C':
            line.is_check = true;
            break;
        case 'D':
            line.is_dump = true;
            break;
        case 'l':
            line.log_level = ::optarg;
            break;
        case 'd':
            line.is_doctor = true;
            break;
        case 'u':
            line.is_upgrade_trial = true;
            break;
        case 'v':
            std::cout << "anyvipd " ANYVIP_VERSION "\n";
            return clean;
        case 'h':
            std::cout << help;
            return clean;
        case ':':
            return bad("option '" + rejected(argv[place]) + "' lacks its value");
        default:
            return bad("unrecognised option '" + rejected(argv[place]) + "'");
        }
    }
}

std::optional<LogLevel> parse_log_level(const std::string& name) {
    for (const auto& [level, text] : {std::pair(LogLevel::Error, "error"),
                                      std::pair(LogLevel::Warning, "warning"),
                                      std::pair(LogLevel::Info, "info"),
                                      std::pair(LogLevel::Debug, "debug")}) {
        if (name == text) {
            return level;
        }
    }
    return std::nullopt;
}

int end_of(const std::string& problem) {
    if (problem.empty()) {
        return clean;
    }
    std::cerr << "anyvipd: " << problem << '\n';
    return cannot_run;
}

int run(const CommandLine& line, const std::vector<std::string>& arguments) {
    const std::optional<LogLevel> log_level = parse_log_level(line.log_level);
    if (!line.log_level.empty() && !log_level) {
        std::cerr << "anyvipd: --log-level must be error, warning, info or debug, not \""
                  << line.log_level << "\"\n";
        return bad_command_line;
    }
    if (line.is_upgrade_trial) {
        return anyvip::cmd::run_upgrade_trial(line.file);
    }
    if (line.is_doctor) {
        std::cout << anyvip::cmd::doctor_without_daemon(line.file);
        return clean;
    }
    anyvip::cmd::RunOptions run_options{line.file, {}, arguments, log_level};
    if (const int state = anyvip::cmd::inherited_state(); state >= 0) {
        return end_of(anyvip::cmd::run_taken_over(state, run_options));
    }
    auto text = anyvip::cmd::read_config_file(line.file);
    auto loaded = text ? anyvip::cmd::parse_config(*text) : std::unexpected(text.error());
    if (!loaded) {
        for (const anyvip::cmd::Problem& problem : loaded.error()) {
            std::cerr << anyvip::cmd::to_string(problem, line.file) << '\n';
        }
        return bad_configuration;
    }
    if (line.is_dump) {
        loaded->daemon.log_level = log_level.value_or(loaded->daemon.log_level);
        // Without a router ID the dump says so in its place.
        static_cast<void>(anyvip::cmd::complete_identity(*loaded));
        std::cout << anyvip::cmd::dump_config(*loaded);
        return clean;
    }
    if (line.is_check) {
        for (const anyvip::cmd::SecretFile& file :
             anyvip::cmd::exposed_secret_files(*loaded, line.file)) {
            std::cerr << line.file << ": warning: " << anyvip::cmd::exposure_of(file) << '\n';
        }
        std::cout << line.file << ": the configuration is valid\n";
        return clean;
    }
    run_options.config_text = *std::move(text);
    return end_of(anyvip::cmd::run_daemon(*std::move(loaded), run_options));
}

} // namespace

int main(int argc, char** argv) {
    // Passwords are in this memory: no core file, and no check that runs as the same user may look
    // into it.
    ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    CommandLine line;
    if (const std::optional<int> exit = parse(argc, argv, line)) {
        return *exit;
    }
    return run(line, std::vector<std::string>(argv, argv + argc));
}
