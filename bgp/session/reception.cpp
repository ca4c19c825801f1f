// SPDX-License-Identifier: Apache-2.0
// Counting received routes: linear in the message, without memory unless a limit is set.
#include "bgp/session/reception.hpp"

#include <algorithm>
#include <utility>

namespace anyvip::bgp {

bool Reception::update(const wire::Update& update,
                       bool four_octet_asn,
                       std::uint32_t max_received) {
    const bool is_announced = !is_treated_as_withdraw(update);
    for (const wire::NlriRange& routes : {update.withdrawn, update.mp_withdrawn}) {
        if (max_received == 0) {
            count(routes, false);
        } else {
            forget(routes);
        }
    }
    for (const wire::NlriRange& routes : {update.announced, update.mp_announced}) {
        if (max_received == 0) {
            count(routes, is_announced);
        } else if (is_announced) {
            remember(routes, max_received);
        } else {
            forget(routes);
        }
    }
    bool paths_changed = paths_.update(update, four_octet_asn);
    if (update.disabled) {
        forget(*update.disabled);
        paths_changed |= paths_.forget(*update.disabled);
    }
    if (update.end_of_rib) {
        end_of_rib_[std::to_underlying(*update.end_of_rib)] = true;
    }
    return paths_changed;
}

void Reception::count(const wire::NlriRange& routes, bool is_announced) {
    std::uint64_t& counted = announced_[std::to_underlying(routes.family())];
    const std::uint64_t named = routes.count();
    counted = is_announced ? counted + named : counted - std::min(counted, named);
}

void Reception::remember(wire::NlriRange routes, std::uint32_t max_received) {
    while (const auto nlri = routes.pop_front()) {
        if (known_.size() <= max_received && known_.insert(*nlri).second) {
            ++announced_[std::to_underlying(routes.family())];
        }
    }
}

void Reception::forget(wire::NlriRange routes) {
    while (const auto nlri = routes.pop_front()) {
        announced_[std::to_underlying(routes.family())] -= known_.erase(*nlri);
    }
}

void Reception::forget(Family family) {
    announced_[std::to_underlying(family)] = 0;
    std::erase_if(known_,
                  [family](const wire::Nlri& nlri) { return nlri.prefix.family() == family; });
}

void Reception::begin_again(Family family) {
    if (known_.empty()) { // otherwise each of them is known
        announced_[std::to_underlying(family)] = 0;
    }
}

void Reception::begin_refresh(Family family) {
    forget(family); // costs what is known, which `max_received` bounds
    paths_.begin_refresh(family);
}

void Reception::forget_counts() {
    announced_ = {};
    known_.clear();
}

void Reception::count_known() {
    if (!known_.empty()) {
        announced_ = {};
        for (const wire::Nlri& nlri : known_) {
            ++announced_[std::to_underlying(nlri.prefix.family())];
        }
    }
}

bool Reception::end() {
    end_of_rib_ = {};
    forget_counts();
    return paths_.forget_all();
}

} // namespace anyvip::bgp
