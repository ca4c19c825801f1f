// SPDX-License-Identifier: Apache-2.0
// The JSON of peers.
#include <algorithm>
#include <array>

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

#include "cmd/daemon/documents.hpp"
#include "cmd/daemon/json_values.hpp"
#include "cmd/daemon/wall_time.hpp"

namespace anyvip::cmd {
namespace {

namespace json = boost::json;

json::array family_names(const std::array<bool, 2>& families) {
    json::array names;
    for (const Family family : {Family::Ipv4, Family::Ipv6}) {
        if (families.at(static_cast<std::size_t>(family))) {
            names.emplace_back(to_string(family));
        }
    }
    return names;
}

json::value last_error_document(const std::optional<bgp::LastError>& error) {
    if (!error) {
        return nullptr;
    }
    return json::object{{"at", to_rfc3339(error->at)},
                        {"code", error->code},
                        {"subcode", error->subcode},
                        {"name", error->name},
                        {"message", error->message},
                        {"sent", error->sent}};
}

const PeerEntry* find_entry(const Agent& agent, std::string_view name) {
    const auto& peers = agent.config().peers;
    const auto found = std::ranges::find_if(
        peers, [&](const PeerEntry& entry) { return entry.session.name == name; });
    return found == peers.end() ? nullptr : &*found;
}

json::object peer_line(const Agent& agent, const bgp::Peer& peer, const bgp::PeerStatus& status) {
    const PeerEntry* entry = find_entry(agent, peer.config().name);
    json::object document;
    document["name"] = peer.config().name;
    std::string address;
    if (entry != nullptr && entry->address) {
        address = to_string(*entry->address) + (entry->scope.empty() ? "" : "%" + entry->scope);
    } else if (entry != nullptr) {
        address = entry->interface;
    }
    document["address"] = address;
    const bgp::RemoteAs& configured = peer.config().remote_as;
    if (status.remote_asn) {
        document["asn"] = status.remote_asn->value;
    } else if (configured.kind == bgp::RemoteAs::Kind::Number) {
        document["asn"] = configured.number.value;
    } else {
        document["asn"] = configured.kind == bgp::RemoteAs::Kind::Internal
                              ? json::value(agent.config().node.asn.value)
                              : json::value(nullptr);
    }
    document["state"] = bgp::to_string(status.state);
    document["since"] = to_rfc3339(status.since);
    document["hold_time_s"] =
        status.hold_time ? status.hold_time->count() : peer.config().hold_time.count();
    document["families"] = family_names(status.families);
    const std::optional<PeerView> view = agent.peer(peer.config().name);
    document["drained"] = view && view->is_drained;
    document["bfd"] = to_string(view ? view->bfd : BfdState::Off);
    document["advertised"] = status.advertised[0] + status.advertised[1];
    document["received"] = status.received_prefixes;
    document["resets"] = status.resets;
    document["last_error"] = last_error_document(status.last_error);
    return document;
}

std::string hexadecimal(const std::vector<std::uint8_t>& octets) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    text.reserve(octets.size() * 2);
    for (const std::uint8_t octet : octets) {
        text += digits[octet >> 4U];
        text += digits[octet & 0xFU];
    }
    return text;
}

json::object message_counts(const std::array<std::uint64_t, 6>& counts) {
    constexpr std::array<std::string_view, 6> names{
        "", "open", "update", "notification", "keepalive", "route_refresh"};
    json::object document;
    for (std::size_t type = 1; type < counts.size(); ++type) {
        document[names.at(type)] = counts.at(type);
    }
    return document;
}

/// What the router offers of what `default_route` asks for; null when it is not asked.
json::value offers_document(const Agent& agent, std::string_view peer) {
    json::object document;
    for (const DefaultRouteOffer& offer : agent.default_route_offers()) {
        if (offer.peer == peer) {
            document[to_string(offer.family)] = json::object{
                {"next_hop",
                 offer.next_hop ? json::value(to_string(*offer.next_hop)) : json::value(nullptr)},
                {"graceful_shutdown", offer.is_graceful_shutdown},
                {"taken_out", offer.is_taken_out},
                {"problem", null_or(offer.problem)}};
        }
    }
    return document.empty() ? json::value(nullptr) : json::value(std::move(document));
}

void add_peer_details(json::object& document, const bgp::PeerStatus& status) {
    document["router_id"] =
        status.remote_id ? json::value(bgp::to_string(*status.remote_id)) : json::value(nullptr);
    json::object problems;
    for (const Family family : {Family::Ipv4, Family::Ipv6}) {
        const std::string& problem = status.family_problem.at(static_cast<std::size_t>(family));
        if (!problem.empty()) {
            problems[to_string(family)] = problem;
        }
    }
    document["family_problems"] = std::move(problems);
    document["capabilities"] =
        json::object{{"four_octet_asn", status.four_octet_asn},
                     {"enhanced_route_refresh", status.enhanced_route_refresh},
                     {"extended_next_hop", status.extended_next_hop},
                     {"add_path_receive", family_names(status.add_path)},
                     {"graceful_restart", status.peer_graceful_restart}};
    document["messages"] = json::object{{"sent", message_counts(status.messages.sent)},
                                        {"received", message_counts(status.messages.received)}};
    json::object rules;
    for (const auto& [rule, count] : status.rule_counters) {
        rules[rule] = count;
    }
    document["rule_counters"] = std::move(rules);
    document["last_malformed"] =
        status.last_malformed.empty()
            ? json::value(nullptr)
            : json::value(json::object{{"detail", status.last_malformed_detail},
                                       {"hex", hexadecimal(status.last_malformed)}});
    document["next_attempt"] =
        status.next_attempt ? json::value(to_rfc3339(*status.next_attempt)) : json::value(nullptr);
    if (status.endpoints) {
        document["local_address"] = to_string(status.endpoints->local);
        document["interface"] = status.endpoints->interface;
    }
}

} // namespace

json::object peer_summary(const Agent& agent, const bgp::Peer& peer) {
    return peer_line(agent, peer, peer.status());
}

json::object peer_document(Agent& agent, std::string_view name) {
    const bgp::Peer* peer = agent.find_peer(name);
    if (peer == nullptr) {
        return {};
    }
    const bgp::PeerStatus status = peer->status();
    json::object document = peer_line(agent, *peer, status);
    add_peer_details(document, status);
    document["default_route"] = offers_document(agent, name);
    return document;
}

} // namespace anyvip::cmd
