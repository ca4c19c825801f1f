// SPDX-License-Identifier: Apache-2.0
// What still arrives for a VIP: acknowledged withdraws, packets, flows, and which of them to count.
#include <algorithm>
#include <chrono>

#include "cmd/agent/impl.hpp"

namespace anyvip::cmd {

namespace {

using namespace std::chrono_literals;

/// Packets are counted this long after a withdraw, and after an announcement until one was seen.
constexpr auto watch_time = 60s;
/// Packets this long after a withdraw are worth an event: a router does not listen.
constexpr auto stray_after = 10s;

} // namespace

vip::LingerLimits Agent::Impl::limits() const {
    return {config.daemon.linger, config.daemon.silence, config.daemon.linger_min};
}

void Agent::Impl::note_acknowledgements(Instant now) {
    if (unacknowledged.empty() || !peers.all_acknowledged()) {
        return;
    }
    for (const std::uint64_t id : std::exchange(unacknowledged, {})) {
        if (const auto found = vips.find(id); found != vips.end()) {
            found->second->traffic.acknowledged_at = now;
            mark(*found->second);
        }
    }
}

void Agent::Impl::packets_seen(const std::map<IpAddress, std::uint64_t>& packets, Instant now) {
    for (const IpAddress& address : measured_packets) {
        VipRecord& record = *by_address.at(address);
        // Its silence is waited for; after that, counts are only shown.
        if (record.drain.has_traffic_left() || !record.traffic.has_ended(limits(), now)) {
            mark(record);
        }
        record.traffic.measured(now);
        const auto told = packets.find(address);
        const std::uint64_t count = told == packets.end() ? 0 : told->second;
        std::uint64_t& last = packet_counts[address];
        const std::uint64_t added = count >= last ? count - last : count;
        last = count;
        if (added == 0) {
            continue;
        }
        record.has_traffic = record.has_traffic || record.is_exposed;
        if (!record.traffic.withdrawn_at) {
            mark(record);
            continue;
        }
        record.traffic.last_packet_at = now;
        record.traffic.packets += added;
        if (!record.has_told_stray && now >= *record.traffic.withdrawn_at + stray_after) {
            record.has_told_stray = true;
            outbox.event(now,
                         "vip.stray",
                         record.config.name,
                         "packets still arrive for " + to_string(address) +
                             " long after its withdraw: a router has a route of its own to here",
                         {{"address", to_string(address)}});
        }
    }
}

void Agent::Impl::flows_counted(const std::map<IpAddress, vip::FlowCount>& flows, Instant now) {
    std::set<VipRecord*> concerned;
    for (const auto& [address, count] : flows) {
        if (const auto found = by_address.find(address); found != by_address.end()) {
            concerned.insert(found->second);
        }
    }
    for (const IpAddress& address : measured_flows) {
        concerned.insert(by_address.at(address));
    }
    for (VipRecord* record : concerned) {
        vip::FlowCount sum;
        for (const AddressSlot* slot : record->addresses) {
            const auto found = flows.find(slot->prefix.address());
            if (found == flows.end() || found->second.flows == 0) {
                continue;
            }
            const auto idle = found->second.least_idle;
            sum.least_idle = sum.flows == 0 ? idle : std::min(sum.least_idle, idle);
            sum.flows += found->second.flows;
        }
        record->flows = sum.flows;
        record->flows_at = now;
        record->traffic.flows = sum;
        record->traffic.flows_counted_at = now;
        if (record->drain.has_traffic_left()) {
            mark(*record);
        }
    }
}

void Agent::Impl::update_measures(VipRecord& record, Instant now) {
    // When the deadline has passed and nobody waits any more, traffic may go on for hours: the
    // usual count of flows does, and packets are counted only to see whether they have ended too.
    const bool wants_flows = record.drain.is_waiting();
    const bool wants_end = wants_flows || (record.drain.has_traffic_left() &&
                                           record.traffic.has_quiet_flows(config.drain.idle));
    const auto& withdrawn_at = record.traffic.withdrawn_at;
    const bool is_ending = withdrawn_at && (stopping == Stop::Lingering || wants_end ||
                                            now < *withdrawn_at + watch_time);
    const bool is_new =
        record.is_exposed && !record.has_traffic && now < record.exposed_since + watch_time;
    const bool wants_packets = is_ending || is_new;
    measure(record, measured_flows, record.wants_flows, wants_flows);
    measure(record, measured_packets, record.wants_packets, wants_packets);
}

std::optional<Instant> Agent::Impl::measure_end(const VipRecord& record, Instant now) const {
    if (!record.wants_packets) {
        return std::nullopt;
    }
    const Instant end =
        (record.is_exposed ? record.exposed_since : record.traffic.withdrawn_at.value_or(now)) +
        watch_time;
    return end > now ? std::optional(end) : std::nullopt;
}

void Agent::Impl::clear_measures(VipRecord& record) {
    measure(record, measured_flows, record.wants_flows, false);
    measure(record, measured_packets, record.wants_packets, false);
}

void Agent::Impl::measure(VipRecord& record,
                          std::set<IpAddress>& measured,
                          bool& is_measured,
                          bool is_wanted) {
    if (is_measured == is_wanted) {
        return;
    }
    is_measured = is_wanted;
    measure_changed = true;
    for (const AddressSlot* slot : record.addresses) {
        const IpAddress& address = slot->prefix.address();
        if (is_wanted) {
            measured.insert(address);
        } else {
            measured.erase(address);
            if (&measured == &measured_packets) {
                packet_counts.erase(address);
            }
        }
    }
}

void Agent::Impl::emit_measure() {
    if (std::exchange(measure_changed, false)) {
        outbox.outputs.emplace_back(Measure{{measured_flows.begin(), measured_flows.end()},
                                            {measured_packets.begin(), measured_packets.end()}});
    }
}

bool Agent::Impl::is_all_traffic_over(Instant now) const {
    return std::ranges::all_of(
        order, [&](const VipRecord* record) { return record->traffic.has_ended(limits(), now); });
}

} // namespace anyvip::cmd
