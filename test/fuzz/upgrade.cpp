// SPDX-License-Identifier: Apache-2.0
// A state that is handed over at an upgrade in place, behind its checksum: any octets at all.
#include <cstddef>
#include <cstdint>
#include <span>

#include "bgp/bfd/engine.hpp"
#include "cmd/agent/agent.hpp"
#include "cmd/handover/loader.hpp"

namespace {

using namespace anyvip;
using cmd::handover::Loader;

cmd::Config config() {
    cmd::Config config;
    config.node.asn = bgp::Asn{65010};
    config.node.router_id = bgp::RouterId{0x0A00020B};
    config.node.name = "lb-a";
    cmd::PeerEntry peer;
    peer.session.name = "tor";
    peer.session.remote_as = {bgp::RemoteAs::Kind::Number, bgp::Asn{65001}};
    peer.address = IpAddress::v4(0x0A000201);
    config.peers = {peer};
    health::CheckConfig check;
    check.name = "web";
    check.target = health::TcpTarget{.target = "127.0.0.1:80", .send = {}, .expect = {}};
    config.checks = {check};
    vip::VipConfig vip;
    vip.name = "www";
    vip.addresses = {*Prefix::parse("203.0.113.10/32"), *Prefix::parse("2001:db8:ffff::10/128")};
    vip.checks = {"web"};
    config.vips = {vip};
    return config;
}

void agent(std::span<const std::uint8_t> fields, cmd::Now now) {
    cmd::Agent agent(config(), vip::DrainState{}, 7, now);
    Loader loader(fields, Loader::Files::Inherited);
    loader.field(3, agent);
    for (int i = 0; i < 3 && !loader.is_bad(); ++i) {
        agent.settle(now);
        std::ignore = agent.take_outputs();
        std::ignore = agent.take_events();
        now.monotonic += std::chrono::seconds(2);
        agent.tick(now);
    }
}

void engine(std::span<const std::uint8_t> fields, cmd::Now now) {
    bgp::bfd::Engine engine(7);
    Loader loader(fields, Loader::Files::Inherited);
    engine.transfer(loader);
    for (int i = 0; i < 16 && !loader.is_bad() && engine.tick(now.monotonic); ++i) {
        now.monotonic += std::chrono::milliseconds(50);
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

// The fields of a whole state (cmd/daemon/takeover.hpp); those of the shell are plain values.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::span fields(data, size);
    const cmd::Now now{Instant(std::chrono::hours(1000)),
                       std::chrono::system_clock::time_point(std::chrono::hours(490000))};
    agent(fields, now);
    engine(fields, now);
    return 0;
}
