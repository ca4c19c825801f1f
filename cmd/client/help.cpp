// SPDX-License-Identifier: Apache-2.0
// Help texts, made from the table of commands.
#include <algorithm>

#include "cmd/client/commands.hpp"
#include "cmd/client/invocation.hpp"

namespace anyvip::client {

namespace {

[[nodiscard]] std::string padded(std::string text, std::size_t width) {
    text.append(text.size() < width ? width - text.size() : 1, ' ');
    return text;
}

[[nodiscard]] std::string spelled(const Option& option) {
    const std::size_t comma = option.name.find(',');
    std::string text;
    if (comma != std::string_view::npos) {
        text = '-' + std::string(option.name.substr(comma + 1)) + ", ";
    }
    text += "--" + std::string(option.name.substr(0, comma));
    return option.value.empty() ? text : text + ' ' + std::string(option.value);
}

[[nodiscard]] std::string global_options() {
    return "  --socket PATH       the daemon's control socket (default: /run/anyvip/control.sock)\n"
           "  --json              print the daemon's JSON document\n"
           "  -h, --help          this text\n";
}

[[nodiscard]] std::string help_of(const Command& command) {
    std::string text = "usage: anyvip [--socket PATH] [--json] " + std::string(command.name);
    text += command.options.empty() ? "" : " [OPTION...]";
    text += command.operands.empty() ? "" : ' ' + std::string(command.operands);
    text += "\n\n" + std::string(command.summary) + "\n\noptions:\n";
    for (const Option& option : command.options) {
        text += "  " + padded(spelled(option), 20) + std::string(option.help) + '\n';
    }
    return text + global_options();
}

} // namespace

std::string help_text(std::string_view name) {
    if (const Command* command = find_command(name)) {
        return help_of(*command);
    }
    std::string text = "usage: anyvip [--socket PATH] [--json] COMMAND [OPTION...] [NAME...]\n"
                       "\n"
                       "Talks to anyvipd, which announces virtual IP addresses over BGP.\n"
                       "\n"
                       "commands:\n";
    for (const Command& command : commands()) {
        const std::string left = std::string(command.name) + ' ' + std::string(command.operands);
        text += "  " + padded(left, 20) + std::string(command.summary) + '\n';
    }
    return text + "\noptions:\n" + global_options() +
           "\nA TIME is a number with a unit: 300ms, 3s, 5m, 1h, 2d.\n"
           "Exit status: 0 done, 1 refused or failed, 2 bad command line, 3 the daemon cannot be\n"
           "reached, 4 the deadline of a drain passed with flows left.\n"
           "`anyvip COMMAND --help` shows the options of a command.\n";
}

} // namespace anyvip::client
