// SPDX-License-Identifier: Apache-2.0
// The keys of a [[check]] that depend on its type.
#include <charconv>

#include "cmd/config/convert.hpp"
#include "cmd/config/sections.hpp"
#include "cmd/config/words.hpp"

namespace anyvip::cmd {

namespace {

using health::Target;

[[nodiscard]] bool is_token_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

/// RFC 9110 §5.6.2
[[nodiscard]] bool is_token(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, is_token_character);
}

[[nodiscard]] bool has_control_character(std::string_view text) {
    return std::ranges::any_of(text, [](char c) {
        return (static_cast<unsigned char>(c) < ' ' && c != '\t') || c == '\x7f';
    });
}

[[nodiscard]] Converted<std::string> to_tcp_target(const Value& value) {
    constexpr std::string_view scheme = "unix:";
    const std::string* text = value.as<std::string>();
    if (text == nullptr || !text->starts_with(scheme)) {
        return to_host_and_port(value);
    }
    if (!text->substr(scheme.size()).starts_with('/')) {
        return std::unexpected('"' + *text + "\" must have an absolute path behind unix:");
    }
    return *text;
}

[[nodiscard]] Converted<std::string> to_url(const Value& value) {
    auto text = to_text(value);
    if (!text) {
        return text;
    }
    const bool is_plain = text->starts_with("http://");
    const std::string_view wanted = R"( must be a URL such as "http://127.0.0.1:8080/healthz")";
    if ((!is_plain && !text->starts_with("https://")) || has_control_character(*text) ||
        text->find(' ') != std::string::npos) {
        return std::unexpected('"' + *text + '"' + std::string(wanted));
    }
    const std::string rest = text->substr(is_plain ? 7 : 8);
    const std::string authority = rest.substr(0, rest.find_first_of("/?#"));
    const bool has_port = authority.rfind(':') != std::string::npos && !authority.ends_with(']');
    const Value pair{.where = value.where,
                     .data = has_port ? authority : authority + (is_plain ? ":80" : ":443")};
    if (authority.find('@') != std::string::npos || !to_host_and_port(pair)) {
        return std::unexpected('"' + *text + '"' + std::string(wanted));
    }
    return text;
}

[[nodiscard]] Converted<std::string> to_method(const Value& value) {
    auto text = to_text(value);
    if (text && !is_token(*text)) {
        return std::unexpected("must be an HTTP method, not \"" + *text + '"');
    }
    return text;
}

[[nodiscard]] Converted<std::string> to_field_value(const Value& value) {
    auto text = to_text(value);
    if (text && has_control_character(*text)) {
        return std::unexpected("must not contain control characters");
    }
    return text;
}

using StatusRanges = std::vector<std::pair<std::uint16_t, std::uint16_t>>;

/// "200-299,304"
[[nodiscard]] Converted<StatusRanges> to_status_ranges(const Value& value) {
    const auto text = to_text(value);
    if (!text) {
        return std::unexpected(text.error());
    }
    const auto wrong = [&] {
        return std::unexpected("must be status codes such as \"200-299,304\", not \"" + *text +
                               '"');
    };
    StatusRanges ranges;
    const char* at = text->data();
    const char* const end = at + text->size();
    const auto number = [&](std::uint16_t& code) {
        const auto [next, error] = std::from_chars(at, end, code);
        at = next;
        return error == std::errc() && code >= 100 && code <= 999;
    };
    const auto skip = [&](char wanted) { return at != end && *at == wanted && (++at, true); };
    do {
        while (skip(' ')) {
        }
        std::uint16_t first = 0;
        if (!number(first)) {
            return wrong();
        }
        std::uint16_t last = first;
        if (skip('-') && (!number(last) || last < first)) {
            return wrong();
        }
        ranges.emplace_back(first, last);
        while (skip(' ')) {
        }
    } while (skip(','));
    if (at != end) {
        return wrong();
    }
    return ranges;
}

/// A table of strings, each entry reported on its own.
template <typename KeyTest>
void read_string_table(TableReader& reader,
                       std::string_view key,
                       std::map<std::string, std::string>& out,
                       const KeyTest& is_valid_key) {
    const Value* value = reader.find(key);
    if (value == nullptr) {
        return;
    }
    const Table* table = value->as<Table>();
    if (table == nullptr) {
        return reader.report(key, wrong_kind(R"(a table { NAME = "VALUE" })", *value));
    }
    for (const Entry& entry : table->entries) {
        const auto text = to_field_value(entry.value);
        if (!is_valid_key(entry.key)) {
            reader.report(entry.where, key, "has a bad name: \"" + entry.key + '"');
        } else if (!text) {
            reader.report(entry.value.where, std::string(key) + '.' + entry.key, text.error());
        } else {
            out.emplace(entry.key, *text);
        }
    }
}

void read_tls(TableReader& reader, health::TlsOptions& tls) {
    reader.read("sni", tls.sni, to_field_value);
    reader.read("verify", tls.verify, to_bool);
    if (reader.read("ca_file", tls.ca_file, to_path_or_empty) && !tls.ca_file.empty()) {
        const std::string problem = reader.context().host.file_problem(tls.ca_file);
        if (!problem.empty()) {
            reader.report("ca_file", problem);
        }
    }
    reader.read("min_days_valid", tls.min_days_valid, Integer<std::uint32_t>{0, 36500});
}

[[nodiscard]] Target read_tcp(TableReader& reader) {
    health::TcpTarget tcp;
    reader.require("target", tcp.target, to_tcp_target);
    reader.read("send", tcp.send, to_text);
    reader.read("expect", tcp.expect, to_text);
    return tcp;
}

[[nodiscard]] Target read_tls_target(TableReader& reader) {
    health::TlsTarget target;
    reader.require("target", target.target, to_host_and_port);
    read_tls(reader, target.tls);
    return target;
}

[[nodiscard]] Target read_http(TableReader& reader) {
    health::HttpTarget http;
    reader.require("url", http.url, to_url);
    reader.read("method", http.method, to_method);
    reader.read("host", http.host, to_field_value);
    read_string_table(reader, "headers", http.headers, is_token);
    reader.read("expect_status", http.expect_status, to_status_ranges);
    reader.read("expect_body", http.expect_body, to_text);
    read_tls(reader, http.tls);
    return http;
}

[[nodiscard]] Choice<std::string> words(std::initializer_list<std::string_view> list) {
    Choice<std::string> choice;
    for (const std::string_view word : list) {
        choice.words.emplace_back(word, word);
    }
    return choice;
}

[[nodiscard]] Target read_dns(TableReader& reader) {
    health::DnsTarget dns;
    const Choice<bool> transports{{{"udp", false}, {"tcp", true}}};
    reader.require("server", dns.server, to_host_and_port);
    reader.require("query", dns.query, to_nonempty_text);
    reader.read(
        "qtype",
        dns.qtype,
        words({"A", "AAAA", "CNAME", "MX", "NS", "PTR", "SOA", "SRV", "TXT", "CAA", "ANY"}));
    reader.read("transport", dns.over_tcp, transports);
    reader.read("expect_rcode",
                dns.expect_rcode,
                words({"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"}));
    reader.read("expect_answer", dns.expect_answer, to_text);
    return dns;
}

[[nodiscard]] Target read_exec(TableReader& reader) {
    health::ExecTarget exec;
    read_command(reader, exec.command);
    read_string_table(reader, "env", exec.env, [](const std::string& name) {
        return !name.empty() && name.find('=') == std::string::npos && !has_control_character(name);
    });
    return exec;
}

[[nodiscard]] Target read_haproxy(TableReader& reader) {
    health::HaproxyTarget haproxy;
    reader.require("socket", haproxy.socket, to_path);
    const Value* backend = reader.find("backend");
    if (backend != nullptr && backend->as<std::string>() == nullptr) {
        reader.read_list("backend", haproxy.backends, to_name);
        if (backend->as<Array>() != nullptr && backend->as<Array>()->empty()) {
            reader.report("backend", "must name at least one backend");
        }
    } else {
        std::string name;
        if (reader.require("backend", name, to_name)) {
            haproxy.backends.push_back(name);
        }
    }
    reader.read("min_up", haproxy.min_up, Integer<std::uint32_t>{1});
    return haproxy;
}

[[nodiscard]] Target read_process(TableReader& reader) {
    health::ProcessTarget process;
    reader.read("pidfile", process.pidfile, to_path_or_empty);
    reader.read("unit", process.unit, to_text);
    if (process.pidfile.empty() == process.unit.empty()) {
        reader.report(process.unit.empty() ? "pidfile" : "unit",
                      "must be the only one of pidfile and unit, and one is needed");
    }
    return process;
}

[[nodiscard]] Target read_file(TableReader& reader) {
    health::FileTarget file;
    const Choice<bool> presence{{{"present", true}, {"absent", false}}};
    reader.require("path", file.path, to_path);
    reader.read("up_when", file.up_when_present, presence);
    return file;
}

} // namespace

Target read_target(TableReader& reader, std::string_view type) {
    if (type == "tcp") {
        return read_tcp(reader);
    }
    if (type == "tls") {
        return read_tls_target(reader);
    }
    if (type == "http") {
        return read_http(reader);
    }
    if (type == "dns") {
        return read_dns(reader);
    }
    if (type == "exec") {
        return read_exec(reader);
    }
    if (type == "haproxy") {
        return read_haproxy(reader);
    }
    return type == "process" ? read_process(reader) : read_file(reader);
}

} // namespace anyvip::cmd
