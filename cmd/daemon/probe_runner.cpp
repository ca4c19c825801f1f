// SPDX-License-Identifier: Apache-2.0
#include "cmd/daemon/probe_runner.hpp"

#include <utility>

#include <boost/asio/post.hpp>

namespace anyvip::cmd {

ProbeRunner::ProbeRunner(boost::asio::io_context& io, IsLocal is_local, OnFinished on_finished)
    : io_(io), is_local_(std::move(is_local)), on_finished_(std::move(on_finished)) {}

void ProbeRunner::start(const StartProbe& start) {
    const std::uint64_t id = start.check_id;
    const std::uint64_t serial = next_serial_++;
    Running& running = running_[id];
    running.serial = serial;
    running.label = start.label;
    if (start.vip_address && !is_local_(*start.vip_address)) {
        health::Result result;
        result.outcome = health::Outcome::Fail;
        result.detail = "not local: " + to_string(*start.vip_address) +
                        " is not routed to this host, the probe would test another node";
        boost::asio::post(io_, [this, id, serial, result, alive = std::weak_ptr(alive_)] {
            if (!alive.expired()) {
                finish(id, serial, result);
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
