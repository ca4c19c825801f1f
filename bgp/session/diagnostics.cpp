// SPDX-License-Identifier: Apache-2.0
// Lines for the operator.
#include "bgp/session/diagnostics.hpp"

#include "bgp/limits.hpp"

namespace anyvip::bgp {

void Diagnostics::warn_once(const std::string& text, Instant now) {
    if (text == last_warning_ && now - last_warning_at_ < limits::notice_interval) {
        return;
    }
    last_warning_ = text;
    last_warning_at_ = now;
    warn(text);
}

void Diagnostics::malformed(std::span<const std::uint8_t> message,
                            std::span<const wire::Error> errors,
                            Instant now) {
    for (const wire::Error& error : errors) {
        ++rule_counters_[std::string(error.rule)];
    }
    last_malformed_.assign(message.begin(), message.end());
    last_malformed_detail_ = errors.front().detail;
    const auto [noticed, is_new] = rule_noticed_.try_emplace(std::string(errors.front().rule), now);
    if (is_new || now - noticed->second >= limits::notice_interval) {
        noticed->second = now;
        warn("malformed message: " + last_malformed_detail_);
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
