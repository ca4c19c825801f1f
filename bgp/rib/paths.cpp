// SPDX-License-Identifier: Apache-2.0
// Observed paths: what of a received UPDATE concerns watched prefixes.
#include "bgp/rib/paths.hpp"

#include <algorithm>
#include <utility>

#include "bgp/limits.hpp"

namespace anyvip::bgp {

namespace {

/// RFC 6793 §4.2.3: a two-octet AS_PATH is longer than the AS4_PATH by what older speakers added
/// in front; an AS4_PATH that is longer is ignored. Lengths are compared whole, and only then is
/// cut what is kept. No sets are left here: a route with one is treated as withdrawn.
std::vector<Asn> as_path_of(const wire::Update& update, bool four_octet_asn) {
    if (four_octet_asn || update.as4_path.empty() || update.as4_path_length > update.path_length) {
        return wire::as_numbers(update.as_path, four_octet_asn, limits::as_numbers);
    }
    const std::size_t added = update.path_length - update.as4_path_length;
    std::vector<Asn> path =
        wire::as_numbers(update.as_path, false, std::min(added, limits::as_numbers));
    const std::vector<Asn> tail =
        wire::as_numbers(update.as4_path, true, limits::as_numbers - path.size());
    path.insert(path.end(), tail.begin(), tail.end());
    return path;
}

ObservedPath observe(const wire::Update& update, bool four_octet_asn) {
    ObservedPath path;
    path.as_path = as_path_of(update, four_octet_asn);
    path.path_length = update.path_length;
    path.med = update.med;
    path.local_pref = update.local_pref;
    path.is_graceful_shutdown = wire::has_community(update, graceful_shutdown);
    path.large_communities = wire::large_communities_of(update);
    return path;
}

} // namespace

bool is_treated_as_withdraw(const wire::Update& update) {
    return std::ranges::any_of(update.errors, [](const wire::Error& error) {
        return error.severity == wire::Severity::TreatAsWithdraw;
    });
}

bool Paths::watch(std::set<Prefix> prefixes) {
    watched_ = std::move(prefixes);
    watched_lengths_ = {};
    for (const Prefix& prefix : watched_) {
        watched_lengths_[std::to_underlying(prefix.family())].set(prefix.length_bits());
    }
    return std::erase_if(paths_, [&](const auto& entry) { return !is_watched(entry.first); }) > 0;
}

bool Paths::is_watched(const Prefix& prefix) const {
    return watched_lengths_[std::to_underlying(prefix.family())][prefix.length_bits()] &&
           watched_.contains(prefix);
}

bool Paths::update(const wire::Update& update, bool four_octet_asn) {
    if (watched_.empty()) {
        return false;
    }
    bool changed = withdraw(update.withdrawn);
    changed |= withdraw(update.mp_withdrawn);
    if (is_treated_as_withdraw(update)) {
        changed |= withdraw(update.announced);
        changed |= withdraw(update.mp_announced);
        return changed;
    }
    std::optional<wire::NextHop> next_hop;
    if (update.next_hop) {
        next_hop = wire::NextHop{.address = *update.next_hop, .link_local = std::nullopt};
    }
    changed |= announce(update, update.announced, next_hop, four_octet_asn);
    changed |= announce(update, update.mp_announced, update.mp_next_hop, four_octet_asn);
    return changed;
}

bool Paths::withdraw(wire::NlriRange range) {
    bool changed = false;
    while (const auto nlri = range.pop_front()) {
        if (!is_watched(nlri->prefix)) {
            continue;
        }
        const auto found = paths_.find(nlri->prefix);
        if (found == paths_.end()) {
            continue;
        }
        stale_.erase(*nlri);
        changed |= found->second.erase(nlri->path_id) > 0;
        if (found->second.empty()) {
            paths_.erase(found);
        }
    }
    return changed;
}

bool Paths::announce(const wire::Update& update,
                     wire::NlriRange range,
                     const std::optional<wire::NextHop>& next_hop,
                     bool four_octet_asn) {
    bool changed = false;
    std::optional<ObservedPath> path; // made only when one of the prefixes is ours
    while (const auto nlri = range.pop_front()) {
        if (!is_watched(nlri->prefix)) {
            continue;
        }
        auto& known = paths_[nlri->prefix];
        if (known.size() >= limits::paths_of_prefix && !known.contains(nlri->path_id)) {
            continue;
        }
        if (!path) {
            path = observe(update, four_octet_asn);
            if (next_hop) {
                path->next_hop = next_hop->address;
                path->link_local_next_hop = next_hop->link_local;
            }
        }
        stale_.erase(*nlri);
        path->path_id = nlri->path_id;
        const auto [slot, is_new] = known.try_emplace(nlri->path_id);
        changed |= is_new || slot->second != *path;
        slot->second = *path;
    }
    return changed;
}

bool Paths::forget_all() {
    const bool had_any = !paths_.empty();
    paths_.clear();
    stale_.clear();
    return had_any;
}

void Paths::begin_refresh(Family family) {
    for (const auto& [prefix, known] : paths_) {
        if (prefix.family() == family) {
            for (const auto& [path_id, path] : known) {
                stale_.insert({prefix, path_id});
            }
        }
    }
}

bool Paths::end_refresh(Family family) {
    bool changed = false;
    std::erase_if(stale_, [&](const wire::Nlri& nlri) {
        if (nlri.prefix.family() != family) {
            return false;
        }
        if (const auto found = paths_.find(nlri.prefix); found != paths_.end()) {
            changed |= found->second.erase(nlri.path_id) > 0;
            if (found->second.empty()) {
                paths_.erase(found);
            }
        }
        return true;
    });
    return changed;
}

bool Paths::forget(Family family) {
    return std::erase_if(
               paths_, [family](const auto& entry) { return entry.first.family() == family; }) > 0;
}

} // namespace anyvip::bgp
