// SPDX-License-Identifier: Apache-2.0
#include "cmd/daemon/runtime_impl.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <iterator>
#include <random>

#include <boost/asio/post.hpp>

#include "cmd/config/config.hpp"
#include "cmd/daemon/drain_store.hpp"
#include "cmd/daemon/identity.hpp"
#include "health/probe/resolver.hpp"
#include "vip/kernel/local.hpp"

namespace anyvip::cmd {
namespace {

using ErrorCode = boost::system::error_code;

std::uint64_t random_seed() {
    std::random_device device;
    return (std::uint64_t{device()} << 32U) | device();
}

} // namespace

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
    if (std::string problem = go_on(std::move(takeover)); !problem.empty()) {
        return "after the upgrade: " + problem;
    }
    io_.run();
    return {};
}

// What was taken over ends here: events and configuration are not kept twice for life.
std::string Runtime::go_on(Takeover takeover) {
    agent_ = std::move(takeover.agent);
    if (std::string problem = start(&takeover); !problem.empty()) {
        return problem;
    }
    upgraded(takeover.shell);
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
        health::Resolver::of(io_).take_over(inherited->names);
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
    tell_drain_file();
    upgrade_.emplace(upgrade_host());
    if (!persist_error_.empty()) { // the predecessor's disk did not answer: once more
        saves_.push_back(read_clocks().monotonic);
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
            cause_ = read_clocks().monotonic;
            control_->handle(request, std::move(responder));
            cause_.reset();
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
    public_listener_ = listen_publicly(config_.daemon.http, inherited.http, error);
    if (error) {
        return "cannot listen on daemon.http " + config_.daemon.http + ": " + error.message();
    }
    return {};
}

std::unique_ptr<HttpServer>
Runtime::listen_publicly(const std::string& endpoint, int inherited, std::error_code& error) {
    return serve_tcp(
        io_,
        endpoint,
        [this](const HttpRequest& request, std::shared_ptr<HttpResponder> responder) {
            control_->handle_public(request, std::move(responder));
        },
        inherited,
        error);
}

// What follows the configuration beside the agent: at the start and after a reload.
void Runtime::apply_to_watchers() {
    measurement_->watch_flows();
    hooks_.configure(config_.hooks);
    drain_file_.watch(config_.daemon.drain_file, agent_->drain_file_exists());
    std::vector<health::Tripwires::Watched> watched;
    for (const CheckView& view : agent_->checks()) {
        watched.push_back({view.id, &view.check->config()});
    }
    tripwires_->watch(watched);
}

void Runtime::tell_drain_file() {
    agent_->drain_file(drain_file_.exists(), read_clocks());
    agent_->drain_file_problem(drain_file_.problem(), read_clocks());
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

// The command line outlives reloads.
void Runtime::configure_log() {
    log_.configure(options_.log_level.value_or(config_.daemon.log_level),
                   config_.daemon.log_format);
}

void Runtime::warn_of_exposure() {
    for (const SecretFile& file : exposed_secret_files(config_, options_.config_file)) {
        log_.warning(exposure_of(file));
    }
}

// The graceful stop has ended; connections that still say goodbye get their time.
void Runtime::finish() {
    is_finished_ = true;
    // One of their requests may be what has led here.
    boost::asio::post(io_, [this] {
        control_socket_.reset();
        public_listener_.reset();
    });
    watchdog_.cancel();
    bfd_ends_by_ = read_clocks().monotonic + std::chrono::seconds(1);
    wind_down();
}

// Who hears AdminDown before the Cease takes it for a failure: an older FRR resets BGP, BIRD
// refuses connections for a minute. So BFD goes on until the connections have ended.
void Runtime::wind_down() {
    if (peers_->is_quiet() || read_clocks().monotonic >= bfd_ends_by_) {
        bfd_->stop();
    }
    timer_.expires_after(std::chrono::milliseconds(10));
    timer_.async_wait([this](ErrorCode error) {
        if (error) {
            return;
        }
        if (peers_->is_quiet() && bfd_->is_quiet()) {
            log_.info("stopped");
            io_.stop();
        } else {
            wind_down();
        }
    });
}

std::string run_taken_over(int state_descriptor, const RunOptions& options) {
    auto takeover = take_over(bgp::net::FileDescriptor(state_descriptor));
    if (!takeover) {
        return "after the upgrade: " + takeover.error();
    }
    return Runtime(std::move(takeover->config), options).run(*std::move(takeover));
}

std::string run_daemon(Config config, const RunOptions& options) {
    return Runtime(std::move(config), options).run();
}

} // namespace anyvip::cmd
