// SPDX-License-Identifier: Apache-2.0
// An agent on a stage: fake kernel, fake disk, routers made of octets, probes answered by the
// script, and a clock that only the script moves.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "cmd/agent/agent.hpp"
#include "cmd/handover/loader.hpp"
#include "cmd/handover/saver.hpp"
#include "test/unit/cmd/agent/router.hpp"

namespace anyvip::test {

using namespace std::chrono_literals;
using cmd::Agent;
using cmd::Config;

inline Prefix prefix(std::string_view text) {
    return Prefix::parse(text).value();
}

inline cmd::PeerEntry make_peer(const std::string& name, std::uint32_t last_octet) {
    cmd::PeerEntry entry;
    entry.session.name = name;
    entry.session.remote_as = {bgp::RemoteAs::Kind::Number, bgp::Asn{65001}};
    entry.session.next_hop_ipv6 = IpAddress::parse("fd00::11").value();
    entry.address = IpAddress::v4(0x0a000000U + last_octet);
    return entry;
}

inline health::CheckConfig make_check(const std::string& name) {
    health::CheckConfig check;
    check.name = name;
    check.schedule.rise = 1;
    check.schedule.fall = 1;
    check.target = health::TcpTarget{.target = "127.0.0.1:80", .send = {}, .expect = {}};
    return check;
}

inline vip::VipConfig make_vip(const std::string& name,
                               const std::string& address,
                               std::vector<std::string> checks = {}) {
    vip::VipConfig vip;
    vip.name = name;
    vip.addresses = {prefix(address)};
    vip.checks = std::move(checks);
    return vip;
}

/// One router, one VIP "www" without checks.
inline Config make_config() {
    Config config;
    config.node.asn = bgp::Asn{65010};
    config.node.router_id = bgp::RouterId{0x0a00000b};
    config.node.name = "lb-a";
    config.peers = {make_peer("tor1", 1)};
    config.vips = {make_vip("www", "203.0.113.10/32")};
    return config;
}

inline health::Result pass() {
    health::Result result;
    result.outcome = health::Outcome::Pass;
    result.detail = "connected";
    return result;
}

inline health::Result fail() {
    health::Result result;
    result.outcome = health::Outcome::Fail;
    result.detail = "connect refused";
    result.is_hard = true;
    return result;
}

class Stage {
  public:
    explicit Stage(Config config = make_config(), vip::DrainState restored = {})
        : agent_(std::in_place, std::move(config), std::move(restored), 7, now()) {
        for (const std::string& name : agent_->peer_names()) {
            routers[name];
        }
    }

    // What the world does.
    bool kernel_answers = true;
    std::string kernel_refuses; ///< why AddAddress fails
    std::string disk_fails;
    bool disk_answers = true;
    std::set<std::string> unreachable; ///< routers
    std::string be_silent;             ///< a router that sends no KEEPALIVE
    std::optional<std::map<IpAddress, std::uint64_t>> packets;
    std::map<std::string, Router> routers;
    std::map<Prefix, bool> kernel;                                ///< present; true: ours
    std::map<vip::DefaultRouteKey, vip::NextHops> default_routes; ///< ours
    std::string route_refused;                                    ///< why SetDefaultRoute fails

    // What was seen.
    std::vector<std::string> log; ///< outputs and table changes in order
    std::vector<cmd::Event> events;
    std::map<std::string, std::uint64_t> probes; ///< label: running id
    std::vector<vip::DrainState> disk;
    std::size_t answered = 0; ///< so many of them
    cmd::Measure measured;
    bool is_stopped = false;
    std::vector<Duration> withdraws; ///< how long they took, one a turn

    Agent& agent() { return *agent_; }

    cmd::Now now() const { return {Instant(clock_), vip::WallTime(clock_)}; }

    /// One turn of the loop, until nothing moves any more.
    void turn() { turn(now().monotonic); }

    /// … of an input that came at this moment.
    void turn(Instant cause) {
        for (int round = 0; round < 100; ++round) {
            agent_->settle(now());
            agent_->withdraws_caused(cause);
            bool moved = serve_peers();
            if (const auto caused = agent_->withdraws_written()) {
                withdraws.push_back(now().monotonic - *caused);
            }
            check_invariants();
            for (const cmd::Output& output : agent_->take_outputs()) {
                std::visit([this](const auto& what) { execute(what); }, output);
                moved = true;
            }
            for (cmd::Event& event : agent_->take_events()) {
                events.push_back(std::move(event));
            }
            if (!moved) {
                if (upgrades_) {
                    upgrade();
                }
                return;
            }
        }
        FAIL("the agent does not come to rest");
    }

    /// A new agent takes over, as after an upgrade in place. With ANYVIP_TEST_UPGRADES in the
    /// environment that happens after every turn, and nothing may be different.
    void upgrade() {
        if (is_upgrading_ || has_removed_ || !disk_answers ||
            agent_->node_state() == cmd::NodeState::Stopping) {
            return;
        }
        is_upgrading_ = true;
        const Config config = agent_->config();
        const std::vector<std::uint8_t> state = saved();
        agent_.emplace(config, vip::DrainState{}, 7, now());
        load(state);
        // What is loaded says the same of itself again, but for probes under way.
        const std::vector<std::uint8_t> again = saved();
        agent_.emplace(config, vip::DrainState{}, 7, now());
        load(again);
        CHECK(saved() == again);
        probes.clear();
        counted_before_ = packets.value_or(std::map<IpAddress, std::uint64_t>{});
        agent_->tick(now());
        turn();
        is_upgrading_ = false;
    }

    /// Lets time pass, deadline by deadline.
    void pass_time(std::chrono::milliseconds duration) {
        const Duration end = clock_ + duration;
        for (int round = 0; round < 100000; ++round) {
            std::optional<Instant> next = agent_->next_deadline();
            if (!measured.packets.empty() && packets) {
                next = std::min(next.value_or(Instant::max()), Instant(clock_ + 100ms));
            }
            if (!next || *next > Instant(end)) {
                break;
            }
            clock_ = std::max(clock_, Duration(next->time_since_epoch()));
            if (!measured.packets.empty() && packets) {
                agent_->packets_seen(packets_since_upgrade(), now());
            }
            agent_->tick(now());
            keep_alive();
            turn();
        }
        clock_ = end;
        turn();
    }

    /// The oldest write that has had no answer.
    void answer_disk() {
        ++answered;
        agent_->persisted(disk_fails, now());
        turn();
    }

    void finish(const std::string& label, const health::Result& result) {
        const auto found = probes.find(label);
        REQUIRE(found != probes.end());
        const std::uint64_t id = found->second;
        probes.erase(found);
        agent_->probe_finished(id, result, now());
        turn();
    }

    void cut(const std::string& peer) {
        routers[peer].disconnected();
        agent_->find_peer(peer)->closed(bgp::Slot::Outgoing, "end of file", now().monotonic);
        turn();
    }

    /// Octets from the router.
    void say(const std::string& peer, const raw::Octets& octets) {
        agent_->find_peer(peer)->received(bgp::Slot::Outgoing, octets, now().monotonic);
        turn();
    }

    vip::DrainReply drain(const vip::DrainRequest& request = {}) {
        vip::DrainReply reply = agent_->drain(request, now());
        turn();
        return reply;
    }

    vip::DrainReply undrain(const vip::UndrainRequest& request = {}) {
        vip::DrainReply reply = agent_->undrain(request, now());
        turn();
        return reply;
    }

    cmd::VipView vip(const std::string& name = "www") const {
        for (std::size_t index = 0; index < agent_->vip_count(); ++index) {
            const cmd::VipView view = agent_->vip_at(index);
            if (view.config->name == name) {
                return view;
            }
        }
        FAIL("no VIP of that name");
        return {};
    }

    vip::VipState state(const std::string& name = "www") const { return vip(name).state; }

    const RouterRoute* route(const std::string& text = "203.0.113.10/32",
                             const std::string& peer = "tor1") const {
        const auto& table = routers.at(peer).routes;
        const auto found = table.find(text);
        return found == table.end() ? nullptr : &found->second;
    }

    std::size_t count(std::string_view event) const {
        return static_cast<std::size_t>(std::ranges::count(events, event, &cmd::Event::event));
    }

  private:
    std::vector<std::uint8_t> saved() {
        cmd::handover::Saver saver;
        agent_->transfer(saver);
        CHECK(saver.is_in_order());
        return {saver.fields().begin(), saver.fields().end()};
    }

    void load(const std::vector<std::uint8_t>& state) {
        cmd::handover::Loader loader(state, cmd::handover::Loader::Files::Absent);
        agent_->transfer(loader);
        CHECK(loader.problem() == "");
    }

    /// A new agent's counters begin at zero.
    std::map<IpAddress, std::uint64_t> packets_since_upgrade() const {
        std::map<IpAddress, std::uint64_t> counts = *packets;
        for (auto& [address, count] : counts) {
            const auto before = counted_before_.find(address);
            count -= before == counted_before_.end() ? 0 : std::min(count, before->second);
        }
        return counts;
    }

    bool serve_peers() {
        bool moved = false;
        for (auto& [name, router] : routers) {
            bgp::Peer* peer = agent_->find_peer(name);
            if (peer == nullptr) {
                continue;
            }
            for (const bgp::Action& action : peer->take_actions()) {
                moved = true;
                std::visit([&](const auto& what) { act(what, name, *peer); }, action);
            }
            moved = write_out(*peer, name) || moved;
        }
        return moved;
    }

    bool write_out(bgp::Peer& peer, const std::string& name) {
        const auto waiting = peer.output(bgp::Slot::Outgoing);
        if (waiting.empty()) {
            return false;
        }
        const std::vector<std::uint8_t> octets(waiting.begin(), waiting.end());
        const raw::Octets answer = give(name, octets);
        peer.sent(bgp::Slot::Outgoing, octets.size(), now().monotonic);
        peer.unacknowledged(bgp::Slot::Outgoing, 0, now().monotonic);
        if (!answer.empty()) {
            peer.received(bgp::Slot::Outgoing, answer, now().monotonic);
        }
        return true;
    }

    raw::Octets give(const std::string& name, const std::vector<std::uint8_t>& octets) {
        Router& router = routers[name];
        const auto before = router.routes;
        const raw::Octets answer = router.take(octets);
        for (const auto& [text, route] : router.routes) {
            if (!before.contains(text)) {
                log.push_back("announce " + text + " to " + name);
            }
        }
        for (const auto& [text, route] : before) {
            if (!router.routes.contains(text)) {
                log.push_back("withdraw " + text + " from " + name);
            }
        }
        return answer;
    }

    void act(const bgp::ConnectAction&, const std::string& name, bgp::Peer& peer) {
        if (unreachable.contains(name)) {
            peer.connect_failed("connection refused", now().monotonic);
            return;
        }
        bgp::Endpoints ends;
        ends.local = IpAddress::v4(0x0a00000b);
        ends.remote = IpAddress::v4(0x0a000001);
        ends.interface = "eth0";
        ends.local_subnets = {prefix("10.0.0.0/24"), prefix("fd00::/64")};
        ends.interface_ipv4 = ends.local;
        ends.interface_ipv6 = IpAddress::parse("fd00::11").value();
        peer.connected(bgp::Slot::Outgoing, ends, now().monotonic);
    }

    void act(const bgp::AbortConnectAction&, const std::string&, bgp::Peer&) {}

    void act(const bgp::CloseAction& close, const std::string& name, bgp::Peer&) {
        log.push_back("close " + name);
        give(name, close.last_octets);
        routers[name].disconnected();
    }

    void keep_alive() {
        for (auto& [name, router] : routers) {
            bgp::Peer* peer = agent_->find_peer(name);
            if (peer != nullptr && peer->is_established() && name != be_silent) {
                peer->received(bgp::Slot::Outgoing, raw::keepalive(), now().monotonic);
            }
        }
    }

    void execute(const cmd::StartProbe& start) { probes[start.label] = start.check_id; }

    void execute(const cmd::CancelProbe& cancel) {
        std::erase_if(probes, [&](const auto& probe) { return probe.second == cancel.check_id; });
    }

    void execute(const cmd::AddAddress& add) {
        log.push_back("add " + to_string(add.prefix));
        if (!kernel_refuses.empty()) {
            agent_->address_failed(add.prefix, add.interface, kernel_refuses, now());
        } else if (kernel_answers) {
            const bool is_ours = kernel.try_emplace(add.prefix, true).first->second;
            agent_->address_observed(add.prefix, add.interface, true, is_ours, now());
        }
    }

    void execute(const cmd::RemoveAddress& remove) {
        log.push_back("remove " + to_string(remove.prefix));
        REQUIRE(kernel.at(remove.prefix));
        kernel.erase(remove.prefix);
        agent_->address_observed(remove.prefix, remove.interface, false, false, now());
    }

    void execute(const cmd::SetDefaultRoute& set) {
        log.push_back("default route " + to_string(set.key) + ' ' + to_string(set.next_hops));
        if (!route_refused.empty()) {
            agent_->default_route_failed(set.key, route_refused, now());
            return;
        }
        default_routes[set.key] = set.next_hops;
        if (set.next_hops.empty()) {
            default_routes.erase(set.key);
        }
        agent_->default_route_observed(set.key, set.next_hops, "", now());
    }

    void execute(const cmd::Persist& persist) {
        log.emplace_back("persist");
        disk.push_back(persist.state);
        if (disk_answers) {
            ++answered;
            agent_->persisted(disk_fails, now());
        }
    }

    void execute(const cmd::Measure& measure) { measured = measure; }

    void execute(const cmd::PeerAdded& added) { routers[added.name]; }

    void execute(const cmd::PeerRemoved& removed) {
        log.push_back("peer gone " + removed.name);
        has_removed_ = true;
    }

    void execute(const cmd::PeerRenamed& renamed) {
        auto node = routers.extract(renamed.from);
        node.key() = renamed.to;
        routers.insert(std::move(node));
    }

    void execute(const cmd::Stopped&) {
        log.emplace_back("stopped");
        is_stopped = true;
    }

    /// Never announced without its address.
    void check_invariants() {
        for (const auto& [name, router] : routers) {
            for (const auto& [text, route] : router.routes) {
                INFO(text << " at " << name);
                CHECK(kernel.contains(prefix(text)));
            }
        }
    }

    Duration clock_ = 1000h;
    std::optional<Agent> agent_;
    std::map<IpAddress, std::uint64_t> counted_before_; ///< packets, by an agent of the past
    bool upgrades_ = std::getenv("ANYVIP_TEST_UPGRADES") != nullptr;
    bool is_upgrading_ = false;
    bool has_removed_ = false; ///< a peer, which nobody says is gone: in the daemon that is at once
};

} // namespace anyvip::test
