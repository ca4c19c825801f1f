// SPDX-License-Identifier: Apache-2.0
// Boost.Program_options reads the words of a command; what they mean is a request.
#include "cmd/client/invocation.hpp"

#include <boost/program_options.hpp>

#include "cmd/client/commands.hpp"
#include "cmd/units/duration.hpp"

namespace anyvip::client {

namespace {

namespace po = boost::program_options;

/// A command with the values of its options.
struct Parsed {
    const Command& command;
    po::variables_map values;
    std::vector<std::string> operands;

    [[nodiscard]] bool has(const char* name) const { return values.count(name) > 0; }

    [[nodiscard]] std::string text(const char* name) const {
        return has(name) ? values[name].as<std::string>() : std::string();
    }

    [[nodiscard]] std::string operand() const {
        return operands.empty() ? std::string() : operands.front();
    }
};

using Result = std::expected<Invocation, std::string>;

[[nodiscard]] po::options_description describe(const Command* command) {
    po::options_description options;
    options.add_options()("socket", po::value<std::string>())("json", "")("help,h", "");
    if (command == nullptr) {
        return options;
    }
    for (const Option& option : command->options) {
        const std::string name(option.name);
        const std::string help(option.help);
        if (option.value.empty()) {
            options.add_options()(name.c_str(), help.c_str());
        } else {
            options.add_options()(name.c_str(), po::value<std::string>(), help.c_str());
        }
    }
    return options;
}

/// The index of the command among the words; all before it are global options.
[[nodiscard]] std::expected<std::size_t, std::string>
find_command_word(const std::vector<std::string>& words) {
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (!words[i].starts_with('-')) {
            return i;
        }
        if (words[i] == "--socket") {
            ++i;
        } else if (!words[i].starts_with("--socket=") && words[i] != "--json" &&
                   words[i] != "--help" && words[i] != "-h" && words[i] != "--version") {
            return std::unexpected("unknown option " + words[i] + " before the command");
        }
    }
    return words.size();
}

/// A duration as text, checked; empty when the option is absent.
[[nodiscard]] std::expected<std::string, std::string> duration(const Parsed& parsed,
                                                               const char* name) {
    std::string text = parsed.text(name);
    if (parsed.has(name)) {
        if (const auto value = cmd::parse_duration(text); !value) {
            return std::unexpected("--" + std::string(name) + ": " + value.error());
        }
    }
    return text;
}

[[nodiscard]] std::string json_or_null(const std::string& text) {
    return text.empty() ? "null" : quote_json(text);
}

[[nodiscard]] std::string json_flag(const Parsed& parsed, const char* name) {
    return parsed.has(name) ? "true" : "false";
}

[[nodiscard]] std::string vips_and_peer(const Parsed& parsed) {
    std::string vips;
    for (const std::string& name : parsed.operands) {
        vips += (vips.empty() ? "" : ",") + quote_json(name);
    }
    return "\"vips\":[" + vips + "],\"peer\":" + quote_json(parsed.text("peer"));
}

[[nodiscard]] Result drain(const Parsed& parsed, Invocation invocation) {
    const bool is_drain = parsed.command.name == "drain";
    if (parsed.has("peer") && !parsed.operands.empty()) {
        return std::unexpected("--peer and names of VIPs exclude each other");
    }
    if (parsed.has("peer") && parsed.text("peer").empty()) {
        return std::unexpected("--peer needs a name");
    }
    std::string body = '{' + vips_and_peer(parsed);
    if (is_drain) {
        const auto deadline = duration(parsed, "deadline");
        const auto until = duration(parsed, "until");
        if (!deadline || !until) {
            return std::unexpected(deadline ? until.error() : deadline.error());
        }
        body += ",\"deadline\":" + json_or_null(*deadline) + ",\"until\":" + json_or_null(*until) +
                ",\"reason\":" + quote_json(parsed.text("reason")) +
                ",\"force\":" + json_flag(parsed, "force") +
                ",\"dry_run\":" + json_flag(parsed, "dry-run") +
                ",\"wait\":" + json_flag(parsed, "wait");
    }
    const bool is_waiting = parsed.has("wait") && !parsed.has("dry-run");
    invocation.view = is_waiting ? View::DrainProgress : View::Changed;
    invocation.request = {
        .method = "POST", .target = is_drain ? "/v1/drain" : "/v1/undrain", .body = body + '}'};
    return invocation;
}

[[nodiscard]] Result events(const Parsed& parsed, Invocation invocation) {
    const auto since = duration(parsed, "since");
    if (!since) {
        return std::unexpected(since.error());
    }
    invocation.view = View::Events;
    std::string& target = invocation.request.target;
    target = parsed.has("follow") ? "/v1/events?follow=1" : "/v1/events";
    if (!since->empty()) {
        target += (parsed.has("follow") ? "&since=" : "?since=") + percent_encode(*since);
    }
    return invocation;
}

[[nodiscard]] Result reload(const Parsed& parsed, Invocation invocation) {
    if (parsed.has("dry-run") && parsed.has("upgrade")) {
        return std::unexpected("--dry-run and --upgrade exclude each other");
    }
    invocation.view = View::Reload;
    invocation.request = {.method = "POST",
                          .target = "/v1/reload",
                          .body = "{\"dry_run\":" + json_flag(parsed, "dry-run") +
                                  ",\"upgrade\":" + json_flag(parsed, "upgrade") + '}'};
    return invocation;
}

[[nodiscard]] Result routes(const Parsed& parsed, Invocation invocation) {
    invocation.view = View::Routes;
    std::string& target = invocation.request.target;
    target = parsed.has("received") ? "/v1/routes?received=1" : "/v1/routes";
    if (parsed.has("peer")) {
        target +=
            (parsed.has("received") ? "&peer=" : "?peer=") + percent_encode(parsed.text("peer"));
    }
    return invocation;
}

/// The commands that only read or act on one name.
[[nodiscard]] Result simple(const Parsed& parsed, Invocation invocation) {
    const std::string_view name = parsed.command.name;
    const std::string operand = percent_encode(parsed.operand());
    Request& request = invocation.request;
    const auto get = [&](View view, std::string target) {
        invocation.view = view;
        request.target = std::move(target);
        return invocation;
    };
    const auto list = [&](View view) {
        const std::string target = "/v1/" + std::string(name);
        return operand.empty() ? get(view, target) : get(View::Details, target + '/' + operand);
    };
    if (name == "status") {
        return get(View::Status, "/v1/status");
    }
    if (name == "watch") {
        return get(View::Watch, "/v1/status");
    }
    if (name == "vips") {
        return list(View::Vips);
    }
    if (name == "peers") {
        return list(View::Peers);
    }
    if (name == "checks") {
        return list(View::Checks);
    }
    if (name == "explain") {
        return get(View::Explain, "/v1/explain/" + operand);
    }
    if (name == "doctor") {
        if (parsed.has("config")) {
            invocation.config = parsed.text("config");
        }
        return get(View::Doctor, "/v1/doctor");
    }
    if (name == "flows") {
        invocation.subject = parsed.operand();
        return get(View::Flows, "/v1/flows");
    }
    if (name == "version") {
        return get(View::Version, "/v1/version");
    }
    if (name == "help") {
        invocation.subject = parsed.operand();
        return invocation;
    }
    request.method = "POST";
    if (name == "check") {
        return get(View::Details, "/v1/checks/" + operand + "/run");
    }
    request.body = "{\"soft\":" + json_flag(parsed, "soft") + '}';
    return get(View::Details, "/v1/peers/" + operand + "/reset");
}

[[nodiscard]] Result to_invocation(const Parsed& parsed, Invocation invocation) {
    const std::string_view name = parsed.command.name;
    if (name == "drain" || name == "undrain") {
        return drain(parsed, std::move(invocation));
    }
    if (name == "events") {
        return events(parsed, std::move(invocation));
    }
    if (name == "reload") {
        return reload(parsed, std::move(invocation));
    }
    return name == "routes" ? routes(parsed, std::move(invocation))
                            : simple(parsed, std::move(invocation));
}

[[nodiscard]] std::expected<Parsed, std::string> read_options(const Command& command,
                                                              std::vector<std::string> words) {
    Parsed parsed{.command = command, .values = {}, .operands = {}};
    po::options_description options = describe(&command);
    options.add_options()("operand", po::value<std::vector<std::string>>());
    po::positional_options_description positions;
    positions.add("operand", -1);
    // An abbreviated --f must not become --force.
    const int style = po::command_line_style::unix_style & ~po::command_line_style::allow_guessing;
    try {
        po::store(po::command_line_parser(words)
                      .options(options)
                      .positional(positions)
                      .style(style)
                      .run(),
                  parsed.values);
    } catch (const po::error& error) {
        return std::unexpected(error.what());
    }
    if (parsed.values.count("operand") > 0) {
        parsed.operands = parsed.values["operand"].as<std::vector<std::string>>();
    }
    return parsed;
}

} // namespace

std::expected<Invocation, std::string> parse_command_line(const std::vector<std::string>& words) {
    Invocation invocation;
    const auto at = find_command_word(words);
    if (!at) {
        return std::unexpected(at.error());
    }
    const bool is_version = std::ranges::find(words, "--version") != words.end();
    if (*at == words.size() && !is_version) {
        if (std::ranges::find(words, "--help") != words.end() ||
            std::ranges::find(words, "-h") != words.end()) {
            return invocation;
        }
        return std::unexpected("a command is missing");
    }
    const std::string name = *at == words.size() ? "version" : words[*at];
    const Command* command = find_command(name);
    if (command == nullptr) {
        return std::unexpected("unknown command \"" + name + '"');
    }
    std::vector<std::string> rest;
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (i != *at && !(i < *at && words[i] == "--version")) {
            rest.push_back(words[i]);
        }
    }
    const auto parsed = read_options(*command, std::move(rest));
    if (!parsed) {
        return std::unexpected(name + ": " + parsed.error());
    }
    if (parsed->has("help")) {
        invocation.subject = name;
        return invocation;
    }
    if (parsed->operands.size() < command->least_operands ||
        parsed->operands.size() > command->most_operands) {
        return std::unexpected(name + (command->most_operands == 0
                                           ? " takes no name"
                                           : " takes " + std::string(command->operands)));
    }
    if (std::ranges::find(parsed->operands, "") != parsed->operands.end()) {
        return std::unexpected(name + ": a name must not be empty");
    }
    if (parsed->has("socket")) {
        invocation.socket = parsed->text("socket");
    }
    invocation.is_json = parsed->has("json");
    auto result = to_invocation(*parsed, std::move(invocation));
    if (!result) {
        return std::unexpected(name + ": " + result.error());
    }
    return result;
}

std::string quote_json(std::string_view text) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string quoted = "\"";
    for (const char c : text) {
        const auto octet = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            quoted += '\\';
            quoted += c;
        } else if (octet < 0x20) {
            quoted += "\\u00";
            quoted += digits[octet >> 4U];
            quoted += digits[octet & 15U];
        } else {
            quoted += c;
        }
    }
    return quoted + '"';
}

} // namespace anyvip::client
