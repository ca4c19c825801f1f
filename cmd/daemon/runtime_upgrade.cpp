// SPDX-License-Identifier: Apache-2.0
#include "cmd/daemon/runtime_impl.hpp"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <optional>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "cmd/agent/event_name.hpp"
#include "cmd/config/config.hpp"
#include "health/probe/child.hpp"
#include "health/probe/resolver.hpp"

namespace anyvip::cmd {

HandedOver Runtime::hand_over(Instant began) {
    HandedOver shell;
    shell.version = ANYVIP_VERSION;
    shell.began = began;
    shell.upgrades = upgrades_;
    shell.config_text = options_.config_text;
    shell.router_id = config_.node.router_id->value;
    shell.node_name = config_.node.name;
    shell.asn = config_.node.asn.value;
    shell.control = config_.daemon.control;
    shell.http = config_.daemon.http;
    shell.state_dir = config_.daemon.state_dir;
    shell.peers = peers_->hand_over();
    shell.api.control = control_socket_->descriptor();
    shell.api.http = public_listener_ ? public_listener_->descriptor() : -1;
    control_->hand_over(shell.api);
    shell.events = events_.past();
    shell.metrics = metrics_.counts();
    shell.bfd = bfd_->hand_over();
    shell.started = started_;
    shell.persist_error = persist_error_;
    shell.hooks = hooks_.waiting();
    shell.orphans = hooks_.running();
    std::ranges::copy(orphans_.hand_over(), std::back_inserter(shell.orphans));
    shell.names = health::Resolver::of(io_).known();
    for (const int pid : health::living_children()) {
        if (std::ranges::find(shell.orphans, pid, &OrphanHandedOver::pid) == shell.orphans.end()) {
            shell.orphans.push_back({pid, -1, false, std::nullopt});
        }
    }
    return shell;
}

UpgradeHost Runtime::upgrade_host() {
    const auto each_server = [this](const auto& act) {
        for (HttpServer* server : {control_socket_.get(), public_listener_.get()}) {
            if (server != nullptr) {
                act(*server);
            }
        }
    };
    return {io_,
            log_,
            options_.arguments,
            [this] { return options_.config_text; },
            [this](Instant began) {
                HandedOver shell = hand_over(began);
                return save_state(shell, *agent_);
            },
            [this] { return save_bfd(bfd_->pause()); },
            [this] { bfd_->go_on(); },
            [this] {
                if (agent_->node_state() == NodeState::Stopping) {
                    return std::string("the daemon is stopping");
                }
                if (drain_file_.is_waiting()) {
                    return std::string("the file system of the drain file does not answer");
                }
                // Before the trial a save may still end in time, unless it is overdue already.
                const bool is_stuck = drain_writer_->is_writing() &&
                                      (upgrade_->is_under_way() || drain_writer_->is_idle());
                return std::string(is_stuck ? "the disk takes too long to save the drains" : "");
            },
            [each_server](bool is_held) {
                each_server(
                    [is_held](HttpServer& server) { is_held ? server.pause() : server.resume(); });
            },
            [this, each_server] {
                bool is_settled =
                    peers_->is_quiet() && control_->is_settled() && !drain_writer_->is_writing();
                each_server([&](const HttpServer& server) { is_settled &= server.is_settled(); });
                return is_settled;
            },
            [this] { turn(); },
            [this](const std::string& problem) { upgrade_failed(problem); }};
}

void Runtime::upgraded(const HandedOver& inherited) {
    const auto took = std::chrono::duration_cast<std::chrono::microseconds>(
        read_clocks().monotonic - inherited.began);
    record({read_clocks().monotonic,
            EventName("upgrade.done").text(),
            config_.node.name,
            "anyvipd " ANYVIP_VERSION " has taken over from " + inherited.version,
            {{"from", inherited.version},
             {"to", ANYVIP_VERSION},
             {"upgrades", std::to_string(upgrades_)},
             {"ms", std::to_string(static_cast<double>(took.count()) / 1000.0)}}});
    boost::json::object document{
        {"changes", boost::json::array{}},
        {"upgraded", {{"from", inherited.version}, {"to", ANYVIP_VERSION}}}};
    // The file may hold what only this program understands.
    if (const auto text = read_config_file(options_.config_file);
        text && *text != options_.config_text) {
        const ReloadOutcome outcome = reload(false);
        boost::json::array changes(outcome.changes.begin(), outcome.changes.end());
        document["changes"] = std::move(changes);
        if (const std::string& problem = outcome.error.empty() ? outcome.exception : outcome.error;
            !problem.empty()) {
            document["error"] = problem;
        }
    }
    control_->upgrade_ended(document, document.contains("error") ? 500 : 200);
}

void Runtime::upgrade_failed(const std::string& problem) {
    record({read_clocks().monotonic,
            EventName("upgrade.failed").text(),
            config_.node.name,
            problem,
            {{"level", "error"}}});
    control_->upgrade_ended(
        {{"error", "upgrade: " + problem + "; anyvipd " ANYVIP_VERSION " carries on"}}, 409);
}

} // namespace anyvip::cmd
