// SPDX-License-Identifier: Apache-2.0
// Counting received routes: linear in the message, without memory unless a limit is set.
#include "bgp/session/reception.hpp"

#include <algorithm>
#include <utility>

namespace anyvip::bgp {

namespace {

template <typename Visitor> void for_each(wire::NlriRange range, Visitor visit) {
    while (const auto nlri = range.pop_front()) {
        visit(*nlri);
    }
}

} // namespace

Reception::Outcome
Reception::update(const wire::Update& update, bool four_octet_asn, std::uint32_t max_received) {
    Outcome outcome;
    if (max_received > 0) {
        remember(update, max_received);
        announced_ = known_.size();
    } else {
        count(update);
    }
    outcome.is_over_limit = max_received > 0 && announced_ > max_received;
    outcome.paths_changed = paths_.update(update, four_octet_asn);
    if (update.disabled) {
        outcome.paths_changed |= paths_.forget(*update.disabled);
    }
    if (update.end_of_rib) {
        end_of_rib_[std::to_underlying(*update.end_of_rib)] = true;
    }
    return outcome;
}

void Reception::count(const wire::Update& update) {
    const std::uint64_t withdrawn = update.withdrawn.count() + update.mp_withdrawn.count();
    const std::uint64_t named = update.announced.count() + update.mp_announced.count();
    const bool counts = !is_treated_as_withdraw(update);
    announced_ -= std::min(announced_, withdrawn + (counts ? 0 : named));
    announced_ += counts ? named : 0;
}

void Reception::remember(const wire::Update& update, std::uint32_t max_received) {
    const auto forget = [this](const wire::Nlri& nlri) { known_.erase(nlri); };
    for_each(update.withdrawn, forget);
    for_each(update.mp_withdrawn, forget);
    if (is_treated_as_withdraw(update)) {
        for_each(update.announced, forget);
        for_each(update.mp_announced, forget);
        return;
    }
    const auto add = [&](const wire::Nlri& nlri) {
        if (known_.size() <= max_received) {
            known_.insert(nlri);
        }
    };
    for_each(update.announced, add);
    for_each(update.mp_announced, add);
}

bool Reception::end() {
    end_of_rib_ = {};
    announced_ = 0;
    known_.clear();
    return paths_.forget_all();
}

} // namespace anyvip::bgp
