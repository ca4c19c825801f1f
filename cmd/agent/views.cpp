// SPDX-License-Identifier: Apache-2.0
// What status and its relatives show. Made on demand.
#include <algorithm>
#include <chrono>
#include <iterator>

#include "cmd/agent/impl.hpp"

namespace anyvip::cmd {

namespace {

using namespace std::chrono_literals;

/// A count of flows older than this is no answer any more.
constexpr auto flows_are_fresh = 10s;

/// Down, and one of its checks has said with a weight of 0 that it should be.
[[nodiscard]] bool is_weightless(const VipRecord& record) {
    return record.health.state == health::State::Down &&
           std::ranges::any_of(record.checks, [](const auto& instances) {
               return std::ranges::any_of(instances, [](const CheckInstance* instance) {
                   return instance->config.scope == health::Scope::Local &&
                          instance->check.shown_weight() == 0;
               });
           });
}

} // namespace

VipView Agent::Impl::view_of(const VipRecord& record, Instant now) const {
    VipView view;
    view.config = &record.config;
    view.state = record.decision.state;
    view.since = record.since;
    view.reason = record.decision.reason;
    if (record.conditions.verdict != vip::Verdict::Up &&
        view.reason.starts_with(record.conditions.health_reason)) {
        const std::string latest = latest_evidence(record);
        view.reason += latest.empty() ? "" : "; now: " + latest;
    }
    if (const std::string& problem = record.conditions.session_problem;
        !problem.empty() && view.reason.ends_with(problem)) {
        // What a router answers to our attempts changes without a look at each VIP.
        view.reason.replace(
            view.reason.size() - problem.size(), problem.size(), session_problem(record));
    }
    view.health = record.health.state;
    view.is_drained = record.drain.step != vip::DrainStep::None;
    view.weight = is_weightless(record) ? 0 : record.health.weight;
    if (record.flows && now < record.flows_at + flows_are_fresh) {
        view.flows = record.flows;
    }
    for (const AddressSlot* slot : record.addresses) {
        const bool is_announced = std::ranges::any_of(record.peers, [&](const PeerRecord* peer) {
            return peer->peer.is_established() && peer->peer.is_advertised(slot->prefix);
        });
        view.addresses.push_back({slot->prefix,
                                  slot->interface,
                                  slot->held.is_present(),
                                  slot->held.is_owned(),
                                  is_announced,
                                  slot->held.problem()});
    }
    for (const PeerRecord* peer : record.peers) {
        const bool is_announced =
            peer->peer.is_established() &&
            std::ranges::any_of(record.addresses, [&](const AddressSlot* slot) {
                return peer->peer.is_advertised(slot->prefix);
            });
        if (is_announced) {
            view.announced_to.push_back(peer->entry.session.name);
        }
    }
    return view;
}

NodeState Agent::Impl::node_state() const {
    if (stopping != Stop::None) {
        return NodeState::Stopping;
    }
    if (!effective.node && !file_holds && effective.unreadable.empty()) {
        return NodeState::Running;
    }
    const bool is_over = std::ranges::all_of(order, [](const VipRecord* record) {
        return record->drain.step == vip::DrainStep::Finished;
    });
    return is_over ? NodeState::Drained : NodeState::Draining;
}

DrainProgress Agent::Impl::progress_of(const VipRecord& record) const {
    DrainProgress progress;
    progress.vip = record.config.name;
    // Who waits after the deadline waits for traffic to end, as before it.
    progress.step = record.drain.is_waiting() ? vip::DrainStep::Withdrawn : record.drain.step;
    progress.outcome = record.drain.outcome;
    progress.since = record.drain.since;
    if (record.traffic.withdrawn_at && record.traffic.flows_counted_at) {
        progress.flows = record.traffic.flows.flows;
    }
    if (record.traffic.withdrawn_at && record.traffic.measured_at) {
        progress.packets = record.traffic.packets;
    }
    progress.deadline = drain_deadline(record);
    progress.reason = record.drain.reason;
    return progress;
}

std::vector<std::string> Agent::peer_names() const {
    std::vector<std::string> names;
    for (const auto& record : impl_->peers.all()) {
        names.push_back(record->entry.session.name);
    }
    return names;
}

std::optional<PeerView> Agent::peer(std::string_view name) const {
    const PeerRecord* record = impl_->peers.find(name);
    if (record == nullptr) {
        return std::nullopt;
    }
    return PeerView{&record->entry,
                    &record->peer,
                    record->use,
                    record->is_held,
                    record->bfd,
                    record->refused,
                    waits_for_bfd(*record)};
}

bool Agent::is_reset_pending(std::string_view name) const {
    return impl_->peers.is_reset_pending(name);
}

std::uint64_t Agent::drain_fingerprint() const {
    std::uint64_t fingerprint = impl_->reload_count;
    const auto mix = [&](std::uint64_t value) {
        constexpr std::uint64_t prime = 0x100000001b3; // FNV-1a
        fingerprint = (fingerprint ^ value) * prime;
    };
    for (const VipRecord* record : impl_->order) {
        mix(static_cast<std::uint64_t>(record->drain.step));
        mix(static_cast<std::uint64_t>(record->drain.outcome));
        mix(static_cast<std::uint64_t>(record->drain.since.time_since_epoch().count()));
        mix(record->traffic.flows.flows);
        mix(record->traffic.packets);
        mix(std::uint64_t{record->traffic.flows_counted_at.has_value()} * 2 +
            std::uint64_t{record->traffic.measured_at.has_value()});
    }
    return fingerprint;
}

std::vector<DrainProgress> Agent::drain_progress(const std::vector<std::string>& vips) const {
    std::vector<DrainProgress> progress;
    for (const VipRecord* record : impl_->order) {
        const bool is_asked = vips.empty()
                                  ? record->drain.outcome != DrainOutcome::None
                                  : std::ranges::find(vips, record->config.name) != vips.end();
        if (is_asked) {
            progress.push_back(impl_->progress_of(*record));
        }
    }
    return progress;
}

std::size_t Agent::vip_count() const {
    return impl_->order.size();
}

VipView Agent::vip_at(std::size_t index) const {
    return impl_->view_of(*impl_->order.at(index), impl_->last_turn);
}

bool Agent::is_every_vip_ready() const {
    return std::ranges::all_of(impl_->order, [](const VipRecord* record) {
        return record->drain.step != vip::DrainStep::None ||
               record->decision.state == vip::VipState::Announced;
    });
}

bool Agent::is_any_vip_drained() const {
    return std::ranges::any_of(impl_->order, [](const VipRecord* record) {
        return record->drain.step != vip::DrainStep::None;
    });
}

std::optional<VipView> Agent::vip(std::string_view name) const {
    const auto found = std::ranges::find_if(
        impl_->order, [&](const VipRecord* record) { return record->config.name == name; });
    if (found == impl_->order.end()) {
        return std::nullopt;
    }
    VipView view = impl_->view_of(**found, impl_->last_turn);
    view.conditions = impl_->explain(**found);
    return view;
}

std::size_t Agent::count_vips(vip::VipState state) const {
    return static_cast<std::size_t>(std::ranges::count_if(
        impl_->order, [&](const VipRecord* record) { return record->decision.state == state; }));
}

std::vector<CheckView> Agent::checks() const {
    std::vector<CheckView> views;
    for (std::size_t index = 0; index < impl_->config.checks.size(); ++index) {
        std::ranges::move(checks_at(index), std::back_inserter(views));
    }
    return views;
}

std::vector<CheckView> Agent::checks_at(std::size_t index) const {
    std::vector<CheckView> views;
    const std::string& name = impl_->config.checks.at(index).name;
    const auto& all = impl_->checks.all();
    for (auto found = all.lower_bound({name, std::nullopt});
         found != all.end() && found->first.first == name;
         ++found) {
        views.push_back({found->second.label, &found->second.check, found->second.id});
    }
    return views;
}

std::uint64_t Agent::reload_count() const {
    return impl_->reload_count;
}

std::vector<DefaultRouteView> Agent::default_routes() const {
    return impl_->default_routes.routes(impl_->peers);
}

std::vector<DefaultRouteOffer> Agent::default_route_offers() const {
    return DefaultRoutes::offers(impl_->peers);
}

NodeState Agent::node_state() const {
    return impl_->node_state();
}

} // namespace anyvip::cmd
