// SPDX-License-Identifier: Apache-2.0
#include "cmd/daemon/runtime_impl.hpp"

#include <chrono>

#include "cmd/config/config.hpp"

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
        return {"the daemon is stopping", {}};
    }
    auto text = read_config_file(options_.config_file);
    auto loaded = text ? parse_config(*text) : std::unexpected(text.error());
    if (!loaded) {
        ReloadOutcome rejected;
        for (const Problem& problem : loaded.error()) {
            rejected.error +=
                (rejected.error.empty() ? "" : "\n") + to_string(problem, options_.config_file);
        }
        if (!is_dry_run) {
            metrics_.observe_reload(false);
            const Event event{read_clocks().monotonic,
                              "config.rejected",
                              options_.config_file,
                              rejected.error,
                              {}};
            record(event);
        }
        return rejected;
    }
    loaded->node.router_id = config_.node.router_id; // fixed while it runs
    if (loaded->node.name.empty()) {
        loaded->node.name = config_.node.name;
    }
    ReloadOutcome outcome{{}, agent_->describe_reload(*loaded)};
    if (is_dry_run) {
        return outcome;
    }
    options_.config_text = *std::move(text);
    agent_->reload(*std::move(loaded), read_clocks());
    config_ = agent_->config(); // what needs a restart is still as it was
    configure_log();
    warn_of_exposure();
    peers_->reconfigure();
    apply_to_watchers();
    tell_drain_file();
    metrics_.observe_reload(true);
    turn();
    metrics_.forget_missing(*agent_);
    control_->after_reload();
    return outcome;
}

} // namespace anyvip::cmd
