// SPDX-License-Identifier: Apache-2.0
// Several errors in one UPDATE: the strongest decides (RFC 7606 §3 h), all are counted.
#include "bgp/wire/update_judge.hpp"

#include <algorithm>
#include <utility>

#include "bgp/limits.hpp"

namespace anyvip::bgp::wire {

void UpdateJudge::fault(Error error) {
    if (context.strict) {
        error.severity = Severity::Reset;
    }
    note(std::move(error));
}

void UpdateJudge::note(Error error) {
    update.verdict = std::max(update.verdict, error.severity);
    auto& errors = update.errors;
    const auto weaker = std::ranges::find_if(
        errors, [&](const Error& other) { return other.severity < error.severity; });
    errors.insert(weaker, std::move(error));
    if (errors.size() > limits::update_errors) {
        errors.pop_back();
    }
}

void UpdateJudge::multiprotocol_fault(Error error, AfiSafi family) {
    const auto affected = negotiated_family(family, context);
    if (!affected) {
        error.severity = Severity::None;
    } else if (update.disabled && *update.disabled != *affected) {
        error.severity = Severity::Reset; // no family would be left
    } else {
        error.severity = Severity::AfiSafiDisable;
        update.disabled = affected;
    }
    fault(std::move(error));
}

void UpdateJudge::escalate() {
    update.verdict = Severity::Reset;
    update.errors.front().severity = Severity::Reset;
}

std::optional<Family> negotiated_family(AfiSafi family, const DecodeContext& context) {
    for (const Family known : {Family::Ipv4, Family::Ipv6}) {
        if (family == afi_safi(known) && context.families[static_cast<std::size_t>(known)]) {
            return known;
        }
    }
    return std::nullopt;
}

} // namespace anyvip::bgp::wire
