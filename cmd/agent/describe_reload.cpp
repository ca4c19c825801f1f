// SPDX-License-Identifier: Apache-2.0
// What a reload would do, one line for each thing, without doing it.
#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <utility>

#include "cmd/agent/exposure.hpp"
#include "cmd/agent/impl.hpp"

namespace anyvip::cmd {

namespace {

using Lines = std::vector<std::string>;

/// Those places of the old list that nothing in the new one has come from.
[[nodiscard]] std::vector<bool> is_gone(const Predecessors& places, std::size_t count) {
    std::vector<bool> gone(count, true);
    for (const std::optional<std::size_t> place : places) {
        if (place) {
            gone[*place] = false;
        }
    }
    return gone;
}

/// `keys`: of what is not the peer's own, the changed ones.
void describe_peer(const PeerEntry& old, const PeerEntry& entry, Lines keys, Lines& lines) {
    const std::string& name = entry.session.name;
    if (old.session.name != name) {
        lines.push_back("peer " + old.session.name + ": renamed to " + name);
    }
    if (old.default_route != entry.default_route) {
        lines.push_back("peer " + name + ": its default route is " +
                        (entry.default_route ? "installed" : "no longer used"));
    }
    std::ranges::move(reset_keys(old, entry), std::back_inserter(keys));
    if (!keys.empty()) {
        lines.push_back("peer " + name + ": its session is reset, because of: " + joined(keys));
    } else if (old != entry && old.session.name == name) {
        lines.push_back("peer " + name + ": changed without a reset");
    }
}

void describe_peers(const PeerSet& peers, const Config& before, const Config& after, Lines& lines) {
    const Predecessors places = predecessors(pointers_to(before.peers), after.peers);
    for (std::size_t i = 0; i < places.size(); ++i) {
        if (places[i]) {
            // In the order of the configuration.
            const bgp::Peer& peer = peers.all().at(*places[i])->peer;
            describe_peer(before.peers[*places[i]],
                          after.peers[i],
                          reset_keys(peer.speaker(), speaker_of(after.node)),
                          lines);
        } else {
            lines.push_back("peer " + after.peers[i].session.name + ": added");
        }
    }
    const std::vector<bool> gone = is_gone(places, before.peers.size());
    for (std::size_t i = 0; i < gone.size(); ++i) {
        if (gone[i]) {
            lines.push_back("peer " + before.peers[i].session.name + ": removed, its session ends");
        }
    }
}

void describe_checks(const Config& before, const Config& after, Lines& lines) {
    const auto renamed = renamed_checks(before.checks, after.checks);
    std::map<std::string_view, const health::CheckConfig*> known;
    for (const health::CheckConfig& check : before.checks) {
        known.emplace(check.name, &check);
    }
    std::set<std::string_view> kept;
    for (const health::CheckConfig& check : after.checks) {
        kept.insert(check.name);
        const auto old = known.find(check.name);
        if (const auto alias = renamed.find(check.name); alias != renamed.end()) {
            kept.insert(alias->second);
            lines.push_back("check " + alias->second + ": renamed to " + check.name);
        } else if (old == known.end()) {
            lines.push_back("check " + check.name + ": added");
        } else if (*old->second != check) {
            lines.push_back("check " + check.name + ": changed, keeps its verdict");
        }
    }
    for (const health::CheckConfig& check : before.checks) {
        if (!kept.contains(check.name)) {
            lines.push_back("check " + check.name + ": removed");
        }
    }
}

/// Whether the routes change that are announced now. Of one that is not nothing is sent.
[[nodiscard]] bool
is_announced_again(const VipRecord& record, const vip::VipConfig& a, const vip::VipConfig& b) {
    const vip::RouteMode mode = record.decision.mode;
    return is_routed(record.decision) &&
           (vip::make_intent(a, mode, {}) != vip::make_intent(b, mode, {}) ||
            a.bandwidth_bits_per_second != b.bandwidth_bits_per_second);
}

void describe_vip(const VipRecord& record, const vip::VipConfig& vip, Lines& lines) {
    const vip::VipConfig& old = record.config;
    const std::string label = "vip " + vip.name + ": ";
    if (old.name != vip.name) {
        lines.push_back("vip " + old.name + ": renamed to " + vip.name);
    }
    for (const Prefix& prefix : old.addresses) {
        if (std::ranges::find(vip.addresses, prefix) == vip.addresses.end()) {
            lines.push_back(label + to_string(prefix) + " is withdrawn" +
                            (old.address_policy == vip::AddressPolicy::External
                                 ? ""
                                 : ", then taken off if it is ours"));
        }
    }
    for (const Prefix& prefix : vip.addresses) {
        if (std::ranges::find(old.addresses, prefix) == old.addresses.end()) {
            lines.push_back(label + to_string(prefix) + " is added");
        }
    }
    if (is_announced_again(record, old, vip)) {
        lines.push_back(label + "announced again with other attributes");
    } else if (old != vip && old.name == vip.name && old.addresses == vip.addresses) {
        lines.push_back(label + "changed");
    }
}

void describe_removal(const vip::VipConfig& vip, Lines& lines) {
    lines.push_back("vip " + vip.name + ": removed: withdrawn" +
                    (vip.address_policy == vip::AddressPolicy::External
                         ? ""
                         : ", then those of its addresses that are ours are taken off"));
}

} // namespace

std::string joined(const std::vector<std::string>& items) {
    std::string text;
    for (const std::string& item : items) {
        text += (text.empty() ? "" : ", ") + item;
    }
    return text;
}

std::vector<std::string> keep_until_next_start(const Config& running, Config& next) {
    Lines lines;
    std::vector<std::string> keys;
    const auto keep = [&](const auto& value, auto& changed, const char* key) {
        if (changed != value) {
            keys.emplace_back(key);
            changed = value;
        }
    };
    const auto tell = [&](const std::string& section) {
        if (!keys.empty()) {
            lines.push_back(section + ' ' + joined(std::exchange(keys, {})) +
                            ": takes effect at the next start");
        }
    };
    // What is open, or known to others, stays as it is.
    if (!next.node.router_id) { // derived, by the next start anew
        next.node.router_id = running.node.router_id;
    }
    keep(running.node.router_id, next.node.router_id, "router_id");
    tell("node");
    keep(running.daemon.control, next.daemon.control, "control");
    keep(running.daemon.state_dir, next.daemon.state_dir, "state_dir");
    tell("daemon");
    return lines;
}

std::vector<std::string> Agent::describe_reload(Config config) const {
    const Config& before = impl_->config;
    Lines lines = keep_until_next_start(before, config);
    if (config.node.name != before.node.name) {
        lines.push_back("node " + before.node.name + ": renamed to " + config.node.name);
    }
    describe_peers(impl_->peers, before, config, lines);
    describe_checks(before, config, lines);
    impl_->describe_vips(config, lines);
    if (config.daemon.http != before.daemon.http) {
        lines.push_back("daemon http: " + (config.daemon.http.empty()
                                               ? "switched off"
                                               : "moves to " + config.daemon.http));
        config.daemon.http = before.daemon.http;
    }
    if (config.daemon != before.daemon) {
        lines.emplace_back("daemon: changed");
    }
    if (config.drain != before.drain) {
        lines.emplace_back("drain: changed");
    }
    if (config.hooks != before.hooks) {
        lines.emplace_back("hooks: changed");
    }
    return lines;
}

void Agent::Impl::describe_vips(const Config& after, std::vector<std::string>& lines) const {
    std::vector<const vip::VipConfig*> before;
    before.reserve(order.size());
    for (const VipRecord* record : order) {
        before.push_back(&record->config);
    }
    const Predecessors places = predecessors(before, after.vips);
    for (std::size_t i = 0; i < places.size(); ++i) {
        const vip::VipConfig& vip = after.vips[i];
        if (places[i]) {
            describe_vip(*order[*places[i]], vip, lines);
        } else {
            lines.push_back("vip " + vip.name +
                            (holder_of(vip, drains) ? ": added, drained"
                                                    : ": added, announced once its checks are up"));
        }
    }
    const std::vector<bool> gone = is_gone(places, before.size());
    for (std::size_t i = 0; i < gone.size(); ++i) {
        if (gone[i]) {
            describe_removal(*before[i], lines);
        }
    }
}

} // namespace anyvip::cmd
