// SPDX-License-Identifier: Apache-2.0
// Slots of addresses: claimed by VIPs, abandoned, found.
#include "cmd/agent/address_set.hpp"

#include <algorithm>
#include <ranges>

namespace anyvip::cmd {

AddressSlot& AddressSet::claim(const Key& key, std::uint64_t vip, bool is_external, Instant now) {
    const auto [place, is_new] = slots_.try_emplace(key);
    AddressSlot& slot = place->second;
    if (is_new) {
        slot.prefix = key.first;
        slot.interface = key.second;
        if (foreign_.erase(key) > 0) {
            static_cast<void>(slot.held.observed(true, false, now));
        }
        // The same prefix on another interface: the VIP moves there, its route need not go away.
        for (auto other = slots_.lower_bound({key.first, ""});
             other != slots_.end() && other->first.first == key.first;
             ++other) {
            if (other != place && other->second.held.is_present() && !is_external) {
                slot.held.take_over(now);
            }
        }
    }
    slot.vip = vip;
    slot.is_external = is_external;
    slot.leaving = {};
    left_over_.erase(key);
    return slot;
}

void AddressSet::abandon(AddressSlot& slot, const vip::TrafficWatch& leaving) {
    slot.vip = 0;
    slot.leaving = leaving;
    left_over_.emplace(slot.prefix, slot.interface);
}

std::uint64_t AddressSet::observed(const Key& key, bool is_present, bool is_owned, Instant now) {
    auto found = slots_.find(key);
    if (found == slots_.end()) {
        foreign_.erase(key);
        if (!is_owned) {
            if (is_present) {
                foreign_.insert(key);
            }
            return 0;
        }
        // Left by a run before with another configuration.
        static_cast<void>(left_over_unless_claimed(key));
        found = slots_.find(key);
    }
    AddressSlot& slot = found->second;
    const vip::HeldAddress::Change change = slot.held.observed(is_present, is_owned, now);
    if (change == vip::HeldAddress::Change::TakenAway) {
        const std::string& problem = slot.held.problem();
        outbox_.event(now,
                      "address.removed",
                      to_string(slot.prefix),
                      problem.empty()
                          ? "another program removed it from " + slot.interface + "; it is put back"
                          : problem,
                      {{"interface", slot.interface}});
    }
    return change == vip::HeldAddress::Change::Nothing ? 0 : slot.vip;
}

AddressSlot& AddressSet::left_over_unless_claimed(const Key& key) {
    const auto [place, is_new] = slots_.try_emplace(key);
    if (is_new) {
        place->second.prefix = key.first;
        place->second.interface = key.second;
        left_over_.insert(key);
    }
    return place->second;
}

std::vector<AddressSet::Key> AddressSet::present() const {
    std::vector<Key> keys;
    for (const auto& [key, slot] : slots_) {
        if (slot.held.is_present()) {
            keys.push_back(key);
        }
    }
    return keys;
}

std::uint64_t AddressSet::failed(const Key& key, std::string_view reason, Instant now) {
    const auto found = slots_.find(key);
    if (found == slots_.end()) {
        return 0;
    }
    found->second.held.failed(reason, now);
    return found->second.vip;
}

void AddressSet::step(AddressSlot& slot, Instant now) {
    if (slot.is_external) {
        return;
    }
    switch (slot.held.next_step(now)) {
    case vip::HeldAddress::Step::Add:
        outbox_.outputs.emplace_back(AddAddress{slot.prefix, slot.interface});
        break;
    case vip::HeldAddress::Step::Remove:
        outbox_.outputs.emplace_back(RemoveAddress{slot.prefix, slot.interface});
        break;
    case vip::HeldAddress::Step::Nothing:
        break;
    }
}

void AddressSet::tick(const vip::LingerLimits& limits, bool at_once, Instant now) {
    for (auto key = left_over_.begin(); key != left_over_.end();) {
        AddressSlot& slot = slots_.at(*key);
        slot.held.tick(now);
        slot.held.want(!at_once && !slot.leaving.has_ended(limits, now) && slot.held.is_present());
        step(slot, now);
        if (slot.held.is_owned()) {
            ++key;
            continue;
        }
        // Gone, or not ours: then it is left alone.
        if (slot.held.is_present()) {
            foreign_.insert(*key);
        }
        slots_.erase(*key);
        key = left_over_.erase(key);
    }
}

std::optional<Instant> AddressSet::next_deadline(const vip::LingerLimits& limits,
                                                 Instant now) const {
    std::optional<Instant> next;
    for (const Key& key : left_over_) {
        const AddressSlot& slot = slots_.at(key);
        next = earlier(next, slot.held.next_deadline());
        next = earlier(next, slot.leaving.next_deadline(limits, now));
    }
    return next;
}

bool AddressSet::has_owned() const {
    return std::ranges::any_of(slots_ | std::views::values, [](const AddressSlot& slot) {
        return slot.held.is_owned() && !slot.is_external;
    });
}

} // namespace anyvip::cmd
