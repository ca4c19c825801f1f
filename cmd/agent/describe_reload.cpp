// SPDX-License-Identifier: Apache-2.0
// What a reload would do, one line for each thing, without doing it.
#include <algorithm>

#include "cmd/agent/impl.hpp"

namespace anyvip::cmd {

namespace {

[[nodiscard]] std::string joined(const std::vector<std::string>& items) {
    std::string text;
    for (const std::string& item : items) {
        text += (text.empty() ? "" : ", ") + item;
    }
    return text;
}

void describe_peers(const Config& before, const Config& after, std::vector<std::string>& lines) {
    const auto find = [](const Config& config, const PeerEntry& entry) {
        auto found = std::ranges::find_if(config.peers, [&](const PeerEntry& other) {
            return other.session.name == entry.session.name;
        });
        return found != config.peers.end()
                   ? found
                   : std::ranges::find_if(config.peers, [&](const PeerEntry& other) {
                         return is_same_router(entry, other);
                     });
    };
    for (const PeerEntry& entry : after.peers) {
        const std::string& name = entry.session.name;
        const auto old = find(before, entry);
        if (old == before.peers.end()) {
            lines.push_back("peer " + name + ": added");
            continue;
        }
        if (old->session.name != name) {
            lines.push_back("peer " + old->session.name + ": renamed to " + name);
        }
        if (old->default_route != entry.default_route) {
            lines.push_back("peer " + name + ": its default route is " +
                            (entry.default_route ? "installed" : "no longer used"));
        }
        const std::vector<std::string> keys = reset_keys(*old, entry);
        if (!keys.empty()) {
            lines.push_back("peer " + name + ": its session is reset, because of: " + joined(keys));
        } else if (*old != entry && old->session.name == name) {
            lines.push_back("peer " + name + ": changed without a reset");
        }
    }
    for (const PeerEntry& entry : before.peers) {
        if (find(after, entry) == after.peers.end()) {
            lines.push_back("peer " + entry.session.name + ": removed, its session ends");
        }
    }
}

void describe_checks(const Config& before, const Config& after, std::vector<std::string>& lines) {
    for (const health::CheckConfig& check : after.checks) {
        const auto old = std::ranges::find(before.checks, check.name, &health::CheckConfig::name);
        if (old == before.checks.end()) {
            lines.push_back("check " + check.name + ": added");
        } else if (*old != check) {
            lines.push_back("check " + check.name + ": changed, keeps its verdict");
        }
    }
    for (const health::CheckConfig& check : before.checks) {
        if (std::ranges::find(after.checks, check.name, &health::CheckConfig::name) ==
            after.checks.end()) {
            lines.push_back("check " + check.name + ": removed");
        }
    }
}

/// Whether the routes themselves change, or only how the VIP is judged.
[[nodiscard]] bool has_other_attributes(const vip::VipConfig& a, const vip::VipConfig& b) {
    return vip::make_intent(a, vip::RouteMode::Normal, {}) !=
               vip::make_intent(b, vip::RouteMode::Normal, {}) ||
           vip::make_intent(a, vip::RouteMode::Backup, {}) !=
               vip::make_intent(b, vip::RouteMode::Backup, {}) ||
           a.bandwidth_bits_per_second != b.bandwidth_bits_per_second;
}

void describe_vips(const Config& before, const Config& after, std::vector<std::string>& lines) {
    for (const vip::VipConfig& vip : after.vips) {
        const auto by_name = std::ranges::find(before.vips, vip.name, &vip::VipConfig::name);
        const auto old =
            by_name != before.vips.end()
                ? by_name
                : std::ranges::find_if(before.vips, [&](const vip::VipConfig& old_vip) {
                      return has_same_addresses(old_vip, vip);
                  });
        if (old == before.vips.end()) {
            lines.push_back("vip " + vip.name + ": added, announced once its checks are up");
            continue;
        }
        if (old->name != vip.name) {
            lines.push_back("vip " + old->name + ": renamed to " + vip.name);
        }
        for (const Prefix& prefix : old->addresses) {
            if (std::ranges::find(vip.addresses, prefix) == vip.addresses.end()) {
                lines.push_back("vip " + vip.name + ": " + to_string(prefix) +
                                " is withdrawn, then taken off");
            }
        }
        for (const Prefix& prefix : vip.addresses) {
            if (std::ranges::find(old->addresses, prefix) == old->addresses.end()) {
                lines.push_back("vip " + vip.name + ": " + to_string(prefix) + " is added");
            }
        }
        if (has_other_attributes(*old, vip)) {
            lines.push_back("vip " + vip.name + ": announced again with other attributes");
        } else if (*old != vip && old->name == vip.name && old->addresses == vip.addresses) {
            lines.push_back("vip " + vip.name + ": changed");
        }
    }
    for (const vip::VipConfig& vip : before.vips) {
        const bool is_kept =
            std::ranges::find(after.vips, vip.name, &vip::VipConfig::name) != after.vips.end() ||
            std::ranges::any_of(after.vips, [&](const vip::VipConfig& next) {
                return has_same_addresses(next, vip);
            });
        if (!is_kept) {
            lines.push_back("vip " + vip.name + ": withdrawn, then its addresses are taken off");
        }
    }
}

void describe_daemon(DaemonConfig before,
                     const DaemonConfig& after,
                     std::vector<std::string>& lines) {
    std::vector<std::string> late;
    const auto take = [&](std::string DaemonConfig::* key, std::string_view name) {
        if (before.*key != after.*key) {
            late.emplace_back(name);
            before.*key = after.*key;
        }
    };
    take(&DaemonConfig::control, "control");
    take(&DaemonConfig::http, "http");
    take(&DaemonConfig::state_dir, "state_dir");
    if (!late.empty()) {
        lines.push_back("daemon " + joined(late) + ": takes effect at the next start");
    }
    if (before != after) {
        lines.emplace_back("daemon: changed");
    }
}

} // namespace

std::vector<std::string> Agent::describe_reload(const Config& config) const {
    const Config& before = impl_->config;
    std::vector<std::string> lines;
    if (config.node.asn != before.node.asn) {
        lines.emplace_back("node asn: takes effect at the next start");
    }
    if (config.node.router_id && config.node.router_id != before.node.router_id) {
        lines.emplace_back("node router_id: takes effect at the next start");
    }
    describe_peers(before, config, lines);
    describe_checks(before, config, lines);
    describe_vips(before, config, lines);
    describe_daemon(before.daemon, config.daemon, lines);
    if (config.drain != before.drain) {
        lines.emplace_back("drain: changed");
    }
    if (config.hooks != before.hooks) {
        lines.emplace_back("hooks: changed");
    }
    return lines;
}

} // namespace anyvip::cmd
