// SPDX-License-Identifier: Apache-2.0
// What a node's agent asks of its surroundings, and what they answer.
#include <algorithm>

#include "test/sim/node.hpp"

namespace anyvip::sim {

using namespace std::chrono_literals;

// ---- probes ----

void Node::execute(const cmd::StartProbe& start) {
    if (probes_.contains(start.check_id)) {
        violated("a probe is started before the one before has ended: " + start.label);
    }
    const std::uint64_t run = ++last_probe_;
    probes_[start.check_id] = run;
    labels_[start.check_id] = start.label;
    CheckModel& model = models_[start.label];
    if (model.id != start.check_id) {
        model = {.id = start.check_id};
    }
    const Service& service = services[start.config.name];
    const bool is_silent = service.mode == Service::Mode::Silent;
    const Duration wait =
        is_silent ? Duration(start.config.schedule.timeout) : around_.random.between(200us, 20ms);
    const Instant due = now().monotonic + wait;
    when_awake(wait, [this, id = start.check_id, run, due] { probe_ended(id, run, due); });
}

void Node::probe_ended(std::uint64_t id, std::uint64_t run, Instant due) {
    const auto found = probes_.find(id);
    if (found == probes_.end() || found->second != run) {
        return; // cancelled
    }
    probes_.erase(found);
    const std::string& label = labels_.at(id);
    const Service& service = services[label.substr(0, label.find('@'))];
    health::Result result = result_of(service, due - now().monotonic > 500ms);
    // A pause of this process: the result says nothing.
    result.is_late = result.is_late || now().monotonic > due + 50ms;
    count_result(id, result);
    around_.trace.line(now().monotonic,
                       "node " + std::to_string(index_) + " check " + label + " " +
                           std::string(health::to_string(result.outcome)) +
                           (result.is_late ? " late" : ""));
    agent_->probe_finished(id, result, now());
    turn();
}

health::Result Node::result_of(const Service& service, bool is_timed_out) {
    health::Result result;
    result.detail = "as it is";
    switch (service.mode) {
    case Service::Mode::Up:
        result.outcome = health::Outcome::Pass;
        break;
    case Service::Mode::Refused:
        result.outcome = health::Outcome::Fail;
        result.is_hard = true;
        break;
    case Service::Mode::Silent:
        result.outcome = health::Outcome::Timeout;
        break;
    }
    if (is_timed_out) {
        result.outcome = health::Outcome::Timeout;
    }
    if (service.is_strange) {
        switch (around_.random.below(5)) {
        case 0:
            result.is_late = true;
            break;
        case 1:
            result.outcome = health::Outcome::Error;
            result.is_hard = false;
            result.is_our_fault = true;
            break;
        case 2:
            result.outcome = health::Outcome::Error;
            result.is_hard = false;
            break;
        case 3:
            result.outcome = health::Outcome::Fail;
            result.is_hard = false;
            break;
        default:
            break;
        }
    }
    return result;
}

void Node::execute(const cmd::CancelProbe& cancel) {
    probes_.erase(cancel.check_id);
}

// ---- addresses ----

void Node::execute(const cmd::AddAddress& add) {
    around_.trace.line(now().monotonic,
                       "node " + std::to_string(index_) + " add " + to_string(add.prefix));
    if (troubles.add_fails && !around_.random.one_in(3)) {
        agent_->address_failed(add.prefix, add.interface, "no memory", now());
        return;
    }
    if (!troubles.kernel_is_slow) {
        add_ended(add.prefix, add.interface);
        return;
    }
    adds_pending_.insert(add.prefix);
    const Duration wait = around_.random.between(1ms, 1500ms);
    around_.scheduler.after(wait, [this, add] {
        if (adds_pending_.erase(add.prefix) > 0) {
            add_ended(add.prefix, add.interface);
        }
    });
}

void Node::add_ended(const Prefix& prefix, const std::string& interface) {
    const auto [place, is_new] = kernel_.try_emplace(prefix, true);
    const bool is_owned = place->second;
    if (is_new) {
        added_at_[prefix] = now().monotonic;
    }
    if (!agent_) {
        return;
    }
    run_when_awake(life_, [this, prefix, interface, is_owned] {
        agent_->address_observed(prefix, interface, kernel_.contains(prefix), is_owned, now());
        turn();
    });
}

void Node::execute(const cmd::RemoveAddress& remove) {
    around_.trace.line(now().monotonic,
                       "node " + std::to_string(index_) + " remove " + to_string(remove.prefix));
    check_removal(remove.prefix);
    kernel_.erase(remove.prefix);
    agent_->address_observed(remove.prefix, remove.interface, false, false, now());
}

// ---- default routes ----

void Node::execute(const cmd::SetDefaultRoute& set) {
    around_.trace.line(now().monotonic,
                       "node " + std::to_string(index_) + " route " + to_string(set.key) + ' ' +
                           to_string(set.next_hops));
    if (set.next_hops.empty() && !is_stopping_) {
        violated("the last default route is taken away");
    }
    if (troubles.add_fails && !around_.random.one_in(3)) {
        agent_->default_route_failed(set.key, "no memory", now());
        return;
    }
    if (set.next_hops.empty()) {
        default_routes_.erase(set.key);
    } else {
        default_routes_[set.key] = set.next_hops;
    }
    agent_->default_route_observed(set.key, set.next_hops, "", now());
}

void Node::take_default_route() {
    for (const auto& [key, next_hops] : std::exchange(default_routes_, {})) {
        around_.trace.line(now().monotonic,
                           "node " + std::to_string(index_) + " loses " + to_string(key));
        if (agent_) {
            agent_->default_route_observed(key, {}, "", now());
            turn();
        }
    }
}

vip::NextHops Node::default_route() const {
    return default_routes_.empty() ? vip::NextHops{} : default_routes_.begin()->second;
}

void Node::take_address(const Prefix& prefix) {
    if (kernel_.erase(prefix) == 0) {
        return;
    }
    around_.trace.line(now().monotonic,
                       "node " + std::to_string(index_) + " loses " + to_string(prefix));
    agent_->address_observed(prefix, "lo", false, false, now());
    turn();
}

void Node::put_foreign_address(const Prefix& prefix) {
    if (!kernel_.try_emplace(prefix, false).second) {
        return;
    }
    around_.trace.line(now().monotonic,
                       "node " + std::to_string(index_) + " is given " + to_string(prefix));
    if (agent_) {
        agent_->address_observed(prefix, "lo", true, false, now());
        turn();
    }
}

bool Node::has_only_foreign_addresses() const {
    return std::ranges::none_of(kernel_, [](const auto& entry) { return entry.second; });
}

// ---- disk ----

void Node::execute(const cmd::Persist& persist) {
    ++unwritten_;
    const DrainBook book = book_;
    if (troubles.disk_is_slow) {
        when_awake(around_.random.between(1ms, 300ms),
                   [this, persist, book] { persist_ended(persist, book); });
        return;
    }
    persist_ended(persist, book);
}

void Node::persist_ended(const cmd::Persist& persist, const DrainBook& book) {
    --unwritten_;
    const bool has_failed = troubles.disk_fails && !around_.random.one_in(3);
    if (!has_failed) {
        disk_ = persist.state;
        book_on_disk_ = book;
    }
    around_.trace.line(now().monotonic,
                       "node " + std::to_string(index_) + (has_failed ? " disk full" : " on disk"));
    agent_->persisted(has_failed ? "no space left" : "", now());
    turn();
}

// ---- packets and flows ----

void Node::execute(const cmd::Measure& measure) {
    measured_ = measure;
    if (!is_measuring_ && (!measured_.flows.empty() || !measured_.packets.empty())) {
        is_measuring_ = true;
        measure_again();
    }
}

std::uint64_t Node::packet_ticks() const {
    return static_cast<std::uint64_t>(now().monotonic.time_since_epoch() / 100ms);
}

void Node::measure_again() {
    when_awake(100ms, [this] {
        if (measured_.flows.empty() && measured_.packets.empty()) {
            is_measuring_ = false;
            return;
        }
        const std::uint64_t ticks = packet_ticks() - uncounted_;
        if (counts_packets_) {
            std::map<IpAddress, std::uint64_t> packets;
            for (const IpAddress& address : measured_.packets) {
                packets[address] = around_.random.one_in(3) ? ticks : ticks / 10;
            }
            agent_->packets_seen(packets, now());
        }
        if (ticks % 10 == 0) {
            std::map<IpAddress, vip::FlowCount> flows;
            for (const IpAddress& address : measured_.flows) {
                flows[address] = {around_.random.below(3), 1000ms * around_.random.below(8)};
            }
            agent_->flows_counted(flows, now());
        }
        turn();
        measure_again();
    });
}

// ---- peers ----

void Node::execute(const cmd::PeerAdded& added) {
    const auto found = std::ranges::find_if(
        config_.peers, [&](const cmd::PeerEntry& peer) { return peer.session.name == added.name; });
    if (found == config_.peers.end()) {
        violated("a peer is added that is not configured: " + added.name);
    }
    sockets_[added.name].router = router_of(*found);
}

void Node::execute(const cmd::PeerRemoved& removed) {
    serve_peer(removed.name, sockets_.at(removed.name));
    for (const ConnectionPtr& connection : sockets_.at(removed.name).slots) {
        if (connection) {
            around_.network.end(connection, Side::Node);
        }
    }
    sockets_.erase(removed.name);
    agent_->peer_gone(removed.name);
}

void Node::execute(const cmd::PeerRenamed& renamed) {
    auto node = sockets_.extract(renamed.from);
    node.key() = renamed.to;
    sockets_.insert(std::move(node));
}

void Node::execute(const cmd::Stopped&) {
    around_.trace.line(now().monotonic, "stopped " + std::to_string(index_));
    has_stopped_ = true;
}

} // namespace anyvip::sim
