// SPDX-License-Identifier: Apache-2.0
// Lines for the operator.
#include "bgp/session/diagnostics.hpp"

#include "bgp/limits.hpp"

namespace anyvip::bgp {

namespace {

/// The text without its numbers: a counter or a time in it makes it no other one.
std::string kind_of(std::string text) {
    std::erase_if(text, [](char c) { return c >= '0' && c <= '9'; });
    return text;
}

} // namespace

void Diagnostics::warn_once(const std::string& text, Instant now) {
    std::erase_if(warned_, [now](const auto& warning) {
        return now - warning.second >= limits::notice_interval;
    });
    // The peer has a hand in what these texts say, so their number is bounded too.
    if (warned_.size() < limits::notice_kinds && warned_.try_emplace(kind_of(text), now).second) {
        warn(text);
    }
}

void Diagnostics::malformed(std::span<const std::uint8_t> message,
                            std::span<const wire::Error> errors,
                            Instant now) {
    for (const wire::Error& error : errors) {
        ++rule_counters_[std::string(error.rule)];
    }
    const wire::Error& strongest = errors.front();
    // What is only ignored, such as routes of a family that is not in use, is well-formed.
    const bool is_malformed = strongest.severity > wire::Severity::None;
    if (is_malformed) {
        last_malformed_.assign(message.begin(), message.end());
        last_malformed_detail_ = strongest.detail;
    }
    const auto [noticed, is_new] = rule_noticed_.try_emplace(std::string(strongest.rule), now);
    if (is_new || now - noticed->second >= limits::notice_interval) {
        noticed->second = now;
        warn((is_malformed ? "malformed message: " : "") + strongest.detail);
    }
}

std::string Diagnostics::ended(const Ending& ending, Instant now) {
    LastError error{.at = now,
                    .code = 0,
                    .subcode = 0,
                    .name = ending.reason,
                    .message = {},
                    .sent = ending.sent};
    std::string line = ending.reason;
    if (ending.notification) {
        error.code = ending.notification->code;
        error.subcode = ending.notification->subcode;
        error.name = wire::name(error.code, error.subcode);
        error.message = ending.reason;
        line = (ending.sent ? "sent " : "received ") + error.name;
        if (!ending.reason.empty()) {
            line += ": " + ending.reason;
        }
    } else if (const auto colon = ending.reason.find(": "); colon != std::string::npos) {
        // "connection failed: connect to 10.0.0.1 port 179: Connection refused"
        error.name = ending.reason.substr(0, colon);
        error.message = ending.reason.substr(colon + 2);
    }
    last_error_ = std::move(error);
    return line;
}

void Diagnostics::describe(PeerStatus& status) const {
    status.last_error = last_error_;
    status.rule_counters = rule_counters_;
    status.last_malformed = last_malformed_;
    status.last_malformed_detail = last_malformed_detail_;
}

} // namespace anyvip::bgp
