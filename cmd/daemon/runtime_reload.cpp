// SPDX-License-Identifier: Apache-2.0
#include "cmd/daemon/runtime_impl.hpp"

#include <algorithm>
#include <chrono>

#include "cmd/agent/event_name.hpp"
#include "cmd/config/config.hpp"
#include "cmd/daemon/identity.hpp"

namespace anyvip::cmd {

ReloadOutcome Runtime::reload(bool is_dry_run) {
    if (is_dry_run) {
        return load_and_apply(is_dry_run);
    }
    service_manager_.notify("RELOADING=1\nMONOTONIC_USEC=" +
                            std::to_string(std::chrono::duration_cast<std::chrono::microseconds>(
                                               read_clocks().monotonic.time_since_epoch())
                                               .count()));
    ReloadOutcome outcome = load_and_apply(is_dry_run);
    service_manager_.notify("READY=1");
    return outcome;
}

ReloadOutcome Runtime::load_and_apply(bool is_dry_run) {
    if (agent_->node_state() == NodeState::Stopping) {
        return {"the daemon is stopping", {}, {}};
    }
    auto text = read_config_file(options_.config_file);
    auto loaded = text ? parse_config(*text, real_host(), config_.node.router_id)
                       : std::unexpected(text.error());
    if (!loaded) {
        ReloadOutcome rejected;
        for (const Problem& problem : loaded.error()) {
            rejected.error +=
                (rejected.error.empty() ? "" : "\n") + to_string(problem, options_.config_file);
        }
        if (!is_dry_run) {
            metrics_.observe_reload(false);
            const Event event{read_clocks().monotonic,
                              EventName("config.rejected").text(),
                              options_.config_file,
                              rejected.error,
                              {}};
            record(event);
        }
        return rejected;
    }
    if (loaded->node.name.empty()) {
        loaded->node.name = host_name();
    }
    if (is_dry_run) {
        return {{}, agent_->describe_reload(*loaded), {}};
    }
    const std::string problem = move_public_listener(loaded->daemon.http);
    ReloadOutcome outcome{{}, agent_->describe_reload(*loaded), {}};
    if (!problem.empty()) {
        log_.error(problem);
        outcome.exception = "the new configuration is in force, except for " + problem;
    }
    options_.config_text = *std::move(text);
    agent_->reload(*std::move(loaded), read_clocks(), problem);
    config_ = agent_->config(); // what needs a restart is still as it was
    configure_log();
    log_changes(outcome.changes);
    warn_of_exposure();
    peers_->reconfigure();
    apply_to_watchers();
    tell_drain_file();
    metrics_.observe_reload(problem.empty());
    turn();
    metrics_.forget_missing(*agent_);
    control_->after_reload();
    return outcome;
}

// The old one stays open until the new one is, unless it is in its way, as 127.0.0.1:9179 is in
// that of 0.0.0.0:9179. Returns what went wrong; `endpoint` is then what is open.
std::string Runtime::move_public_listener(std::string& endpoint) {
    const std::string& before = config_.daemon.http;
    if (endpoint == before) {
        return {};
    }
    if (endpoint.empty()) {
        public_listener_.reset();
        return {};
    }
    std::error_code error;
    std::unique_ptr<HttpServer> listener = listen_publicly(endpoint, -1, error);
    if (error == std::errc::address_in_use && public_listener_) {
        public_listener_.reset();
        listener = listen_publicly(endpoint, -1, error);
        std::error_code lost;
        if (error) {
            public_listener_ = listen_publicly(before, -1, lost);
        }
    }
    if (!error) {
        public_listener_ = std::move(listener);
        return {};
    }
    std::string problem = "daemon http: cannot listen on " + endpoint + ": " + error.message();
    endpoint = public_listener_ ? before : std::string();
    return problem + (endpoint.empty() ? "; it is off" : "; it goes on at " + endpoint);
}

// Whoever reloads by a signal reads here what `anyvip reload` prints.
void Runtime::log_changes(const std::vector<std::string>& changes) {
    constexpr std::size_t most_lines = 100;
    for (std::size_t i = 0; i < std::min(changes.size(), most_lines); ++i) {
        log_.info("reload: " + changes[i]);
    }
    if (changes.size() > most_lines) {
        log_.info("reload: and " + std::to_string(changes.size() - most_lines) + " more changes");
    } else if (changes.empty()) {
        log_.info("reload: nothing changes");
    }
}

} // namespace anyvip::cmd
