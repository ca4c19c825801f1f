// SPDX-License-Identifier: Apache-2.0
// anyvipd, the daemon: command line and exit status. Everything else is in cmd/daemon.
#include <cstdio>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include <sys/prctl.h>

#include <boost/program_options.hpp>

#include "cmd/config/config.hpp"
#include "cmd/daemon/doctor.hpp"
#include "cmd/daemon/identity.hpp"
#include "cmd/daemon/runtime.hpp"
#include "cmd/daemon/takeover.hpp"

namespace {

namespace options = boost::program_options;
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

options::options_description describe(CommandLine& line) {
    options::options_description description("Options");
    auto add = description.add_options();
    add("config,c",
        options::value(&line.file)->value_name("FILE"),
        "configuration file (default /etc/anyvip/anyvip.toml)");
    add("check",
        options::bool_switch(&line.is_check),
        "validate the configuration, print every problem");
    add("dump-config",
        options::bool_switch(&line.is_dump),
        "print the effective configuration as TOML, secrets hidden");
    add("log-level",
        options::value(&line.log_level)->value_name("LEVEL"),
        "error, warning, info or debug; overrides the configuration");
    add("doctor",
        options::bool_switch(&line.is_doctor),
        "used by anyvip doctor where no daemon runs: print as JSON what can be said without one");
    add("upgrade-trial",
        options::bool_switch(&line.is_upgrade_trial),
        "used by upgrades: restore the state on standard input, touching nothing, and say whether "
        "that works");
    add("version", "print the version");
    add("help,h", "print this help");
    return description;
}

void print_help(const options::options_description& description) {
    std::cout << "Usage: anyvipd [-c FILE] [--check] [--dump-config] [--log-level LEVEL]\n"
                 "Announces VIPs over BGP while their health checks pass. Runs in the foreground, "
                 "logs to stderr.\n\n"
              << description
              << "\nSIGTERM, SIGINT: withdraw, serve on until traffic has ended, stop; a second "
                 "one stops at once.\n"
                 "SIGHUP: reload. SIGUSR2: the program on disk takes over, sessions stay up.\n"
                 "Manual: anyvipd(8), anyvip.toml(5), anyvip(1).\n";
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
    const options::options_description description = describe(line);
    try {
        options::variables_map values;
        const options::positional_options_description no_positionals;
        options::store(options::command_line_parser(argc, argv)
                           .options(description)
                           .positional(no_positionals)
                           .run(),
                       values);
        options::notify(values);
        if (values.contains("help")) {
            print_help(description);
            return clean;
        }
        if (values.contains("version")) {
            std::cout << "anyvipd " ANYVIP_VERSION "\n";
            return clean;
        }
    } catch (const options::error& error) {
        std::cerr << "anyvipd: " << error.what() << "; see anyvipd --help\n";
        return bad_command_line;
    }
    return run(line, std::vector<std::string>(argv, argv + argc));
}
