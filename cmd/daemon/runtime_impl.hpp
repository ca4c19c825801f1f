// SPDX-License-Identifier: Apache-2.0
// The parts of the running program and what binds them: runtime.cpp starts and ends them,
// runtime_turn.cpp is a turn of the loop, runtime_reload.cpp a new configuration,
// runtime_upgrade.cpp a new program.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include "cmd/agent/agent.hpp"
#include "cmd/daemon/bfd_sessions.hpp"
#include "cmd/daemon/control.hpp"
#include "cmd/daemon/drain_file.hpp"
#include "cmd/daemon/drain_writer.hpp"
#include "cmd/daemon/event_log.hpp"
#include "cmd/daemon/hooks.hpp"
#include "cmd/daemon/http_server.hpp"
#include "cmd/daemon/log.hpp"
#include "cmd/daemon/measurement.hpp"
#include "cmd/daemon/metrics.hpp"
#include "cmd/daemon/orphans.hpp"
#include "cmd/daemon/pause_watch.hpp"
#include "cmd/daemon/peers.hpp"
#include "cmd/daemon/probe_runner.hpp"
#include "cmd/daemon/runtime.hpp"
#include "cmd/daemon/systemd.hpp"
#include "cmd/daemon/takeover.hpp"
#include "cmd/daemon/upgrade.hpp"
#include "cmd/daemon/wall_time.hpp"
#include "health/probe/strays.hpp"
#include "health/probe/tripwires.hpp"
#include "vip/kernel/address_kernel.hpp"
#include "vip/kernel/route_kernel.hpp"

namespace anyvip::cmd {

class Runtime {
  public:
    Runtime(Config config, RunOptions options)
        : options_(std::move(options)), config_(std::move(config)) {}

    std::string run();
    /// The same for a program that takes over.
    std::string run(Takeover takeover);

  private:
    std::string go_on(Takeover takeover);
    std::string start(Takeover* takeover);
    HandedOver hand_over(Instant began);
    void notice_missing_addresses();
    void upgraded(const HandedOver& inherited);
    void upgrade_failed(const std::string& problem);
    UpgradeHost upgrade_host();
    void make_state_directory();
    std::string open_api(const ApiHandedOver& inherited);
    std::unique_ptr<HttpServer>
    listen_publicly(const std::string& endpoint, int inherited, std::error_code& error);
    std::string move_public_listener(std::string& endpoint);
    void apply_to_watchers();
    void tell_drain_file();
    void watch_signals();
    void on_signal(int signal);
    void turn();
    void turn(Instant cause);
    bool settle_once();
    void execute(const std::vector<Output>& outputs);
    void add_address(const AddAddress& add);
    void remove_address(const RemoveAddress& remove);
    void set_default_route(const SetDefaultRoute& wanted);
    void persisted(const std::string& problem);
    void notice_pause();
    void publish();
    void record(const Event& event);
    void arm_timer();
    void arm_watchdog();
    void update_service_status();
    ReloadOutcome reload(bool is_dry_run);
    ReloadOutcome load_and_apply(bool is_dry_run);
    void log_changes(const std::vector<std::string>& changes);
    void configure_log();
    void warn_of_exposure();
    void finish();
    void wind_down();

    RunOptions options_;
    Config config_;
    boost::asio::io_context io_{1};
    Log log_{STDERR_FILENO};
    ServiceManager service_manager_;
    EventLog events_;
    Metrics metrics_;
    Hooks hooks_{io_, log_};
    Orphans orphans_{io_, [this](std::size_t hooks) { hooks_.predecessors(hooks); }};
    health::Strays strays_{io_,
                           {[this](int pid) { return orphans_.has(pid); },
                            [this](const std::string& text) { log_.warning(text); }}};
    DrainFile drain_file_{io_, [this] {
                              tell_drain_file();
                              turn();
                          }};
    std::unique_ptr<Agent> agent_;
    std::optional<vip::kernel::AddressKernel> addresses_;
    std::optional<vip::kernel::RouteKernel> routes_;
    std::optional<Peers> peers_;
    std::optional<BfdSessions> bfd_;
    std::optional<ProbeRunner> probes_;
    std::optional<health::Tripwires> tripwires_;
    std::optional<Measurement> measurement_;
    std::optional<DrainWriter> drain_writer_;
    std::optional<Control> control_;
    std::optional<Upgrade> upgrade_;
    std::unique_ptr<HttpServer> control_socket_;
    std::unique_ptr<HttpServer> public_listener_;
    boost::asio::signal_set signals_{io_};
    boost::asio::steady_timer timer_{io_};
    boost::asio::steady_timer watchdog_{io_};
    std::optional<Instant> armed_;                 ///< the agent's next deadline
    std::optional<Instant> timer_due_;             ///< when the timer fires for it
    std::set<vip::DefaultRouteKey> unseen_routes_; ///< of a predecessor, not found yet
    Instant started_ = read_clocks().monotonic;
    PauseWatch pause_watch_{time_suspended()};
    std::uint64_t upgrades_ = 0;
    std::optional<Instant> cause_; ///< of the turns of this input, if it is older than they are
    Instant turn_cause_;           ///< of the turn under way
    /// The earliest cause of the withdraws of this turn, and when the kernel had the last of them.
    std::optional<std::pair<Instant, Instant>> withdrawn_;
    std::deque<Instant> saves_; ///< causes of the drains that wait for the disk
    std::string persist_error_;
    std::string service_status_;
    bool is_status_stale_ = true;
    bool is_in_turn_ = false;
    bool is_finished_ = false;
    Instant bfd_ends_by_{}; ///< once finished
};

} // namespace anyvip::cmd
