// SPDX-License-Identifier: Apache-2.0
// The turn: inputs are taken in, `settle` decides, outputs are handed out.
#include <algorithm>
#include <chrono>

#include "cmd/agent/impl.hpp"

namespace anyvip::cmd {

namespace {

using namespace std::chrono_literals;

/// End-of-RIB does not wait longer for first verdicts.
constexpr auto end_of_rib_patience = 5s;

} // namespace

Agent::Impl::Impl(Config configured, vip::DrainState restored, std::uint64_t seed, Now now)
    : config(std::move(configured)), checks(outbox, seed), addresses(outbox), peers(outbox, seed),
      default_routes(outbox), drains(restored), effective(std::move(restored)),
      end_of_rib_at(now.monotonic + end_of_rib_patience), last_turn(now.monotonic) {
    peers.replace(config, now.monotonic);
    configure_checks({}, now.monotonic);
    configure_vips({}, now.monotonic);
    expire_holds(now);
}

void Agent::Impl::settle(Now now) {
    const Instant at = now.monotonic;
    last_turn = at;
    peers.collect_events(at);
    note_acknowledgements(at);
    expire_holds(now);
    advance_drain_file(at);
    note_drain_file(at);
    advance_holders(now);
    ask_again_for_peers(at);
    std::set<std::string> held;
    for (const auto& [name, hold] : effective.peers) {
        held.insert(name);
    }
    peers.hold(held);
    peers.advance(config.drain.gshut, at);
    if (peers.take_use_changed()) {
        mark_all();
    }
    if (peers.take_session_changed()) {
        mark_all_stale();
    }
    mark_users_of_changed_checks();
    refresh_marked(at);
    refresh_stale(at);
    addresses.tick(limits(), stopping == Stop::Removing, at);
    default_routes.settle(peers, stopping >= Stop::Removing, at);
    advance_stop(at);
    if (!end_of_rib_allowed && (checks.all_have_verdict() || at >= end_of_rib_at)) {
        end_of_rib_allowed = true;
        peers.allow_end_of_rib(at);
    }
    peers.flush(at);
    emit_measure();
}

void Agent::Impl::tick(Now now) {
    const Instant at = now.monotonic;
    last_turn = at;
    checks.tick(at);
    peers.tick(at);
    while (const auto id = deadlines.due(at)) {
        VipRecord& record = *vips.at(*id);
        for (AddressSlot* slot : record.addresses) {
            slot->held.tick(at);
        }
        deadlines.move(record.id, record.deadline, std::nullopt); // `refresh` sets the next one
        mark(record);
    }
}

std::optional<Instant> Agent::Impl::next_deadline() const {
    std::optional<Instant> next = earlier(checks.next_deadline(), peers.next_deadline());
    next = earlier(next, deadlines.next());
    next = earlier(next, addresses.next_deadline(limits(), last_turn));
    next = earlier(next, default_routes.next_deadline());
    next = earlier(next, next_expiry);
    next = earlier(next, file_retry_at);
    next = earlier(next, stop_give_up_at);
    for (const auto& [key, run] : runs) {
        if (!run.is_confirmed) {
            next = earlier(next, run.gshut_until);
        }
    }
    if (!end_of_rib_allowed) {
        next = earlier(next, end_of_rib_at);
    }
    return stale.empty() ? next : earlier(next, last_turn);
}

VipRecord* Agent::Impl::find_vip(std::string_view name) {
    const auto found = by_name.find(name);
    return found == by_name.end() ? nullptr : found->second;
}

// ---- the public face

Agent::Agent(Config config, vip::DrainState restored, std::uint64_t seed, Now now)
    : impl_(std::make_unique<Impl>(std::move(config), std::move(restored), seed, now)) {}

Agent::~Agent() = default;

void Agent::probe_finished(std::uint64_t check_id, const health::Result& result, Now now) {
    impl_->checks.finished(check_id, result, now.monotonic);
}

void Agent::trigger_check(std::uint64_t check_id, Now now) {
    impl_->checks.trigger(check_id, now.monotonic);
}

void Agent::demand_check(std::uint64_t check_id, Now now) {
    impl_->checks.demand(check_id, now.monotonic);
}

void Agent::address_observed(
    const Prefix& prefix, std::string_view interface, bool is_present, bool is_owned, Now now) {
    const std::uint64_t vip = impl_->addresses.observed(
        {prefix, std::string(interface)}, is_present, is_owned, now.monotonic);
    if (const auto found = impl_->vips.find(vip); found != impl_->vips.end()) {
        impl_->mark(*found->second);
    }
}

void Agent::address_failed(const Prefix& prefix,
                           std::string_view interface,
                           std::string_view reason,
                           Now now) {
    const std::uint64_t vip =
        impl_->addresses.failed({prefix, std::string(interface)}, reason, now.monotonic);
    if (const auto found = impl_->vips.find(vip); found != impl_->vips.end()) {
        impl_->mark(*found->second);
    }
}

void Agent::default_route_observed(const vip::DefaultRouteKey& key,
                                   const vip::NextHops& next_hops,
                                   std::string_view hidden_by,
                                   Now now) {
    impl_->default_routes.observed(key, next_hops, hidden_by, now.monotonic);
}

void Agent::default_route_failed(const vip::DefaultRouteKey& key,
                                 std::string_view reason,
                                 Now now) {
    impl_->default_routes.failed(key, reason, now.monotonic);
}

vip::DrainReply Agent::drain(const vip::DrainRequest& request, Now now) {
    return impl_->drain(request, now);
}

vip::DrainReply Agent::undrain(const vip::UndrainRequest& request, Now now) {
    return impl_->undrain(request, now);
}

void Agent::drain_file(bool exists, Now now) {
    impl_->file_exists = exists;
    impl_->file_retry_at = exists ? std::optional(now.monotonic) : std::nullopt;
}

void Agent::drain_file_problem(std::string_view problem, Now now) {
    impl_->drain_file_problem(problem, now.monotonic);
}

void Agent::persisted(std::string_view error, Now now) {
    if (!error.empty()) {
        impl_->outbox.event(now.monotonic,
                            "drain.unsaved",
                            impl_->config.node.name,
                            "the drain state does not survive a restart: " + std::string(error),
                            {{"level", "error"}});
    }
    impl_->persisted(now.monotonic);
}

void Agent::flows_counted(const std::map<IpAddress, vip::FlowCount>& flows, Now now) {
    impl_->flows_counted(flows, now.monotonic);
}

void Agent::packets_seen(const std::map<IpAddress, std::uint64_t>& packets, Now now) {
    impl_->packets_seen(packets, now.monotonic);
}

void Agent::bfd_state(std::string_view peer, BfdState state, std::string_view diagnostic, Now now) {
    impl_->peers.bfd_state(peer, state, diagnostic, now.monotonic);
}

void Agent::bfd_admin_down(std::string_view peer, bool is_admin_down, Now now) {
    impl_->peers.bfd_admin_down(peer, is_admin_down, now.monotonic);
}

void Agent::peer_refused(std::string_view peer, std::string_view reason, Now now) {
    impl_->peers.refused(peer, reason, now.monotonic);
}

void Agent::peer_gone(std::string_view peer) {
    impl_->peers.gone(peer);
}

void Agent::stop(Now now) {
    impl_->stop(now.monotonic);
}

void Agent::reload(Config config, Now now, std::string_view exception) {
    impl_->reload(std::move(config), now, exception);
}

void Agent::settle(Now now) {
    impl_->settle(now);
}

void Agent::withdraws_caused(Instant cause) {
    impl_->withdraws.caused(impl_->peers, cause);
}

std::optional<Instant> Agent::withdraws_written() {
    return impl_->withdraws.written(impl_->peers);
}

std::optional<Instant> Agent::next_deadline() const {
    return impl_->next_deadline();
}

void Agent::tick(Now now) {
    impl_->tick(now);
}

std::vector<Output> Agent::take_outputs() {
    std::vector<Output> outputs = std::exchange(impl_->outbox.outputs, {});
    // A {vip} probe needs the address that is added in the same turn. A start may follow a cancel
    // of the same check: the two keep their order.
    std::ranges::stable_partition(outputs, [](const Output& output) {
        return !std::holds_alternative<StartProbe>(output) &&
               !std::holds_alternative<CancelProbe>(output);
    });
    return outputs;
}

std::vector<Event> Agent::take_events() {
    impl_->peers.collect_events(impl_->last_turn);
    impl_->report_states();
    return std::exchange(impl_->outbox.events, {});
}

bgp::Peer* Agent::find_peer(std::string_view name) {
    return impl_->peers.find_peer(name);
}

const Config& Agent::config() const {
    return impl_->config;
}

const vip::DrainState& Agent::drains() const {
    return impl_->drains;
}

bool Agent::drain_file_exists() const {
    return impl_->file_exists;
}

} // namespace anyvip::cmd
