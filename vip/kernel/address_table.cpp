// SPDX-License-Identifier: Apache-2.0
#include "vip/kernel/address_table.hpp"

#include <algorithm>
#include <utility>

namespace anyvip::vip::kernel {

namespace {

using States = std::vector<std::pair<Prefix, AddressState>>;

AddressState state_in(const Link& link, const Prefix& prefix) {
    const auto exact = link.addresses.find(interface_address(prefix));
    AddressState state;
    if (exact != link.addresses.end()) {
        state.is_owned = exact->second.is_owned;
        state.is_present = exact->second.is_usable;
    }
    if (prefix.is_host()) {
        // All lengths of one address stand side by side.
        for (auto it = link.addresses.lower_bound({prefix.address(), 0});
             it != link.addresses.end() && it->first.address == prefix.address();
             ++it) {
            state.is_present = state.is_present || it->second.is_usable;
        }
    }
    state.is_present = state.is_present && link.is_up;
    return state;
}

/// The prefixes that one address of an interface stands for.
void append_states(States& states, const Link& link, const InterfaceAddress& address) {
    const Prefix host = Prefix::host(address.address);
    if (states.empty() || states.back().first != host) {
        states.emplace_back(host, state_in(link, host));
    }
    const Prefix network = Prefix::of(address.address, address.length_bits);
    if (!network.is_host() && network.address() == address.address) {
        states.emplace_back(network, state_in(link, network));
    }
}

/// Of a link without a name nothing can be told yet.
States in_order(const Link& link, States states) {
    if (link.name.empty()) {
        return {};
    }
    std::ranges::sort(states, {}, &States::value_type::first);
    const auto repeated = std::ranges::unique(states);
    states.erase(repeated.begin(), repeated.end());
    return states;
}

States states_of(const Link& link) {
    States states;
    states.reserve(link.addresses.size());
    for (const auto& [address, entry] : link.addresses) {
        append_states(states, link, address);
    }
    return in_order(link, std::move(states));
}

States states_at(const Link& link, const InterfaceAddress& address) {
    States states;
    append_states(states, link, address);
    return in_order(link, std::move(states));
}

/// Appends what differs between two sorted lists; what is missing in one of them is absent there.
void append_differences(std::vector<Observation>& changes,
                        const std::string& interface,
                        const States& before,
                        const States& after) {
    auto old = before.begin();
    for (const auto& [prefix, state] : after) {
        for (; old != before.end() && old->first < prefix; ++old) {
            changes.push_back({old->first, interface, {}});
        }
        const bool is_known = old != before.end() && old->first == prefix;
        if (state != (is_known ? old->second : AddressState{})) {
            changes.push_back({prefix, interface, state});
        }
        old += is_known ? 1 : 0;
    }
    for (; old != before.end(); ++old) {
        changes.push_back({old->first, interface, {}});
    }
}

} // namespace

InterfaceAddress interface_address(const Prefix& prefix) {
    return {prefix.address(), prefix.length_bits()};
}

void AddressTable::set_link(int index, std::string_view name, bool is_up) {
    Link& link = links_[index];
    if (link.name == name && link.is_up == is_up) {
        return;
    }
    const States before = states_of(link);
    const std::string old_name = std::exchange(link.name, std::string(name));
    link.is_up = is_up;
    if (old_name != name) {
        if (const auto it = names_.find(old_name); it != names_.end() && it->second == index) {
            names_.erase(it);
        }
        names_.insert_or_assign(link.name, index);
        append_differences(changes_, old_name, before, {});
        append_differences(changes_, link.name, {}, states_of(link));
    } else {
        append_differences(changes_, link.name, before, states_of(link));
    }
}

void AddressTable::remove_link(int index) {
    const auto it = links_.find(index);
    if (it == links_.end()) {
        return;
    }
    append_differences(changes_, it->second.name, states_of(it->second), {});
    if (const auto name = names_.find(it->second.name);
        name != names_.end() && name->second == index) {
        names_.erase(name);
    }
    links_.erase(it);
}

void AddressTable::set_address(int index, const InterfaceAddress& address, AddressEntry entry) {
    Link& link = links_[index];
    const States before = states_at(link, address);
    link.addresses.insert_or_assign(address, entry);
    append_differences(changes_, link.name, before, states_at(link, address));
}

void AddressTable::remove_address(int index, const InterfaceAddress& address) {
    const auto it = links_.find(index);
    if (it == links_.end()) {
        return;
    }
    const States before = states_at(it->second, address);
    it->second.addresses.erase(address);
    append_differences(changes_, it->second.name, before, states_at(it->second, address));
}

void AddressTable::replace(AddressTable other) {
    std::map<std::string, std::pair<States, States>> by_name;
    for (const auto& [index, link] : links_) {
        by_name[link.name].first = states_of(link);
    }
    for (const auto& [index, link] : other.links_) {
        by_name[link.name].second = states_of(link);
    }
    links_ = std::move(other.links_);
    names_ = std::move(other.names_);
    for (const auto& [name, states] : by_name) {
        append_differences(changes_, name, states.first, states.second);
    }
}

std::optional<int> AddressTable::index_of(std::string_view interface) const {
    const auto it = names_.find(interface);
    return it == names_.end() ? std::nullopt : std::optional(it->second);
}

const Link* AddressTable::find_link(std::string_view interface) const {
    const auto index = index_of(interface);
    return index ? &links_.at(*index) : nullptr;
}

AddressState AddressTable::state_of(const Prefix& prefix, std::string_view interface) const {
    const Link* link = find_link(interface);
    return link != nullptr ? state_in(*link, prefix) : AddressState{};
}

std::vector<Observation> AddressTable::take_changes() {
    return std::exchange(changes_, {});
}

} // namespace anyvip::vip::kernel
