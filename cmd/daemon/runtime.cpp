// SPDX-License-Identifier: Apache-2.0
#include "cmd/daemon/runtime.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <iterator>
#include <optional>
#include <random>
#include <set>
#include <string_view>
#include <utility>
#include <variant>

#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "cmd/config/config.hpp"
#include "cmd/daemon/bfd_sessions.hpp"
#include "cmd/daemon/control.hpp"
#include "cmd/daemon/drain_file.hpp"
#include "cmd/daemon/drain_store.hpp"
#include "cmd/daemon/drain_writer.hpp"
#include "cmd/daemon/event_log.hpp"
#include "cmd/daemon/hooks.hpp"
#include "cmd/daemon/http_server.hpp"
#include "cmd/daemon/identity.hpp"
#include "cmd/daemon/log.hpp"
#include "cmd/daemon/measurement.hpp"
#include "cmd/daemon/metrics.hpp"
#include "cmd/daemon/orphans.hpp"
#include "cmd/daemon/peers.hpp"
#include "cmd/daemon/probe_runner.hpp"
#include "cmd/daemon/systemd.hpp"
#include "cmd/daemon/takeover.hpp"
#include "cmd/daemon/upgrade.hpp"
#include "cmd/daemon/wall_time.hpp"
#include "health/probe/tripwires.hpp"
#include "vip/kernel/address_kernel.hpp"
#include "vip/kernel/local.hpp"
#include "vip/kernel/route_kernel.hpp"

namespace anyvip::cmd {
namespace {

namespace asio = boost::asio;
using ErrorCode = boost::system::error_code;

template <class... Functions> struct Overload : Functions... {
    using Functions::operator()...;
};

LogLevel level_of(const Event& event) {
    static const std::set<std::string_view> warnings{"vip.withdrawn",
                                                     "vip.backup",
                                                     "check.down",
                                                     "peer.down",
                                                     "bfd.down",
                                                     "address.removed",
                                                     "default_route.removed",
                                                     "default_route.problem",
                                                     "drain.refused"};
    const auto level =
        std::ranges::find(event.details, "level", &std::pair<std::string, std::string>::first);
    if (event.event == "config.rejected" ||
        (level != event.details.end() && level->second == "error")) {
        return LogLevel::Error;
    }
    const bool is_warning = warnings.contains(event.event) ||
                            (level != event.details.end() && level->second == "warning");
    return is_warning ? LogLevel::Warning : LogLevel::Info;
}

std::uint64_t random_seed() {
    std::random_device device;
    return (std::uint64_t{device()} << 32U) | device();
}

class Runtime {
  public:
    Runtime(Config config, RunOptions options)
        : options_(std::move(options)), config_(std::move(config)) {}

    std::string run();
    /// The same for a program that takes over.
    std::string run(Takeover takeover);

  private:
    std::string start(Takeover* takeover);
    HandedOver hand_over(Instant began);
    void notice_missing_addresses();
    void upgraded(const HandedOver& inherited);
    void upgrade_failed(const std::string& problem);
    UpgradeHost upgrade_host();
    void make_state_directory();
    std::string open_api(const ApiHandedOver& inherited);
    void apply_to_watchers();
    void watch_signals();
    void on_signal(int signal);
    void turn();
    bool settle_once();
    void execute(const std::vector<Output>& outputs);
    void add_address(const AddAddress& add);
    void remove_address(const RemoveAddress& remove);
    void set_default_route(const SetDefaultRoute& wanted);
    void persisted(const std::string& problem);
    bool publish();
    void record(const Event& event);
    void log_event(const Event& event);
    void arm_timer();
    void arm_watchdog();
    void update_service_status();
    ReloadOutcome reload(bool is_dry_run);
    ReloadOutcome load_and_apply(bool is_dry_run);
    void configure_log();
    void warn_of_exposure();
    void finish();

    RunOptions options_;
    Config config_;
    asio::io_context io_{1};
    Log log_{STDERR_FILENO};
    ServiceManager service_manager_;
    EventLog events_;
    Metrics metrics_;
    Hooks hooks_{io_, log_};
    Orphans orphans_{io_};
    DrainFile drain_file_{io_, [this] {
                              agent_->drain_file(drain_file_.exists(), read_clocks());
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
    asio::signal_set signals_{io_};
    asio::steady_timer timer_{io_};
    asio::steady_timer watchdog_{io_};
    std::optional<Instant> armed_;
    std::set<vip::DefaultRouteKey> unseen_routes_; ///< of a predecessor, not found yet
    Instant started_ = read_clocks().monotonic;
    std::uint64_t upgrades_ = 0;
    std::string persist_error_;
    std::string service_status_;
    bool is_status_stale_ = true;
    bool is_in_turn_ = false;
    bool is_finished_ = false;
};

std::string Runtime::run() {
    configure_log();
    warn_of_exposure();
    if (std::string problem = complete_identity(config_); !problem.empty()) {
        return problem;
    }
    make_state_directory();
    LoadedDrains drains = load_drains(config_.daemon.state_dir);
    for (const std::string& warning : drains.warnings) {
        log_.warning(warning);
    }
    agent_ =
        std::make_unique<Agent>(config_, std::move(drains.state), random_seed(), read_clocks());
    if (std::string problem = start(nullptr); !problem.empty()) {
        return problem;
    }
    io_.run();
    return {};
}

std::string Runtime::run(Takeover takeover) {
    configure_log();
    agent_ = std::move(takeover.agent);
    if (std::string problem = start(&takeover); !problem.empty()) {
        return "after the upgrade: " + problem;
    }
    upgraded(takeover.shell);
    io_.run();
    return {};
}

// Everything around the agent. What a predecessor has left is used instead of made.
std::string Runtime::start(Takeover* takeover) {
    std::signal(SIGPIPE, SIG_IGN);
    std::signal(SIGCHLD, SIG_DFL); // ignored, as it may be inherited, it loses exit statuses
    const HandedOver* inherited = takeover != nullptr ? &takeover->shell : nullptr;
    if (inherited != nullptr) {
        started_ = inherited->started;
        upgrades_ = inherited->upgrades + 1;
        persist_error_ = inherited->persist_error;
        options_.config_text = inherited->config_text;
        orphans_.adopt(inherited->orphans);
        hooks_.take_over(inherited->hooks);
        events_.take_over(inherited->events);
        metrics_.take_over(inherited->metrics);
    }
    drain_writer_.emplace(
        io_,
        [directory = config_.daemon.state_dir](const vip::DrainState& state) {
            return save_drains(directory, state);
        },
        [this](const std::string& problem) { persisted(problem); });
    if (std::string problem = open_api(inherited ? inherited->api : ApiHandedOver{});
        !problem.empty()) {
        return problem;
    }
    peers_.emplace(io_, *agent_, log_, [this] { turn(); });
    if (std::string problem = peers_->start(inherited ? inherited->peers : PeersHandedOver{});
        !problem.empty()) {
        return problem;
    }
    bfd_.emplace(io_, *agent_, *peers_, log_, [this] { turn(); });
    if (takeover != nullptr && takeover->bfd) {
        bfd_->take_over(std::move(takeover->bfd), inherited->bfd);
    }
    probes_.emplace(
        io_,
        [](const IpAddress& address) { return vip::kernel::is_local_address(address); },
        [this](const ProbeRunner::Finished& finished) {
            metrics_.observe_check(finished.label, finished.result);
            agent_->probe_finished(finished.check_id, finished.result, read_clocks());
            turn();
            if (finished.result.outcome == health::Outcome::Pass) {
                tripwires_->passed(finished.check_id);
            }
            control_->check_finished(finished.label);
        });
    measurement_.emplace(io_, *agent_, log_, [this] { turn(); });
    addresses_.emplace(
        io_,
        vip::kernel::AddressCallbacks{[this](const vip::kernel::Observation& seen) {
                                          agent_->address_observed(seen.prefix,
                                                                   seen.interface,
                                                                   seen.state.is_present,
                                                                   seen.state.is_owned,
                                                                   read_clocks());
                                      },
                                      [this] { turn(); },
                                      [this](const std::string& text) { log_.info(text); }},
        vip::kernel::AddressOptions{config_.daemon.state_dir, true});
    if (const std::error_code error = addresses_->start()) {
        return "cannot watch addresses through netlink: " + error.message();
    }
    notice_missing_addresses();
    std::ranges::copy(agent_->default_routes_present(),
                      std::inserter(unseen_routes_, unseen_routes_.end()));
    routes_.emplace(io_,
                    vip::kernel::RouteCallbacks{
                        [this](const vip::kernel::RouteObservation& seen) {
                            unseen_routes_.erase(seen.key);
                            agent_->default_route_observed(
                                seen.key, seen.next_hops, seen.hidden_by, read_clocks());
                        },
                        [this] { turn(); },
                        [this](const std::string& text) { log_.warning(text); }});
    if (const std::error_code error = routes_->start()) {
        log_.warning("cannot look for default routes of a run before: " + error.message());
    }
    for (const vip::DefaultRouteKey& key : std::exchange(unseen_routes_, {})) {
        agent_->default_route_observed(key, {}, "", read_clocks());
    }
    tripwires_.emplace(io_, [this](std::uint64_t check_id) {
        agent_->trigger_check(check_id, read_clocks());
        turn();
    });
    apply_to_watchers();
    agent_->drain_file(drain_file_.exists(), read_clocks());
    upgrade_.emplace(upgrade_host());
    if (!persist_error_.empty()) { // the predecessor's disk did not answer: once more
        drain_writer_->save(agent_->drains());
    }
    watch_signals();
    log_.info("anyvipd " ANYVIP_VERSION ": " + config_.node.name + ", AS " +
              bgp::to_string(config_.node.asn) + ", router ID " +
              bgp::to_string(*config_.node.router_id));
    if (inherited != nullptr) {
        block_signals(false);
    }
    turn();
    service_manager_.notify("READY=1");
    arm_watchdog();
    return {};
}

// Without it the daemon works, but drains do not outlive it: said now, not when the first drain
// fails.
void Runtime::make_state_directory() {
    std::error_code error;
    std::filesystem::create_directories(config_.daemon.state_dir, error);
    if (error) {
        log_.warning("cannot make " + config_.daemon.state_dir + ": " + error.message() +
                     "; drains will not survive a restart");
    }
}

// The dump tells what is there, and not what has gone since the predecessor looked.
void Runtime::notice_missing_addresses() {
    for (const auto& [prefix, interface] : agent_->addresses_present()) {
        if (!addresses_->table().state_of(prefix, interface).is_present) {
            agent_->address_observed(prefix, interface, false, false, read_clocks());
        }
    }
}

std::string Runtime::open_api(const ApiHandedOver& inherited) {
    control_.emplace(
        ControlHost{*agent_,
                    events_,
                    log_,
                    {started_, ::getpid()},
                    [this] { turn(); },
                    [this](bool is_dry_run) { return reload(is_dry_run); },
                    [this] { return drain_writer_->is_idle(); },
                    [this](const std::string& author) { upgrade_->begin(author); },
                    [this] { return persist_error_; },
                    [this] { return metrics_.page(*agent_, log_.dropped()); },
                    [this](std::function<void()> work) { boost::asio::post(io_, std::move(work)); },
                    [this](std::uint64_t check_id) { return tripwires_->armed(check_id); },
                    [this](const std::string& peer) { return bfd_->details(peer); }});
    std::error_code error;
    const std::string& path = config_.daemon.control;
    control_socket_ = serve_unix(
        io_,
        path,
        [this](const HttpRequest& request, std::shared_ptr<HttpResponder> responder) {
            control_->handle(request, std::move(responder));
        },
        inherited.control,
        error);
    if (error == std::errc::address_in_use) {
        return "another anyvipd is running: it answers on " + path;
    }
    if (error) {
        return "cannot open the control socket " + path + ": " + error.message();
    }
    control_->take_over(inherited, *control_socket_);
    if (config_.daemon.http.empty()) {
        return {};
    }
    public_listener_ = serve_tcp(
        io_,
        config_.daemon.http,
        [this](const HttpRequest& request, std::shared_ptr<HttpResponder> responder) {
            control_->handle_public(request, std::move(responder));
        },
        inherited.http,
        error);
    if (error) {
        return "cannot listen on daemon.http " + config_.daemon.http + ": " + error.message();
    }
    return {};
}

// What follows the configuration beside the agent: at the start and after a reload.
void Runtime::apply_to_watchers() {
    measurement_->watch_flows();
    hooks_.configure(config_.hooks);
    drain_file_.watch(config_.daemon.drain_file);
    std::vector<health::Tripwires::Watched> watched;
    for (const CheckView& view : agent_->checks()) {
        watched.push_back({view.id, &view.check->config()});
    }
    tripwires_->watch(watched);
}

void Runtime::watch_signals() {
    for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR2}) {
        signals_.add(signal);
    }
    signals_.async_wait([this](ErrorCode error, int signal) {
        if (!error) {
            watch_signals();
            on_signal(signal);
        }
    });
}

void Runtime::on_signal(int signal) {
    if (signal == SIGUSR2) {
        upgrade_->begin("SIGUSR2");
        return;
    }
    if (is_finished_) {
        io_.stop();
        return;
    }
    if (signal == SIGHUP) {
        static_cast<void>(reload(false));
        return;
    }
    log_.info(signal == SIGTERM ? "SIGTERM: stopping" : "SIGINT: stopping");
    service_manager_.notify("STOPPING=1");
    agent_->stop(read_clocks());
    turn();
}

// One turn of the loop: decide, do, write, until nothing new comes of it. Every input ends here, so
// that the withdraw's octets leave in the same turn as their cause.
void Runtime::turn() {
    if (is_in_turn_ || is_finished_) {
        return; // an answer from within: the loop below sees it
    }
    is_in_turn_ = true;
    const Instant began = read_clocks().monotonic;
    // Each round needs a new answer of the kernel to go on; the limit only guards against a mistake
    // of ours.
    constexpr int most_rounds = 64;
    int round = 0;
    while (round < most_rounds && settle_once()) {
        ++round;
    }
    const Instant written = read_clocks().monotonic;
    if (publish()) {
        metrics_.observe_withdraw(written - began);
    }
    bfd_->reconcile();
    control_->after_turn();
    if (std::exchange(is_status_stale_, false)) {
        update_service_status();
    }
    is_in_turn_ = false;
    arm_timer();
}

// Returns whether something new was learnt. The peers are told first: nothing that they say waits
// for an output (agent.hpp).
bool Runtime::settle_once() {
    agent_->settle(read_clocks());
    const bool is_told = peers_->drain();
    const std::vector<Output> outputs = agent_->take_outputs();
    execute(outputs);
    return is_told || !outputs.empty();
}

void Runtime::execute(const std::vector<Output>& outputs) {
    for (const Output& output : outputs) {
        std::visit(Overload{[this](const StartProbe& start) { probes_->start(start); },
                            [this](const CancelProbe& cancel) { probes_->cancel(cancel.check_id); },
                            [this](const AddAddress& add) { add_address(add); },
                            [this](const RemoveAddress& remove) { remove_address(remove); },
                            [this](const SetDefaultRoute& set) { set_default_route(set); },
                            [this](const Persist& persist) { drain_writer_->save(persist.state); },
                            [this](const Measure& measure) { measurement_->apply(measure); },
                            [this](const PeerAdded& added) { peers_->add(added.name); },
                            [this](const PeerRemoved& removed) { peers_->remove(removed.name); },
                            [this](const PeerRenamed& renamed) {
                                peers_->rename(renamed.from, renamed.to);
                            },
                            [this](const Stopped&) { finish(); }},
                   output);
    }
}

void Runtime::add_address(const AddAddress& add) {
    if (const std::error_code error = addresses_->add(add.prefix, add.interface)) {
        agent_->address_failed(add.prefix, add.interface, error.message(), read_clocks());
    }
}

void Runtime::remove_address(const RemoveAddress& remove) {
    if (const std::error_code error = addresses_->remove(remove.prefix, remove.interface)) {
        log_.warning("cannot remove " + to_string(remove.prefix) + " from " + remove.interface +
                     ": " + error.message());
    }
}

void Runtime::set_default_route(const SetDefaultRoute& wanted) {
    const std::string problem = routes_->set(wanted.key, wanted.next_hops);
    if (!problem.empty()) {
        agent_->default_route_failed(wanted.key, problem, read_clocks());
    }
}

void Runtime::persisted(const std::string& problem) {
    persist_error_ = problem;
    if (!problem.empty()) {
        log_.error("cannot save the drains: " + problem);
    }
    agent_->persisted(problem, read_clocks());
    turn();
    if (drain_writer_->is_idle()) {
        control_->after_save();
    }
}

// Returns whether a VIP was withdrawn.
bool Runtime::publish() {
    bool is_withdrawn = false;
    for (const Event& event : agent_->take_events()) {
        is_withdrawn =
            is_withdrawn || event.event == "vip.withdrawn" || event.event == "vip.drained";
        metrics_.observe_event(event);
        record(event);
        is_status_stale_ = true;
    }
    return is_withdrawn;
}

void Runtime::record(const Event& event) {
    events_.add(event);
    log_event(event);
    hooks_.run(events_.all().back());
}

void Runtime::log_event(const Event& event) {
    const std::size_t dot = event.event.find('.');
    const std::string kind = event.event.substr(0, dot);
    const std::string what = dot == std::string::npos ? std::string() : event.event.substr(dot + 1);
    log_.write(level_of(event),
               kind + " " + event.name + ": " + what +
                   (event.reason.empty() ? std::string() : ": " + event.reason),
               {{"event", event.event}, {"name", event.name}});
}

void Runtime::arm_timer() {
    if (is_finished_) {
        return; // the timer serves the end now
    }
    const std::optional<Instant> next = agent_->next_deadline();
    if (next == armed_) {
        return;
    }
    armed_ = next;
    timer_.cancel();
    if (!next) {
        return;
    }
    timer_.expires_at(*next);
    timer_.async_wait([this](ErrorCode error) {
        if (error) {
            return;
        }
        armed_.reset();
        peers_->look();
        agent_->tick(read_clocks());
        turn();
    });
}

void Runtime::arm_watchdog() {
    const auto interval = service_manager_.watchdog_interval();
    if (!interval) {
        return;
    }
    service_manager_.notify("WATCHDOG=1");
    watchdog_.expires_after(*interval);
    watchdog_.async_wait([this](ErrorCode error) {
        if (!error) {
            arm_watchdog();
        }
    });
}

void Runtime::update_service_status() {
    std::string status = std::string(to_string(agent_->node_state())) + ", " +
                         std::to_string(agent_->count_vips(vip::VipState::Announced)) + " of " +
                         std::to_string(agent_->config().vips.size()) + " VIPs announced";
    if (status != service_status_) {
        service_manager_.notify("STATUS=" + status);
        service_status_ = std::move(status);
    }
}

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
    agent_->drain_file(drain_file_.exists(), read_clocks());
    metrics_.observe_reload(true);
    turn();
    metrics_.forget_missing(*agent_);
    control_->after_reload();
    return outcome;
}

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
    for (const int pid : health::living_children()) {
        if (std::ranges::find(shell.orphans, pid, &OrphanHandedOver::pid) == shell.orphans.end()) {
            shell.orphans.push_back({pid, -1, false});
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
            "upgrade.done",
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
    }
    control_->upgrade_ended({}, document);
}

void Runtime::upgrade_failed(const std::string& problem) {
    record({read_clocks().monotonic,
            "upgrade.failed",
            config_.node.name,
            problem,
            {{"level", "error"}}});
    control_->upgrade_ended("upgrade: " + problem + "; anyvipd " ANYVIP_VERSION " carries on", {});
}

// The command line outlives reloads.
void Runtime::configure_log() {
    log_.configure(options_.log_level.value_or(config_.daemon.log_level),
                   config_.daemon.log_format);
}

void Runtime::warn_of_exposure() {
    if (const std::string exposure = password_exposure(config_, options_.config_file);
        !exposure.empty()) {
        log_.warning(exposure);
    }
}

// The graceful stop has ended; connections that still say goodbye get their time.
void Runtime::finish() {
    is_finished_ = true;
    // One of their requests may be what has led here.
    asio::post(io_, [this] {
        control_socket_.reset();
        public_listener_.reset();
    });
    // After the Ceases, and while their connections end: an older FRR takes AdminDown for a failure
    // and resets BGP.
    bfd_->stop();
    watchdog_.cancel();
    timer_.expires_after(std::chrono::milliseconds(10));
    timer_.async_wait([this](ErrorCode error) {
        if (error) {
            return;
        }
        if (peers_->is_quiet() && bfd_->is_quiet()) {
            log_.info("stopped");
            io_.stop();
        } else {
            finish();
        }
    });
}

} // namespace

std::string run_taken_over(int state_descriptor, const RunOptions& options) {
    const bgp::net::FileDescriptor file(state_descriptor);
    auto takeover = take_over(file.get());
    if (!takeover) {
        return "after the upgrade: " + takeover.error();
    }
    return Runtime(takeover->config, options).run(*std::move(takeover));
}

std::string run_daemon(Config config, const RunOptions& options) {
    return Runtime(std::move(config), options).run();
}

} // namespace anyvip::cmd
