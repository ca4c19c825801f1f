// SPDX-License-Identifier: Apache-2.0
// [[peer]]: who, over which transport, with which timers and which attributes.
#include "cmd/config/convert.hpp"
#include "cmd/config/sections.hpp"
#include "cmd/config/words.hpp"

namespace anyvip::cmd {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

[[nodiscard]] bool is_valid_asn(std::int64_t number) {
    return number >= 1 && number <= 4294967294 && number != 23456 && number != 65535;
}

[[nodiscard]] Converted<bgp::RemoteAs> to_remote_as(const Value& value) {
    using Kind = bgp::RemoteAs::Kind;
    if (const std::int64_t* number = value.as<std::int64_t>()) {
        if (is_valid_asn(*number)) {
            return bgp::RemoteAs{.kind = Kind::Number,
                                 .number = {static_cast<std::uint32_t>(*number)}};
        }
    } else if (const std::string* text = value.as<std::string>()) {
        if (*text == "external" || *text == "internal") {
            return bgp::RemoteAs{.kind = *text == "external" ? Kind::External : Kind::Internal,
                                 .number = {}};
        }
    }
    return std::unexpected(R"(must be a number from 1 to 4294967294 except 23456 and 65535, )"
                           R"("external" or "internal")");
}

/// RFC 4271 §4.2: zero, or at least three seconds; two octets on the wire.
[[nodiscard]] Converted<seconds> to_hold_time(const Value& value) {
    const auto time = DurationOf<seconds>{}(value);
    if (time && *time != seconds(0) && (*time < seconds(3) || *time > seconds(65535))) {
        return std::unexpected(R"(must be "0s" or from "3s" to "65535s")");
    }
    return time;
}

/// TCP_MD5SIG_MAXKEYLEN and TCP_AO_MAXKEYLEN.
[[nodiscard]] Converted<std::string> to_password(const Value& value) {
    constexpr std::size_t longest = 80;
    auto text = to_text(value);
    if (text && text->size() > longest) {
        return std::unexpected("is longer than the 80 bytes that TCP MD5 allows");
    }
    return text;
}

class PeerReader {
  public:
    PeerReader(ReadContext& context, const Section& section, const NodeConfig& node)
        : section_(section), node_(node),
          reader_(context, section.label, section.where, *section.own, section.inherited) {}

    [[nodiscard]] PeerEntry read() {
        if (!section_.is_template) {
            identity();
        }
        remote_as();
        transport();
        authentication();
        bfd();
        timers();
        protocol();
        attributes();
        reader_.finish();
        return std::move(peer_);
    }

  private:
    void identity();
    void address(const Value& value);
    void remote_as();
    void transport();
    void addresses();
    void authentication();
    void tcp_ao(const Value& value);
    void secret_file(std::string_view key, const std::string& path);
    void bfd();
    void timers();
    void protocol();
    void attributes();

    /// A key that makes no sense for this peer is a problem where the peer itself has it; from
    /// [defaults.peer] it is meant for others.
    [[nodiscard]] bool is_misplaced(std::string_view key, std::string_view message) {
        if (reader_.has_own(key) && !section_.is_template) {
            reader_.report(key, message);
        }
        return !section_.is_template;
    }

    const Section& section_;
    const NodeConfig& node_;
    TableReader reader_;
    PeerEntry peer_;
    bool is_internal_ = false;
};

void PeerReader::identity() {
    bgp::PeerConfig& session = peer_.session;
    const Value* own_address = reader_.find("address");
    reader_.read("interface", peer_.interface, to_interface);
    if (own_address != nullptr && reader_.find("interface") != nullptr) {
        reader_.report("interface", "cannot stand beside address; give one of them");
    } else if (own_address != nullptr) {
        address(*own_address);
    } else if (reader_.find("interface") == nullptr) {
        reader_.report("address", "is missing; give it, or interface for an unnumbered peer");
    }
    if (peer_.address) {
        session.name = to_string(*peer_.address) + (peer_.scope.empty() ? "" : "%" + peer_.scope);
    } else {
        session.name = peer_.interface;
    }
    reader_.read("name", session.name, to_name);
}

void PeerReader::address(const Value& value) {
    const std::string* text = value.as<std::string>();
    const std::size_t percent = text == nullptr ? std::string::npos : text->find('%');
    if (percent == std::string::npos) {
        reader_.read("address", peer_.address, to_unicast);
    } else {
        const Value bare{.where = value.where, .data = text->substr(0, percent)};
        const Value scope{.where = value.where, .data = text->substr(percent + 1)};
        const auto address = to_unicast(bare);
        const auto interface = to_interface(scope);
        if (!address) {
            return reader_.report("address", address.error());
        }
        if (!interface) {
            return reader_.report("address", "has a bad interface: it " + interface.error());
        }
        peer_.address = *address;
        peer_.scope = *interface;
    }
    if (!peer_.address) {
        return;
    }
    const bool needs_scope = peer_.address->is_v6() && peer_.address->is_link_local();
    if (needs_scope && peer_.scope.empty()) {
        reader_.report("address", R"(is link-local and needs its interface, as in "fe80::1%eth0")");
    } else if (!needs_scope && !peer_.scope.empty()) {
        reader_.report("address", "is not link-local; only such an address has an interface");
    }
}

void PeerReader::remote_as() {
    bgp::RemoteAs& remote = peer_.session.remote_as;
    if (section_.is_template) {
        reader_.read("asn", remote, to_remote_as);
    } else {
        reader_.require("asn", remote, to_remote_as);
    }
    is_internal_ = remote.kind == bgp::RemoteAs::Kind::Internal ||
                   (remote.kind == bgp::RemoteAs::Kind::Number && remote.number == node_.asn);
}

void PeerReader::transport() {
    bgp::PeerConfig& session = peer_.session;
    reader_.read("port", peer_.port, Integer<std::uint16_t>{1});
    reader_.read("listen_port", peer_.listen_port, Integer<std::uint16_t>{});
    reader_.read("passive", session.passive, to_bool);
    session.listens = peer_.listen_port != 0;
    if (session.passive && !session.listens) {
        reader_.report("passive", "needs a listen_port, or no session can ever come up");
    }
    addresses();
    reader_.read("ra", peer_.ra, to_bool);
    if (peer_.address && reader_.has_own("ra")) {
        reader_.report("ra", "is for peers with interface");
    }
    reader_.read("multihop", session.multihop, Integer<std::uint8_t>{});
    reader_.read("ttl_security", peer_.ttl_security, Integer<std::uint8_t>{0, 254});
    const bool is_on_link = !peer_.interface.empty() || !peer_.scope.empty();
    if (is_on_link && session.multihop > 0 &&
        is_misplaced("multihop", "is impossible: a link-local peer is on the same link")) {
        session.multihop = 0;
    }
    reader_.read("default_route", peer_.default_route, to_bool);
    // To IPv6 a metric of 0 is 1024.
    reader_.read("default_route_metric", peer_.default_route_metric, Integer<std::uint32_t>{1});
}

void PeerReader::addresses() {
    bgp::PeerConfig& session = peer_.session;
    const auto ipv4 = [](const Value& v) { return to_optional_unicast(v, Family::Ipv4); };
    const auto ipv6 = [](const Value& v) { return to_optional_unicast(v, Family::Ipv6); };
    reader_.read("local_address", peer_.local_address, OrEmpty{to_unicast});
    reader_.read("next_hop_ipv4", session.next_hop_ipv4, ipv4);
    reader_.read("next_hop_ipv6", session.next_hop_ipv6, ipv6);
    const Family family = peer_.address ? peer_.address->family() : Family::Ipv6;
    if (peer_.local_address && peer_.local_address->family() != family &&
        is_misplaced("local_address", "is not of the address family of the peer")) {
        peer_.local_address.reset();
    }
    if (peer_.address && peer_.local_address == peer_.address) {
        reader_.report("local_address", "is the address of the peer itself");
    }
}

void PeerReader::authentication() {
    reader_.exclusive({"password", "password_file", "tcp_ao"});
    reader_.read("password", peer_.password, to_password);
    if (reader_.read("password_file", peer_.password_file, to_path_or_empty)) {
        secret_file("password_file", peer_.password_file);
    }
    const Value* ao = reader_.find("tcp_ao");
    if (ao != nullptr) {
        tcp_ao(*ao);
    }
    const int ways = (peer_.password.empty() ? 0 : 1) + (peer_.password_file.empty() ? 0 : 1) +
                     (ao == nullptr ? 0 : 1);
    if (ways > 1) {
        reader_.report(ao != nullptr ? "tcp_ao" : "password_file",
                       "excludes the others of password, password_file and tcp_ao");
    }
    peer_.session.has_password = ways > 0;
}

void PeerReader::tcp_ao(const Value& value) {
    const Table* table = value.as<Table>();
    if (table == nullptr) {
        return reader_.report("tcp_ao", wrong_kind(R"(a table { key_file = "…", … })", value));
    }
    TcpAo ao{.key_file = {}, .send_id = 1, .recv_id = 1, .algorithm = "hmac-sha1-96"};
    TableReader inner(reader_.context(), "peer.tcp_ao", value.where, *table);
    const Choice<std::string> algorithms{
        {{"hmac-sha1-96", "hmac-sha1-96"}, {"aes-128-cmac-96", "aes-128-cmac-96"}}};
    if (inner.require("key_file", ao.key_file, to_path)) {
        const std::string problem = reader_.context().host.file_problem(ao.key_file);
        if (!problem.empty()) {
            inner.report("key_file", problem);
        }
    }
    inner.read("send_id", ao.send_id, Integer<std::uint8_t>{});
    inner.read("recv_id", ao.recv_id, Integer<std::uint8_t>{});
    inner.read("algorithm", ao.algorithm, algorithms);
    inner.finish();
    peer_.tcp_ao = std::move(ao);
}

void PeerReader::secret_file(std::string_view key, const std::string& path) {
    if (path.empty()) {
        return;
    }
    const std::string problem = reader_.context().host.file_problem(path);
    if (!problem.empty()) {
        reader_.report(key, problem);
    }
}

void PeerReader::bfd() {
    const Value* value = reader_.find("bfd");
    if (value == nullptr) {
        return;
    }
    if (const bool* wanted = value->as<bool>()) {
        if (*wanted) {
            peer_.bfd.emplace();
        }
        return;
    }
    const Table* table = value->as<Table>();
    if (table == nullptr) {
        return reader_.report("bfd",
                              wrong_kind(R"(true, false or { transmit = "300ms", … })", *value));
    }
    // RFC 5880 §4.1: 32 bits of microseconds; below a millisecond nobody can keep the promise.
    const auto interval = [](const Value& v) -> Converted<std::chrono::microseconds> {
        auto time = DurationOf<std::chrono::microseconds>{milliseconds(1)}(v);
        if (time && time->count() > std::numeric_limits<std::uint32_t>::max()) {
            return std::unexpected(R"(must be at most "4294s")");
        }
        return time;
    };
    BfdConfig& bfd = peer_.bfd.emplace();
    TableReader inner(reader_.context(), "peer.bfd", value->where, *table);
    inner.read("transmit", bfd.transmit, interval);
    inner.read("receive", bfd.receive, interval);
    inner.read("multiplier", bfd.multiplier, Integer<std::uint8_t>{1});
    inner.read("strict", bfd.strict, to_bool);
    inner.finish();
}

void PeerReader::timers() {
    bgp::PeerConfig& session = peer_.session;
    const DurationOf<milliseconds> positive{milliseconds(1)};
    reader_.read("hold_time", session.hold_time, to_hold_time);
    reader_.read("connect_timeout", session.connect_timeout, positive);
    reader_.read("connect_retry", session.connect_retry, positive);
    if (!reader_.read("connect_retry_max", session.connect_retry_max, positive)) {
        session.connect_retry_max = std::max(session.connect_retry_max, session.connect_retry);
    } else if (session.connect_retry_max < session.connect_retry) {
        reader_.report("connect_retry_max", "is shorter than connect_retry");
    }
    reader_.read("open_hold", session.open_hold, DurationOf<milliseconds>{seconds(1)});
    reader_.read("send_hold_time", session.send_hold_time, OrEmpty{positive});
    // RFC 9687 §4.2: the send hold time is greater than the hold time.
    if (session.send_hold_time && *session.send_hold_time <= session.hold_time) {
        reader_.report("send_hold_time", "must be longer than hold_time");
    }
}

void PeerReader::protocol() {
    bgp::PeerConfig& session = peer_.session;
    if (reader_.find("families") != nullptr) {
        std::vector<Family> wanted;
        const std::size_t before = reader_.context().problems.size();
        reader_.read_list("families", wanted, families);
        session.families = {};
        for (const Family family : wanted) {
            session.families.at(static_cast<std::size_t>(family)) = true;
        }
        if (wanted.empty() && reader_.context().problems.size() == before) {
            reader_.report("families", "must name at least one family");
        }
    }
    session.extended_next_hop = !peer_.interface.empty();
    reader_.read("extended_next_hop", session.extended_next_hop, to_bool);
    reader_.read("strict_rfc4271", session.strict_rfc4271, to_bool);
    reader_.read(
        "ipv6_link_local_next_hop", session.ipv6_link_local_next_hop, link_local_next_hops);
    reader_.read("max_received", session.max_received, Integer<std::uint32_t>{});
    reader_.read("role", session.role, roles);
    // RFC 9234 §4: roles are for eBGP only.
    if (session.role && is_internal_ && is_misplaced("role", "is for external peers only")) {
        session.role.reset();
    }
}

void PeerReader::attributes() {
    bgp::ExportPolicy& policy = peer_.session.policy;
    read_communities(reader_,
                     {policy.communities, policy.extended_communities, policy.large_communities});
    reader_.read("prepend", policy.prepend, Integer<std::uint32_t>{0, most_prepends});
    reader_.read("med", policy.med, Integer<std::uint32_t>{});
    reader_.read("local_pref", policy.local_pref, Integer<std::uint32_t>{});
    if (is_internal_ && policy.prepend > 0 &&
        is_misplaced("prepend", "is for external peers only")) {
        policy.prepend = 0;
    }
    // RFC 4271 §5.1.5: LOCAL_PREF is not sent to external peers.
    if (!is_internal_ && policy.local_pref &&
        is_misplaced("local_pref", "is for internal peers only")) {
        policy.local_pref.reset();
    }
}

} // namespace

PeerEntry read_peer(ReadContext& context, const Section& section, const NodeConfig& node) {
    return PeerReader(context, section, node).read();
}

void read_communities(TableReader& reader, const Communities& communities) {
    const Value* list = reader.find("communities");
    if (list == nullptr) {
        return;
    }
    std::vector<std::string> ignored;
    std::size_t count = 0;
    reader.read_list("communities", ignored, [&](const Value& value) -> Converted<std::string> {
        const auto text = to_text(value);
        if (!text) {
            return text;
        }
        // Those of a VIP and of a peer go into one UPDATE of 4096 octets, 12 for a large one.
        if (++count == most_communities + 1) {
            return std::unexpected("at most " + std::to_string(most_communities) +
                                   " communities in one list");
        }
        const auto add = [&](auto& into, const auto& parsed) -> Converted<std::string> {
            if (!parsed) {
                return std::unexpected(parsed.error());
            }
            if (std::ranges::find(into, *parsed) == into.end()) {
                into.push_back(*parsed);
            }
            return *text;
        };
        if (text->starts_with("rt:") || text->starts_with("so:")) {
            return add(communities.extended, bgp::parse_extended_community(*text));
        }
        if (std::ranges::count(*text, ':') == 2) {
            return add(communities.large, bgp::parse_large_community(*text));
        }
        return add(communities.standard, bgp::parse_community(*text));
    });
}

} // namespace anyvip::cmd
