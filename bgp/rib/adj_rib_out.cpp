// SPDX-License-Identifier: Apache-2.0
// Adj-RIB-Out: the diff between wanted and advertised, kept up to date with every `want`.
#include "bgp/rib/adj_rib_out.hpp"

#include <algorithm>
#include <iterator>
#include <span>
#include <utility>

#include "bgp/wire/framer.hpp"

namespace anyvip::bgp {

namespace {

bool same(const AttributesPtr& a, const AttributesPtr& b) {
    return a == b || (a && b && *a == *b);
}

} // namespace

void AdjRibOut::want(const Prefix& prefix, AttributesPtr attributes) {
    const bool is_last = routes_.empty() || std::prev(routes_.end())->first < prefix;
    auto found = is_last ? routes_.end() : routes_.lower_bound(prefix);
    if (found == routes_.end() || found->first != prefix) {
        if (!attributes) {
            return;
        }
        found = routes_.emplace_hint(found, prefix, Route{});
    }
    Route& route = found->second;
    if (same(route.wanted, attributes)) {
        return;
    }
    unschedule(*found);
    route.wanted = std::move(attributes);
    if (!route.wanted && !route.advertised) {
        routes_.erase(found);
        return;
    }
    schedule(*found);
}

void AdjRibOut::schedule(Item& item) {
    const Route& route = item.second;
    if (!route.wanted) {
        Pending& form = withdrawals_[std::to_underlying(form_of(item))];
        form.insert(form.end(), &item);
    } else if (route.must_resend || !same(route.wanted, route.advertised)) {
        Pending& group = announcements_[route.wanted];
        group.insert(group.end(), &item);
    }
}

void AdjRibOut::unschedule(Item& item) {
    const Route& route = item.second;
    if (!route.wanted) {
        if (route.advertised) {
            withdrawals_[std::to_underlying(form_of(item))].erase(&item);
        }
        return;
    }
    const auto group = announcements_.find(route.wanted);
    if (group != announcements_.end()) {
        group->second.erase(&item);
        if (group->second.empty()) {
            announcements_.erase(group);
        }
    }
}

AdjRibOut::Withdrawal AdjRibOut::form_of(const Item& item) {
    if (item.first.family() == Family::Ipv6) {
        return Withdrawal::Ipv6;
    }
    return item.second.advertised->next_hop.address.is_v6() ? Withdrawal::Ipv4Multiprotocol
                                                            : Withdrawal::Ipv4;
}

/// The first prefixes of one family, at least as many as a message can hold.
void AdjRibOut::take_batch(const Pending& pending, std::vector<Prefix>& batch) {
    batch.clear();
    std::size_t octets = 0;
    for (const Item* item : pending) {
        const Prefix& prefix = item->first;
        if (octets >= wire::max_message_octets ||
            (!batch.empty() && prefix.family() != batch.front().family())) {
            break;
        }
        batch.push_back(prefix);
        octets += 1 + (prefix.length_bits() + 7U) / 8U;
    }
}

bool AdjRibOut::has_pending() const {
    return has_pending_withdrawals() || !announcements_.empty();
}

bool AdjRibOut::has_pending_withdrawals() const {
    return std::ranges::any_of(withdrawals_, [](const Pending& form) { return !form.empty(); });
}

AdjRibOut::Flushed AdjRibOut::flush(const wire::EncodeContext& context,
                                    std::size_t limit_octets,
                                    std::uint64_t stream_offset,
                                    std::vector<std::uint8_t>& out) {
    Flushed flushed;
    write_withdrawals(limit_octets, out, flushed);
    write_announcements(context, limit_octets, stream_offset, out, flushed);
    return flushed;
}

void AdjRibOut::write_withdrawals(std::size_t limit_octets,
                                  std::vector<std::uint8_t>& out,
                                  Flushed& flushed) {
    std::vector<Prefix> batch;
    for (const Withdrawal form :
         {Withdrawal::Ipv4, Withdrawal::Ipv4Multiprotocol, Withdrawal::Ipv6}) {
        Pending& pending = withdrawals_[std::to_underlying(form)];
        while (!pending.empty() && out.size() < limit_octets) {
            take_batch(pending, batch);
            const std::size_t taken =
                wire::encode_withdraw(batch, form == Withdrawal::Ipv4Multiprotocol, out);
            for (const Prefix& prefix : std::span(batch).first(taken)) {
                pending.erase(pending.begin());
                routes_.erase(prefix);
                --advertised_count_[std::to_underlying(prefix.family())];
            }
            flushed.withdrawn += taken;
            flushed.withdrawals_end = out.size();
            ++flushed.messages;
        }
    }
}

void AdjRibOut::write_announcements(const wire::EncodeContext& context,
                                    std::size_t limit_octets,
                                    std::uint64_t stream_offset,
                                    std::vector<std::uint8_t>& out,
                                    Flushed& flushed) {
    std::vector<Prefix> batch;
    while (!announcements_.empty() && out.size() < limit_octets) {
        const auto group = announcements_.begin();
        const AttributesPtr attributes = group->first;
        Pending& pending = group->second;
        take_batch(pending, batch);
        const std::size_t taken = wire::encode_announce(batch, *attributes, context, out);
        for (std::size_t i = 0; i < taken; ++i) {
            auto& [prefix, route] = **pending.begin();
            if (!route.advertised) {
                route.announced_at = stream_offset + out.size();
                ++advertised_count_[std::to_underlying(prefix.family())];
            }
            route.advertised = attributes;
            route.must_resend = false;
            pending.erase(pending.begin());
        }
        if (pending.empty()) {
            announcements_.erase(group);
        }
        flushed.announced += taken;
        ++flushed.messages;
    }
}

void AdjRibOut::resend(Family family) {
    for (Item& item : routes_) {
        Route& route = item.second;
        if (item.first.family() == family && route.wanted && route.advertised) {
            route.must_resend = true;
            schedule(item);
        }
    }
}

bool AdjRibOut::is_advertised(const Prefix& prefix, std::uint64_t stream_offset) const {
    const auto found = routes_.find(prefix);
    return found != routes_.end() && found->second.advertised &&
           found->second.announced_at <= stream_offset;
}

void AdjRibOut::index() {
    withdrawals_ = {};
    announcements_.clear();
    advertised_count_ = {};
    std::erase_if(routes_,
                  [](const auto& item) { return !item.second.wanted && !item.second.advertised; });
    for (Item& item : routes_) {
        schedule(item);
        if (item.second.advertised) {
            ++advertised_count_[std::to_underlying(item.first.family())];
        }
    }
}

AttributesPtr AdjRibOut::advertised(const Prefix& prefix) const {
    const auto found = routes_.find(prefix);
    return found == routes_.end() ? nullptr : found->second.advertised;
}

} // namespace anyvip::bgp
