// SPDX-License-Identifier: Apache-2.0
#include "health/tripwire.hpp"

#include <algorithm>
#include <utility>

#include "health/url.hpp"

namespace anyvip::health {

namespace {

constexpr std::chrono::seconds longest_wait{60};
/// A connection that lived this long was no victim of an idle timeout worth backing off from.
constexpr std::chrono::seconds long_life{60};

/// Where a check connects to, if it does.
struct Destination {
    using Maybe = std::optional<HostPort>;

    static Maybe parsed(std::string_view text, std::uint16_t default_port) {
        auto result = parse_host_port(text, default_port);
        return result ? Maybe(std::move(*result)) : Maybe();
    }

    Maybe operator()(const TcpTarget& target) const { return parsed(target.target, 0); }

    Maybe operator()(const TlsTarget& target) const { return parsed(target.target, 443); }

    Maybe operator()(const HttpTarget& target) const {
        auto url = parse_url(target.url);
        return url ? Maybe(std::move(url->address)) : Maybe();
    }

    // Name servers listen on TCP as well, and both sockets die together.
    Maybe operator()(const DnsTarget& target) const { return parsed(target.server, 53); }

    Maybe operator()(const HaproxyTarget& target) const {
        const bool has_scheme = target.socket.starts_with("unix:");
        return parsed(has_scheme ? target.socket : "unix:" + target.socket, 0);
    }

    Maybe operator()(const ExecTarget&) const { return {}; }

    Maybe operator()(const ProcessTarget&) const { return {}; }

    Maybe operator()(const FileTarget&) const { return {}; }
};

} // namespace

TripwirePlan plan_tripwires(const CheckConfig& check) {
    TripwirePlan plan;
    if (check.tripwire == Tripwire::Off) {
        return plan;
    }
    if (const auto* const process = std::get_if<ProcessTarget>(&check.target)) {
        if (!process->pidfile.empty()) {
            plan.pidfile = process->pidfile;
            plan.paths.push_back(process->pidfile);
        } else if (!process->unit.empty()) {
            plan.unit = process->unit;
        }
        return plan;
    }
    if (const auto* const file = std::get_if<FileTarget>(&check.target)) {
        plan.paths.push_back(file->path);
        return plan;
    }
    const auto destination = std::visit(Destination(), check.target);
    if (!destination) {
        return plan;
    }
    if (destination->unix_path.empty()) {
        plan.listener = destination;
    } else {
        plan.unix_socket = destination->unix_path;
        if (!destination->unix_path.starts_with('@')) {
            plan.paths.push_back(destination->unix_path);
        }
    }
    // Every node would hold one to the thing that all of them share.
    const bool is_stream = !std::holds_alternative<DnsTarget>(check.target);
    if (check.tripwire == Tripwire::Connection && check.scope == Scope::Local && is_stream) {
        plan.connection = destination;
    }
    return plan;
}

void ConnectionBackOff::closed(Instant now) {
    wait_ = now - opened_ >= long_life ? std::chrono::seconds(1) : wait_;
    not_before_ = now + wait_;
    wait_ = std::min(wait_ * 2, longest_wait);
}

} // namespace anyvip::health
