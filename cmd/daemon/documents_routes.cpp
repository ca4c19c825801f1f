// SPDX-License-Identifier: Apache-2.0
// Documents about routes: what is advertised, and what routers show us of our own VIPs.
#include <algorithm>
#include <functional>

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

#include "cmd/daemon/documents.hpp"

namespace anyvip::cmd {
namespace {

namespace json = boost::json;

template <class Values> json::array texts(const Values& values) {
    json::array array;
    for (const auto& value : values) {
        array.emplace_back(to_string(value));
    }
    return array;
}

json::object advertised_route(const bgp::Peer& peer,
                              const Prefix& prefix,
                              const bgp::wire::PathAttributes& attributes) {
    json::object route;
    route["peer"] = peer.config().name;
    route["prefix"] = to_string(prefix);
    route["next_hop"] = to_string(attributes.next_hop.address);
    if (attributes.next_hop.link_local) {
        route["link_local_next_hop"] = to_string(*attributes.next_hop.link_local);
    }
    json::array as_path;
    for (std::uint32_t i = 0; i < attributes.path_count; ++i) {
        as_path.emplace_back(peer.speaker().asn.value);
    }
    route["as_path"] = std::move(as_path);
    route["origin"] = "igp";
    route["med"] = attributes.med ? json::value(*attributes.med) : json::value(nullptr);
    route["local_pref"] =
        attributes.local_pref ? json::value(*attributes.local_pref) : json::value(nullptr);
    route["communities"] = texts(attributes.communities);
    route["extended_communities"] = texts(attributes.extended_communities);
    route["large_communities"] = texts(attributes.large_communities);
    return route;
}

json::object
observed_route(const bgp::Peer& peer, const Prefix& prefix, const bgp::ObservedPath& path) {
    json::object route;
    route["peer"] = peer.config().name;
    route["prefix"] = to_string(prefix);
    route["path_id"] = path.path_id;
    route["next_hop"] =
        path.next_hop ? json::value(to_string(*path.next_hop)) : json::value(nullptr);
    json::array as_path;
    for (const bgp::Asn asn : path.as_path) {
        as_path.emplace_back(asn.value);
    }
    route["as_path"] = std::move(as_path);
    route["med"] = path.med ? json::value(*path.med) : json::value(nullptr);
    route["local_pref"] = path.local_pref ? json::value(*path.local_pref) : json::value(nullptr);
    route["graceful_shutdown"] = path.is_graceful_shutdown;
    route["large_communities"] = texts(path.large_communities);
    return route;
}

struct Candidates {
    std::vector<std::string> peers;
    std::vector<Prefix> prefixes; // of all VIPs, ordered
};

Candidates candidates(Agent& agent, std::string_view only) {
    Candidates all;
    for (std::string& name : agent.peer_names()) {
        if (only.empty() || only == name) {
            all.peers.push_back(std::move(name));
        }
    }
    for (const vip::VipConfig& config : agent.config().vips) {
        all.prefixes.insert(all.prefixes.end(), config.addresses.begin(), config.addresses.end());
    }
    std::ranges::sort(all.prefixes);
    return all;
}

using RoutesOf = std::function<json::array(const bgp::Peer&, const Prefix&)>;

Pieces routes_of(Agent& agent, std::string_view only, RoutesOf make) {
    Candidates all = candidates(agent, only);
    const std::size_t count = all.peers.size() * all.prefixes.size();
    Pieces pieces;
    pieces.text("{\"routes\":")
        .lists(count,
               [&agent, all = std::move(all), make = std::move(make)](std::size_t index) {
                   const bgp::Peer* peer = agent.find_peer(all.peers[index / all.prefixes.size()]);
                   return peer == nullptr ? json::array()
                                          : make(*peer, all.prefixes[index % all.prefixes.size()]);
               })
        .text("}");
    return pieces;
}

} // namespace

Pieces routes_document(Agent& agent, std::string_view only) {
    return routes_of(agent, only, [](const bgp::Peer& peer, const Prefix& prefix) {
        json::array routes;
        if (const auto attributes = peer.advertised(prefix)) {
            routes.push_back(advertised_route(peer, prefix, *attributes));
        }
        return routes;
    });
}

Pieces received_routes_document(Agent& agent, std::string_view only) {
    return routes_of(agent, only, [](const bgp::Peer& peer, const Prefix& prefix) {
        json::array routes;
        const auto& all = peer.paths().all();
        if (const auto found = all.find(prefix); found != all.end()) {
            for (const auto& [path_id, path] : found->second) {
                routes.push_back(observed_route(peer, prefix, path));
            }
        }
        return routes;
    });
}

} // namespace anyvip::cmd
