// SPDX-License-Identifier: Apache-2.0
// The effective configuration as TOML: what `--dump-config` prints.
#include <map>

#include "cmd/config/config.hpp"
#include "cmd/config/dump_writer.hpp"
#include "cmd/config/secrets.hpp"
#include "cmd/config/words.hpp"

namespace anyvip::cmd {

namespace {

void dump_node(DumpWriter& out, const NodeConfig& node) {
    out.table("[node]");
    out.number("asn", node.asn.value);
    if (!node.router_id) {
        out.comment("none can be derived on this host, and anyvipd will not start without one");
    }
    out.text("router_id", node.router_id ? to_string(*node.router_id) : std::string());
    out.text("name", node.name);
}

void dump_daemon(DumpWriter& out, const DaemonConfig& daemon) {
    out.table("[daemon]");
    out.text("control", daemon.control);
    out.text("state_dir", daemon.state_dir);
    out.text("http", daemon.http);
    out.texts("http_hosts", daemon.http_hosts);
    out.text("log_level", log_levels.word(daemon.log_level));
    out.text("log_format", log_formats.word(daemon.log_format));
    out.text("drain_file", daemon.drain_file);
    out.duration("linger", daemon.linger);
    out.duration("silence", daemon.silence);
    out.duration("linger_min", daemon.linger_min);
    out.boolean("node_mark", daemon.node_mark);
}

void dump_drain(DumpWriter& out, const vip::DrainConfig& drain) {
    out.table("[drain]");
    out.duration("gshut", drain.gshut);
    out.duration("deadline", drain.deadline);
    out.duration("idle", drain.idle);
    out.text("keep_last", keep_last_words.word(drain.keep_last));
}

template <typename Holder> void dump_communities(DumpWriter& out, const Holder& holder) {
    std::vector<std::string> texts;
    for (const auto& community : holder.communities) {
        texts.push_back(to_string(community));
    }
    for (const auto& community : holder.extended_communities) {
        texts.push_back(to_string(community));
    }
    for (const auto& community : holder.large_communities) {
        texts.push_back(to_string(community));
    }
    out.texts("communities", texts);
}

void dump_authentication(DumpWriter& out, const PeerEntry& peer) {
    if (peer.tcp_ao) {
        out.raw("tcp_ao",
                "{ key_file = " + quote_toml(peer.tcp_ao->key_file) +
                    ", send_id = " + std::to_string(peer.tcp_ao->send_id) +
                    ", recv_id = " + std::to_string(peer.tcp_ao->recv_id) +
                    ", algorithm = " + quote_toml(peer.tcp_ao->algorithm) + " }");
    } else if (!peer.password_file.empty()) {
        out.text("password_file", peer.password_file);
    } else {
        out.text("password", peer.password.empty() ? "" : hidden_secret);
    }
}

void dump_bfd(DumpWriter& out, const std::optional<BfdConfig>& bfd) {
    if (!bfd) {
        return out.boolean("bfd", false);
    }
    out.raw("bfd",
            "{ transmit = " + quote_toml(format_duration(bfd->transmit)) +
                ", receive = " + quote_toml(format_duration(bfd->receive)) +
                ", multiplier = " + std::to_string(bfd->multiplier) +
                ", strict = " + (bfd->strict ? "true" : "false") + " }");
}

[[nodiscard]] std::string text_of(const std::optional<IpAddress>& address) {
    return address ? to_string(*address) : std::string();
}

void dump_transport(DumpWriter& out, const PeerEntry& peer) {
    using Kind = bgp::RemoteAs::Kind;
    const bgp::PeerConfig& session = peer.session;
    out.text("name", session.name);
    if (peer.address) {
        out.text("address",
                 to_string(*peer.address) + (peer.scope.empty() ? "" : "%" + peer.scope));
    } else {
        out.text("interface", peer.interface);
        out.boolean("ra", peer.ra);
    }
    if (session.remote_as.kind == Kind::Number) {
        out.number("asn", session.remote_as.number.value);
    } else {
        out.text("asn", session.remote_as.kind == Kind::External ? "external" : "internal");
    }
    out.number("port", peer.port);
    out.text("local_address", text_of(peer.local_address));
    out.boolean("passive", session.passive);
    out.number("listen_port", peer.listen_port);
    out.number("multihop", session.multihop);
    out.number("ttl_security", peer.ttl_security);
    dump_authentication(out, peer);
    dump_bfd(out, peer.bfd);
    out.boolean("default_route", peer.default_route);
    out.number("default_route_metric", peer.default_route_metric);
}

void dump_session(DumpWriter& out, const bgp::PeerConfig& session) {
    out.duration("hold_time", session.hold_time);
    out.duration("connect_timeout", session.connect_timeout);
    out.duration("connect_retry", session.connect_retry);
    out.duration("connect_retry_max", session.connect_retry_max);
    out.duration("open_hold", session.open_hold);
    out.optional_duration("send_hold_time", session.send_hold_time);
    std::vector<std::string> wanted;
    for (const Family family : {Family::Ipv4, Family::Ipv6}) {
        if (session.families.at(static_cast<std::size_t>(family))) {
            wanted.emplace_back(to_string(family));
        }
    }
    out.texts("families", wanted);
    out.boolean("extended_next_hop", session.extended_next_hop);
    out.text("next_hop_ipv4", text_of(session.next_hop_ipv4));
    out.text("next_hop_ipv6", text_of(session.next_hop_ipv6));
    out.boolean("strict_rfc4271", session.strict_rfc4271);
    out.text("ipv6_link_local_next_hop",
             link_local_next_hops.word(session.ipv6_link_local_next_hop));
    dump_communities(out, session.policy);
    out.number("prepend", session.policy.prepend);
    out.optional_number("med", session.policy.med);
    out.optional_number("local_pref", session.policy.local_pref);
    out.number("max_received", session.max_received);
    out.text("role", roles.word(session.role));
}

void dump_tls(DumpWriter& out, const health::TlsOptions& tls) {
    out.text("sni", tls.sni);
    out.boolean("verify", tls.verify);
    out.text("ca_file", tls.ca_file);
    out.number("min_days_valid", tls.min_days_valid);
}

[[nodiscard]] std::map<std::string, std::string>
without_secrets(std::map<std::string, std::string> values) {
    for (auto& [name, value] : values) {
        if (is_secret_name(name) && !value.empty()) {
            value = hidden_secret;
        }
    }
    return values;
}

/// The keys of each type of check.
struct TargetDump {
    DumpWriter& out;

    void operator()(const health::TcpTarget& tcp) const {
        out.text("target", tcp.target);
        out.text("send", tcp.send);
        out.text("expect", tcp.expect);
    }

    void operator()(const health::TlsTarget& target) const {
        out.text("target", target.target);
        dump_tls(out, target.tls);
    }

    void operator()(const health::HttpTarget& http) const {
        out.text("url", http.url);
        out.text("method", http.method);
        out.text("host", http.host);
        out.text_table("headers", without_secrets(http.headers));
        std::string status;
        for (const auto& [first, last] : http.expect_status) {
            status += (status.empty() ? "" : ",") + std::to_string(first);
            status += first == last ? std::string() : '-' + std::to_string(last);
        }
        out.text("expect_status", status);
        out.text("expect_body", http.expect_body);
        dump_tls(out, http.tls);
    }

    void operator()(const health::DnsTarget& dns) const {
        out.text("server", dns.server);
        out.text("query", dns.query);
        out.text("qtype", dns.qtype);
        out.text("transport", dns.over_tcp ? "tcp" : "udp");
        out.text("expect_rcode", dns.expect_rcode);
        out.text("expect_answer", dns.expect_answer);
    }

    void operator()(const health::ExecTarget& exec) const {
        out.texts("command", exec.command);
        out.text_table("env", without_secrets(exec.env));
    }

    void operator()(const health::HaproxyTarget& haproxy) const {
        out.text("socket", haproxy.socket);
        out.texts("backend", haproxy.backends);
        out.number("min_up", haproxy.min_up);
    }

    void operator()(const health::ProcessTarget& process) const {
        out.text("pidfile", process.pidfile);
        out.text("unit", process.unit);
    }

    void operator()(const health::FileTarget& file) const {
        out.text("path", file.path);
        out.text("up_when", file.up_when_present ? "present" : "absent");
    }
};

void dump_check(DumpWriter& out, const health::CheckConfig& check) {
    const health::Schedule& schedule = check.schedule;
    out.text("name", check.name);
    out.text("type", health::type_name(check.target));
    out.duration("interval", schedule.interval);
    out.duration("timeout", schedule.timeout);
    out.number("fall", schedule.fall);
    out.number("rise", schedule.rise);
    out.duration("fast_interval", schedule.fast_interval);
    if (check.tripwire == health::Tripwire::Connection) {
        out.text("tripwire", "connection");
    } else {
        out.boolean("tripwire", check.tripwire == health::Tripwire::On);
    }
    if (std::holds_alternative<health::ExecTarget>(check.target)) {
        out.text("user", check.user);
    }
    out.boolean("hard_fail", schedule.hard_fail);
    out.duration("hard_fail_grace", schedule.hard_fail_grace);
    out.text("scope", scopes.word(check.scope));
    std::visit(TargetDump{out}, check.target);
}

void dump_vip(DumpWriter& out, const vip::VipConfig& vip) {
    std::vector<std::string> addresses;
    bool has_prefix = false;
    for (const Prefix& prefix : vip.addresses) {
        addresses.push_back(prefix.is_host() ? to_string(prefix.address()) : to_string(prefix));
        has_prefix = has_prefix || !prefix.is_host();
    }
    out.text("name", vip.name);
    out.texts("addresses", addresses);
    out.boolean("allow_prefix", has_prefix);
    out.texts("checks", vip.checks);
    if (vip.require < 2) {
        out.text("require", vip.require == 0 ? "all" : "any");
    } else {
        out.number("require", vip.require);
    }
    out.texts("peers", vip.peers);
    out.text("interface", vip.interface);
    out.text("address_policy", address_policies.word(vip.address_policy));
    out.text("on_down", on_down_words.word(vip.on_down));
    out.number("backup_prepend", vip.backup_prepend);
    out.optional_number("backup_med", vip.backup_med);
    dump_communities(out, vip);
    out.number("prepend", vip.prepend);
    out.optional_number("med", vip.med);
    out.text("bandwidth",
             vip.bandwidth_bits_per_second ? format_bandwidth(*vip.bandwidth_bits_per_second)
                                           : std::string());
    out.number("bandwidth_step", vip.bandwidth_step_percent);
    out.duration("slow_start", vip.slow_start);
    out.duration("hold_down", vip.hold_down);
    out.boolean("damping", vip.damping);
}

} // namespace

std::string dump_config(const Config& config) {
    DumpWriter out;
    dump_node(out, config.node);
    dump_daemon(out, config.daemon);
    dump_drain(out, config.drain);
    for (const PeerEntry& peer : config.peers) {
        out.table("[[peer]]");
        dump_transport(out, peer);
        dump_session(out, peer.session);
    }
    for (const health::CheckConfig& check : config.checks) {
        out.table("[[check]]");
        dump_check(out, check);
    }
    for (const vip::VipConfig& vip : config.vips) {
        out.table("[[vip]]");
        dump_vip(out, vip);
    }
    for (const HookConfig& hook : config.hooks) {
        out.table("[[hook]]");
        out.text("event", hook.event);
        out.texts("command", hook.command);
        out.text("user", hook.user);
    }
    return out.take();
}

} // namespace anyvip::cmd
