// SPDX-License-Identifier: Apache-2.0
// `anyvip`, the command of operators and scripts.
#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include <unistd.h>

#include "cmd/client/run.hpp"

namespace {

/// Unbuffered: what is shown is complete at any time, and nothing is lost when it is killed.
void write_all(int descriptor, std::string_view text) {
    while (!text.empty()) {
        const ssize_t count = ::write(descriptor, text.data(), text.size());
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count <= 0) {
            std::_Exit(static_cast<int>(anyvip::client::Exit::Refused));
        }
        text.remove_prefix(static_cast<std::size_t>(count));
    }
}

[[nodiscard]] anyvip::client::Console real_console() {
    const bool is_terminal = ::isatty(STDOUT_FILENO) == 1;
    const char* terminal = std::getenv("TERM");
    const bool is_dumb = terminal == nullptr || std::string_view(terminal) == "dumb";
    return {.out = [](std::string_view text) { write_all(STDOUT_FILENO, text); },
            .err = [](std::string_view text) { write_all(STDERR_FILENO, text); },
            .is_terminal = is_terminal,
            .style = {.has_colour = is_terminal && !is_dumb && std::getenv("NO_COLOR") == nullptr}};
}

} // namespace

int main(int count, char** arguments) {
    using namespace anyvip::client;
    const std::vector<std::string> words(arguments + 1, arguments + std::max(count, 1));
    const auto invocation = parse_command_line(words);
    const Console console = real_console();
    if (!invocation) {
        console.err("anyvip: " + invocation.error() + "\nTry `anyvip --help`.\n");
        return static_cast<int>(Exit::BadCommandLine);
    }
    return static_cast<int>(run(*invocation, console, ask, this_host()));
}
