// SPDX-License-Identifier: Apache-2.0
// From intents to octets.
#include "bgp/session/routes.hpp"

#include <algorithm>
#include <utility>

#include "bgp/limits.hpp"

namespace anyvip::bgp {

namespace {

constexpr std::array both_families{Family::Ipv4, Family::Ipv6};

void append_refresh(Family family, wire::RefreshSubtype subtype, Output& output) {
    output.append(wire::encode_route_refresh(
        {.family = wire::afi_safi(family), .subtype = std::to_underlying(subtype)}));
}

} // namespace

void Routes::want(const Prefix& prefix, RouteIntentPtr intent) {
    const auto found = wanted_.find(prefix);
    if (found == wanted_.end()) {
        if (!intent) {
            return;
        }
    } else if (intent && (found->second == intent || *found->second == *intent)) {
        return;
    }
    if (is_active_) {
        rib_.want(prefix, intent ? attributes_for(prefix.family(), intent) : nullptr);
    }
    if (!intent) {
        wanted_.erase(found);
    } else if (found != wanted_.end()) {
        found->second = std::move(intent);
    } else {
        wanted_.emplace_hint(wanted_.end(), prefix, std::move(intent));
    }
    has_stale_cache_ = true;
}

void Routes::begin(const Negotiated& negotiated, const Speaker& speaker) {
    is_active_ = true;
    negotiated_ = negotiated;
    encoding_ = {.local_asn = speaker.asn,
                 .is_internal = negotiated.is_internal,
                 .four_octet_asn = negotiated.four_octet_asn,
                 .only_to_customer = negotiated.only_to_customer};
    context_ = {.local_asn = speaker.asn, .is_internal = negotiated.is_internal};
}

void Routes::apply(const ExportPolicy& policy, NextHops next_hops) {
    policy_ = policy;
    next_hops_ = std::move(next_hops);
    cache_.clear();
    for (const auto& [prefix, intent] : wanted_) {
        rib_.want(prefix, attributes_for(prefix.family(), intent));
    }
}

void Routes::end() {
    Routes fresh;
    fresh.wanted_ = std::move(wanted_);
    fresh.may_send_end_of_rib_ = may_send_end_of_rib_;
    *this = std::move(fresh);
}

bool Routes::can_announce(Family family) const {
    const std::size_t index = std::to_underlying(family);
    return is_active_ && negotiated_.families[index] && next_hops_[index].has_value();
}

std::string Routes::problem(Family family) const {
    const std::size_t index = std::to_underlying(family);
    return is_active_ && negotiated_.families[index] && !next_hops_[index].has_value()
               ? next_hops_[index].error()
               : std::string{};
}

AttributesPtr Routes::attributes_for(Family family, const RouteIntentPtr& intent) {
    if (!can_announce(family)) {
        return nullptr;
    }
    const std::size_t index = std::to_underlying(family);
    Cached& cached = cache_[intent.get()];
    if (!cached.attributes[index]) {
        cached.intent = intent;
        cached.attributes[index] = std::make_shared<const wire::PathAttributes>(
            export_attributes(*intent, policy_, context_, *next_hops_[index]));
    }
    return cached.attributes[index];
}

void Routes::drop_unused_attributes() {
    if (std::exchange(has_stale_cache_, false)) {
        std::erase_if(cache_,
                      [](const auto& entry) { return entry.second.intent.use_count() == 1; });
    }
}

void Routes::request_resend(Family family) {
    if (is_active_ && negotiated_.families[std::to_underlying(family)]) {
        resend_requested_[std::to_underlying(family)] = true;
    }
}

Routes::Refilled Routes::refill(Output& output, Instant now) {
    Refilled refilled;
    if (!is_active_) {
        return refilled;
    }
    drop_unused_attributes();
    AdjRibOut::Flushed flushed;
    if (output.pending().size() < limits::output_octets) {
        start_resends(output, refilled);
        flushed = rib_.flush(encoding_, limits::output_octets, output.sent(), output.buffer());
        refilled.updates += flushed.messages;
        if (!rib_.has_pending()) {
            finish(output, refilled);
        }
    }
    note_withdrawals(flushed, output, now);
    return refilled;
}

void Routes::start_resends(Output& output, Refilled& refilled) {
    for (const Family family : both_families) {
        const std::size_t index = std::to_underlying(family);
        if (resend_[index] != Resend::None || !std::exchange(resend_requested_[index], false)) {
            continue;
        }
        // RFC 7313 §4: no BoRR before our End-of-RIB of this family.
        const bool is_bracketed = negotiated_.enhanced_route_refresh && end_of_rib_sent_[index];
        if (is_bracketed) {
            append_refresh(family, wire::RefreshSubtype::BeginOfRouteRefresh, output);
            ++refilled.refreshes;
        }
        resend_[index] = is_bracketed ? Resend::Bracketed : Resend::Unmarked;
        rib_.resend(family);
    }
}

/// Nothing is pending: what was promised for this moment.
void Routes::finish(Output& output, Refilled& refilled) {
    for (const Family family : both_families) {
        const std::size_t index = std::to_underlying(family);
        if (std::exchange(resend_[index], Resend::None) == Resend::Bracketed) {
            append_refresh(family, wire::RefreshSubtype::EndOfRouteRefresh, output);
            ++refilled.refreshes;
        }
        // RFC 4724 §2: once for each family, also when there was nothing to announce.
        if (may_send_end_of_rib_ && negotiated_.families[index] &&
            !std::exchange(end_of_rib_sent_[index], true)) {
            wire::encode_end_of_rib(family, output.buffer());
            ++refilled.updates;
        }
    }
}

// ---- acknowledgement of withdrawals ----

void Routes::note_withdrawals(const AdjRibOut::Flushed& flushed,
                              const Output& output,
                              Instant now) {
    if (flushed.withdrawn > 0) {
        unacknowledged_.push_back({.end = output.sent() + flushed.withdrawals_end,
                                   .since = blocked_since_.value_or(now)});
        poll_interval_ = limits::acknowledgement_poll_first;
        poll_ = now + poll_interval_;
    }
    if (!rib_.has_pending_withdrawals()) {
        blocked_since_.reset();
    } else if (!blocked_since_) {
        blocked_since_ = now;
    }
}

void Routes::acknowledged(std::uint64_t position, Instant now) {
    while (!unacknowledged_.empty() && unacknowledged_.front().end <= position) {
        unacknowledged_.pop_front();
    }
    if (unacknowledged_.empty()) {
        poll_.reset();
    } else if (poll_ && *poll_ <= now) {
        poll_expired(now);
    }
}

bool Routes::withdrawals_acknowledged() const {
    return unacknowledged_.empty() && !rib_.has_pending_withdrawals();
}

bool Routes::has_withdrawals_after(std::uint64_t position) const {
    return rib_.has_pending_withdrawals() ||
           (!unacknowledged_.empty() && unacknowledged_.back().end > position);
}

std::optional<Instant> Routes::oldest_withdrawal() const {
    return unacknowledged_.empty() ? blocked_since_ : unacknowledged_.front().since;
}

std::optional<Instant> Routes::poll_deadline() const {
    return poll_;
}

void Routes::poll_expired(Instant now) {
    poll_interval_ = std::min<Duration>(2 * poll_interval_, limits::acknowledgement_poll_last);
    poll_ = now + poll_interval_;
}

} // namespace anyvip::bgp
