// SPDX-License-Identifier: Apache-2.0
// [node], [daemon], [drain] and [[hook]].
#include <array>

#include "cmd/agent/event_name.hpp"
#include "cmd/config/convert.hpp"
#include "cmd/config/nearest.hpp"
#include "cmd/config/sections.hpp"
#include "cmd/config/words.hpp"

namespace anyvip::cmd {

namespace {

using std::chrono::milliseconds;

[[nodiscard]] Converted<bgp::Asn> to_own_asn(const Value& value) {
    const auto number = Integer<std::uint32_t>{1, 4294967294}(value);
    if (!number) {
        return std::unexpected(number.error());
    }
    if (*number == bgp::as_trans.value || *number == 65535) {
        return std::unexpected(std::to_string(*number) + " is reserved");
    }
    return bgp::Asn{*number};
}

[[nodiscard]] Converted<bgp::RouterId> to_router_id(const Value& value) {
    const auto text = to_text(value);
    if (!text) {
        return std::unexpected(text.error());
    }
    const auto address = IpAddress::parse(*text);
    // RFC 6286 §2.1: any number but zero.
    if (!address || !address->is_v4() || address->is_unspecified()) {
        return std::unexpected("must be an IPv4 address other than 0.0.0.0, not \"" + *text + '"');
    }
    return bgp::RouterId{address->to_v4()};
}

[[nodiscard]] Converted<std::string> to_socket_path(const Value& value) {
    constexpr std::size_t longest = 107; // sun_path with its terminating zero
    auto path = to_path(value);
    if (path && path->size() > longest) {
        return std::unexpected("is longer than the 107 bytes a socket's path can have");
    }
    return path;
}

[[nodiscard]] Converted<std::string> to_listen_address(const Value& value) {
    auto text = to_text(value);
    if (!text || text->empty()) {
        return text;
    }
    const auto parts = split_host_and_port(*text);
    const auto address = parts ? IpAddress::parse(parts->host) : std::unexpected(std::string());
    if (!address || address->is_v6() != parts->is_bracketed) {
        return std::unexpected(
            '"' + *text +
            R"(" must be an IP address with a port, as "127.0.0.1:9179" or "[::1]:9179", or "")");
    }
    if (address->is_multicast() || address->is_class_e()) {
        return std::unexpected('"' + *text + "\" is no address to listen on");
    }
    return text;
}

/// An event, or a group as "vip.*", or "*".
[[nodiscard]] Converted<std::string> to_event(const Value& value) {
    auto text = to_nonempty_text(value);
    if (!text) {
        return text;
    }
    const bool is_group = text->ends_with('*');
    const std::string_view stem = std::string_view(*text).substr(0, text->size() - is_group);
    const auto matches = [&](std::string_view name) {
        return is_group ? name.starts_with(stem) : name == stem;
    };
    if (std::ranges::none_of(event_names, matches)) {
        const std::vector<std::string> known(event_names.begin(), event_names.end());
        return std::unexpected("matches no event: \"" + *text + '"' + suggestion(*text, known));
    }
    return text;
}

} // namespace

void read_node(ReadContext& context, const Section& section, NodeConfig& node) {
    TableReader reader(context, section.label, section.where, *section.own);
    reader.require("asn", node.asn, to_own_asn);
    reader.read("router_id", node.router_id, OrEmpty{to_router_id});
    const Value* name = reader.find("name");
    if (name != nullptr &&
        !(name->as<std::string>() != nullptr && name->as<std::string>()->empty())) {
        reader.read("name", node.name, to_name);
    }
    reader.finish();
}

void read_daemon(ReadContext& context, const Section& section, DaemonConfig& daemon) {
    TableReader reader(context, section.label, section.where, *section.own);
    const DurationOf<milliseconds> duration{};
    reader.read("control", daemon.control, to_socket_path);
    reader.read("state_dir", daemon.state_dir, to_path);
    reader.read("http", daemon.http, to_listen_address);
    reader.read_list("http_hosts", daemon.http_hosts, to_name);
    reader.read("log_level", daemon.log_level, log_levels);
    reader.read("log_format", daemon.log_format, log_formats);
    reader.read("drain_file", daemon.drain_file, to_path_or_empty);
    reader.read("linger", daemon.linger, duration);
    reader.read("silence", daemon.silence, duration);
    if (!reader.read("linger_min", daemon.linger_min, duration)) {
        daemon.linger_min = std::min(daemon.linger_min, daemon.linger);
    } else if (daemon.linger_min > daemon.linger) {
        reader.report("linger_min", "is longer than linger");
    }
    reader.read("node_mark", daemon.node_mark, to_bool);
    reader.finish();
}

void read_drain(ReadContext& context, const Section& section, vip::DrainConfig& drain) {
    TableReader reader(context, section.label, section.where, *section.own);
    const DurationOf<milliseconds> duration{};
    reader.read("gshut", drain.gshut, duration);
    reader.read("deadline", drain.deadline, duration);
    reader.read("idle", drain.idle, duration);
    reader.read("keep_last", drain.keep_last, keep_last_words);
    reader.finish();
}

HookConfig read_hook(ReadContext& context, const Section& section) {
    HookConfig hook;
    TableReader reader(context, section.label, section.where, *section.own);
    reader.require("event", hook.event, to_event);
    read_command(reader, hook.command);
    read_user(reader, hook.user);
    reader.finish();
    return hook;
}

void read_command(TableReader& reader, std::vector<std::string>& command) {
    const Value* list = reader.find("command");
    if (list == nullptr) {
        return reader.report("command", "is missing");
    }
    const auto argument = [](const Value& value) -> Converted<std::string> {
        auto text = to_text(value);
        if (text && text->find('\0') != std::string::npos) {
            return std::unexpected("must not contain a zero byte");
        }
        return text;
    };
    reader.read_list("command", command, argument);
    const Array* elements = list->as<Array>();
    if (elements == nullptr) {
        return;
    }
    if (elements->empty()) {
        return reader.report("command", "must name a program");
    }
    const auto path = to_path(elements->front());
    if (!path) {
        return reader.report(elements->front().where, "command", path.error());
    }
    const std::string problem = reader.context().host.program_problem(*path);
    if (!problem.empty()) {
        reader.report(elements->front().where, "command", problem);
    }
}

void read_user(TableReader& reader, std::string& user) {
    if (reader.read("user", user, to_text) && !user.empty() &&
        !reader.context().host.has_user(user)) {
        reader.report("user", "names no user of /etc/passwd: \"" + user + '"');
    }
}

} // namespace anyvip::cmd
