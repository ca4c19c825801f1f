// SPDX-License-Identifier: Apache-2.0
#include "cmd/daemon/probe_runner.hpp"

#include <optional>
#include <utility>

#include <boost/asio/post.hpp>

namespace anyvip::cmd {

namespace {

/// Why the probe of a VIP's address must not run, if so.
std::optional<health::Result> obstacle(const IpAddress& address,
                                       const std::expected<bool, std::error_code>& is_local) {
    if (!is_local) {
        return health::Result{.detail = "cannot ask where " + to_string(address) +
                                        " is routed to: " + is_local.error().message(),
                              .is_our_fault = true};
    }
    if (!*is_local) {
        return health::Result{.outcome = health::Outcome::Fail,
                              .detail = "not local: " + to_string(address) +
                                        " is not routed to this host, the probe would test "
                                        "another node"};
    }
    return std::nullopt;
}

} // namespace

ProbeRunner::ProbeRunner(boost::asio::io_context& io, IsLocal is_local, OnFinished on_finished)
    : io_(io), is_local_(std::move(is_local)), on_finished_(std::move(on_finished)) {}

void ProbeRunner::start(const StartProbe& start) {
    const std::uint64_t id = start.check_id;
    const std::uint64_t serial = next_serial_++;
    Running& running = running_[id];
    running.serial = serial;
    running.label = start.label;
    const auto problem = start.vip_address
                             ? obstacle(*start.vip_address, is_local_(*start.vip_address))
                             : std::nullopt;
    if (problem) {
        boost::asio::post(io_, [this, id, serial, problem, alive = std::weak_ptr(alive_)] {
            if (!alive.expired()) {
                finish(id, serial, *problem);
            }
        });
        return;
    }
    running.probe =
        health::make_probe(io_, start.config, [this, id, serial](health::Result result) {
            finish(id, serial, std::move(result));
        });
}

void ProbeRunner::cancel(std::uint64_t check_id) {
    running_.erase(check_id);
}

void ProbeRunner::finish(std::uint64_t check_id, std::uint64_t serial, health::Result result) {
    const auto found = running_.find(check_id);
    if (found == running_.end() || found->second.serial != serial) {
        return; // cancelled after its result had been posted
    }
    // The probe is calling us: it must live until it has returned, and the next run may start
    // before that.
    Running ended = std::move(found->second);
    running_.erase(found);
    on_finished_({check_id, std::move(ended.label), std::move(result)});
    if (ended.probe) {
        boost::asio::post(io_, [probe = std::shared_ptr<health::Probe>(std::move(ended.probe))] {});
    }
}

} // namespace anyvip::cmd
