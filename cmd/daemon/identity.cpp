// SPDX-License-Identifier: Apache-2.0
#include "cmd/daemon/identity.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include <unistd.h>

#include "vip/kernel/local.hpp"

namespace anyvip::cmd {
namespace {

bool is_usable(const IpAddress& address, const Config& config) {
    const bool is_vip = std::ranges::any_of(config.vips, [&](const vip::VipConfig& vip) {
        return std::ranges::any_of(vip.addresses,
                                   [&](const Prefix& prefix) { return prefix.contains(address); });
    });
    return !is_vip && address.is_v4() && !address.is_unspecified() && !address.is_loopback();
}

std::optional<bgp::RouterId> derive_router_id(const Config& config) {
    std::vector<IpAddress> candidates;
    for (const PeerEntry& peer : config.peers) {
        if (peer.address && peer.address->is_v4()) {
            if (const auto local = vip::kernel::local_address_towards(*peer.address)) {
                candidates.push_back(*local);
            }
            break;
        }
    }
    std::ranges::copy(vip::kernel::default_route_addresses(), std::back_inserter(candidates));
    for (const IpAddress& candidate : candidates) {
        if (is_usable(candidate, config)) {
            return bgp::RouterId{candidate.to_v4()};
        }
    }
    return std::nullopt;
}

} // namespace

std::string host_name() {
    std::array<char, 256> name{};
    return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : std::string();
}

std::string complete_identity(Config& config) {
    if (config.node.name.empty()) {
        config.node.name = host_name();
    }
    if (!config.node.router_id) {
        config.node.router_id = derive_router_id(config);
    }
    if (!config.node.router_id) {
        return "no router ID: this host has neither an IPv4 address towards the first IPv4 peer "
               "nor one "
               "on the interface of a default route; set node.router_id";
    }
    return {};
}

} // namespace anyvip::cmd
