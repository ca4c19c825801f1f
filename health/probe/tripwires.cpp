// SPDX-License-Identifier: Apache-2.0
#include "health/probe/tripwires.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <set>
#include <utility>

#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include "health/probe/connect.hpp"
#include "health/probe/listener_watch.hpp"
#include "health/probe/path_watch.hpp"
#include "health/probe/pidfile.hpp"
#include "health/probe/unit_group.hpp"
#include "health/tripwire.hpp"

namespace anyvip::health {

namespace {

using Descriptor = boost::asio::posix::stream_descriptor;

/// The kernel's choice of a source towards an own address is that address. No packet is sent.
bool is_own(const boost::asio::ip::address& address) {
    const boost::asio::ip::udp::endpoint towards(address, 9); // any port
    const int descriptor = ::socket(towards.protocol().family(), SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) {
        return false;
    }
    boost::asio::ip::udp::endpoint from;
    auto length = static_cast<socklen_t>(from.capacity());
    const bool is_known =
        ::connect(descriptor, towards.data(), static_cast<socklen_t>(towards.size())) == 0 &&
        ::getsockname(descriptor, from.data(), &length) == 0;
    ::close(descriptor);
    return is_known && from.address() == address;
}

/// Only this host's sockets are seen from here.
bool is_this_host(const std::string& host) {
    boost::system::error_code error;
    const auto address = boost::asio::ip::make_address(host, error);
    return error ? host == "localhost" : address.is_loopback() || is_own(address);
}

/// One idle connection, or the first moment of one.
struct Idle {
    explicit Idle(boost::asio::io_context& io) : socket(io) {}

    StreamSocket socket;
    std::array<char, 64> chunk{};
    bool is_given_up = false;
};

struct Wires {
    TripwirePlan plan;
    std::optional<std::uint16_t> port{};
    ConnectionBackOff port_back_off{}; // its address may come to be ours: a VIP
    std::shared_ptr<Descriptor> process{};
    pid_t pid = 0;
    std::shared_ptr<Idle> connection{};
    ConnectionBackOff back_off{};
};

/// Pending waits hold their descriptors; closing them ends those.
void disarm(Wires& wires) {
    boost::system::error_code ignored;
    if (wires.process) {
        wires.process->close(ignored);
        wires.process.reset();
    }
    if (wires.connection) {
        wires.connection->is_given_up = true;
        wires.connection->socket.close(ignored);
        wires.connection.reset();
    }
}

/// The process that has called listen() on the other end.
pid_t listener_of(StreamSocket& socket) {
    ucred credentials{};
    socklen_t length = sizeof credentials;
    const bool is_known =
        ::getsockopt(socket.native_handle(), SOL_SOCKET, SO_PEERCRED, &credentials, &length) == 0;
    return is_known ? credentials.pid : 0;
}

} // namespace

struct Tripwires::Impl : std::enable_shared_from_this<Impl> {
    Impl(boost::asio::io_context& context, Trigger on_trigger)
        : io(context), trigger(std::move(on_trigger)),
          listeners(context,
                    [this](std::uint16_t port) {
                        sprung([&](const Wires& wires) { return wires.port == port; });
                    }),
          paths(context, [this](const std::string& path) {
              follow_pidfile(path);
              sprung([&](const Wires& wires) {
                  return std::ranges::find(wires.plan.paths, path) != wires.plan.paths.end();
              });
          }) {}

    template <typename Match> void sprung(Match match) {
        std::vector<std::uint64_t> ids; // a trigger may change the set
        for (const auto& [id, entry] : checks) {
            if (match(entry.wires)) {
                ids.push_back(id);
            }
        }
        for (const std::uint64_t id : ids) {
            trigger(id);
        }
    }

    struct Entry {
        CheckConfig config;
        Wires wires;
    };

    void watch(std::span<const Watched> wanted);
    void watch_shared();
    void follow_pidfile(const std::string& path);
    void find_group(Wires& wires);
    void arm_port(Wires& wires);
    void arm_pidfile(std::uint64_t id, Wires& wires);
    void arm(std::uint64_t id);
    void arm_process(std::uint64_t id, Wires& wires, pid_t pid);
    void arm_connection(std::uint64_t id, Wires& wires);
    void look_up_listener(std::uint64_t id, Wires& wires);
    void close();

    boost::asio::io_context& io;
    Trigger trigger;
    ListenerWatch listeners;
    PathWatch paths;
    std::set<std::uint16_t> ports;
    std::map<std::uint64_t, Entry> checks;
};

Tripwires::Tripwires(boost::asio::io_context& io, Trigger trigger)
    : impl_(std::make_shared<Impl>(io, std::move(trigger))) {}

Tripwires::~Tripwires() {
    impl_->close();
}

void Tripwires::watch(std::span<const Watched> checks) {
    impl_->watch(checks);
}

void Tripwires::passed(std::uint64_t check_id) {
    impl_->arm(check_id);
}

std::vector<std::string> Tripwires::armed(std::uint64_t check_id) const {
    std::vector<std::string> phrases;
    const auto found = impl_->checks.find(check_id);
    if (found == impl_->checks.end()) {
        return phrases;
    }
    const Wires& wires = found->second.wires;
    if (wires.port) {
        phrases.push_back(impl_->listeners.is_armed()
                              ? "socket events, port " + std::to_string(*wires.port)
                              : impl_->listeners.problem());
    }
    for (const std::string& path : wires.plan.paths) {
        if (impl_->paths.is_armed(path)) {
            phrases.push_back("inotify " + path);
        }
    }
    if (wires.process) {
        phrases.push_back("process " + std::to_string(wires.pid));
    }
    if (wires.connection) {
        phrases.emplace_back("idle connection");
    }
    return phrases;
}

void Tripwires::Impl::watch(std::span<const Watched> wanted) {
    std::map<std::uint64_t, Entry> next;
    for (const auto& [id, config] : wanted) {
        const auto present = checks.find(id);
        if (present != checks.end() && present->second.config == *config) {
            next.insert(checks.extract(present));
            continue;
        }
        Entry entry{.config = *config, .wires = {.plan = plan_tripwires(*config)}};
        if (const auto& listener = entry.wires.plan.listener;
            listener && is_this_host(listener->host)) {
            entry.wires.port = listener->port;
        }
        next.emplace(id, std::move(entry));
    }
    for (auto& [id, gone] : checks) {
        disarm(gone.wires);
    }
    checks = std::move(next);
    watch_shared();
    for (const auto& [id, config] : wanted) {
        // Costs nothing and waits for nobody; the others follow their first pass.
        arm_pidfile(id, checks.at(id).wires);
    }
}

/// The listening ports and the paths of all checks each have one descriptor.
void Tripwires::Impl::watch_shared() {
    std::set<std::string> wanted;
    ports.clear();
    for (const auto& [id, entry] : checks) {
        if (entry.wires.port) {
            ports.insert(*entry.wires.port);
        }
        wanted.insert(entry.wires.plan.paths.begin(), entry.wires.plan.paths.end());
    }
    listeners.watch(ports);
    paths.watch(std::move(wanted));
}

void Tripwires::Impl::arm(std::uint64_t id) {
    const auto found = checks.find(id);
    if (found == checks.end()) {
        return;
    }
    Wires& wires = found->second.wires;
    find_group(wires);
    for (const std::string& path : wires.plan.paths) {
        if (!paths.is_armed(path)) {
            paths.add(path);
        }
    }
    arm_port(wires);
    arm_pidfile(id, wires);
    if (!wires.plan.unix_socket.empty() && !wires.process) {
        look_up_listener(id, wires);
    }
    if (wires.plan.connection && !wires.connection) {
        arm_connection(id, wires);
    }
}

/// Only a directory that is there: its end is what is waited for.
void Tripwires::Impl::find_group(Wires& wires) {
    if (wires.plan.unit.empty()) {
        return;
    }
    const std::string group = unit_group(wires.plan.unit);
    const bool is_known = wires.plan.paths.size() == 1 && wires.plan.paths.front() == group;
    std::error_code ignored;
    if (!is_known && std::filesystem::is_directory(group, ignored)) {
        wires.plan.paths = {group};
    }
}

/// The address of a {vip} is not there yet when its check is made; another's may come later.
void Tripwires::Impl::arm_port(Wires& wires) {
    if (wires.port) {
        listeners.try_again();
    }
    if (!wires.plan.listener || wires.port) {
        return;
    }
    const Instant now = std::chrono::steady_clock::now();
    if (!wires.port_back_off.may_open(now)) {
        return;
    }
    wires.port_back_off.closed(now);
    wires.port_back_off.opened(now);
    if (!is_this_host(wires.plan.listener->host)) {
        return;
    }
    wires.port = wires.plan.listener->port;
    if (ports.insert(*wires.port).second) {
        listeners.watch(ports);
    }
}

void Tripwires::Impl::arm_pidfile(std::uint64_t id, Wires& wires) {
    if (wires.plan.pidfile.empty() || wires.process) {
        return;
    }
    if (const auto pid = read_pidfile(wires.plan.pidfile)) {
        arm_process(id, wires, *pid);
    }
}

/// It may name another process now, while the old one still lives.
void Tripwires::Impl::follow_pidfile(const std::string& path) {
    for (auto& [id, entry] : checks) {
        if (entry.wires.plan.pidfile == path) {
            disarm(entry.wires);
            arm_pidfile(id, entry.wires);
        }
    }
}

void Tripwires::Impl::arm_process(std::uint64_t id, Wires& wires, pid_t pid) {
    const auto pidfd = open_pidfd(pid);
    if (!pidfd) {
        return;
    }
    const auto process = std::make_shared<Descriptor>(io);
    boost::system::error_code error;
    process->assign(*pidfd, error);
    if (error) {
        ::close(*pidfd);
        return;
    }
    wires.process = process;
    wires.pid = pid;
    process->async_wait(Descriptor::wait_read,
                        [self = shared_from_this(), id, process](const auto& waited) {
                            const auto entry = self->checks.find(id);
                            const bool is_ours = entry != self->checks.end() &&
                                                 entry->second.wires.process == process;
                            if (!waited && is_ours) {
                                entry->second.wires.process.reset();
                                self->trigger(id);
                            }
                        });
}

/// The connection that asks the kernel for the listener's process lives for that question only.
void Tripwires::Impl::look_up_listener(std::uint64_t id, Wires& wires) {
    const Instant now = std::chrono::steady_clock::now();
    if (!wires.back_off.may_open(now)) {
        return;
    }
    wires.back_off.closed(now); // some listeners cannot be known: do not ask after every run
    wires.back_off.opened(now);
    const auto idle = std::make_shared<Idle>(io);
    async_connect(idle->socket,
                  {.host = {}, .unix_path = wires.plan.unix_socket},
                  {.is_wanted = [] { return true; }, .begins = [] {}},
                  [self = shared_from_this(), id, idle](const Failure& failure) {
                      const auto entry = self->checks.find(id);
                      if (!failure && entry != self->checks.end() && !entry->second.wires.process) {
                          const pid_t pid = listener_of(idle->socket);
                          if (pid > 1) { // 1: socket activation; it does not end
                              self->arm_process(id, entry->second.wires, pid);
                          }
                      }
                      boost::system::error_code ignored;
                      idle->socket.close(ignored);
                  });
}

void Tripwires::Impl::arm_connection(std::uint64_t id, Wires& wires) {
    const Instant now = std::chrono::steady_clock::now();
    if (!wires.back_off.may_open(now)) {
        return;
    }
    wires.back_off.opened(now);
    const auto idle = std::make_shared<Idle>(io);
    wires.connection = idle;
    const auto ended = [self = shared_from_this(), id, idle] {
        boost::system::error_code ignored;
        idle->socket.close(ignored);
        const auto entry = self->checks.find(id);
        if (entry != self->checks.end() && entry->second.wires.connection == idle) {
            entry->second.wires.connection.reset();
            entry->second.wires.back_off.closed(std::chrono::steady_clock::now());
            self->trigger(id);
        }
    };
    async_connect(
        idle->socket,
        *wires.plan.connection,
        {.is_wanted = [idle] { return !idle->is_given_up; }, .begins = [] {}},
        [idle, ended](const Failure& failure) {
            if (failure) {
                ended();
                return;
            }
            // A greeting is no end, but whoever talks on is no idle connection: once is enough.
            idle->socket.async_read_some(
                boost::asio::buffer(idle->chunk), [idle, ended](const auto& error, std::size_t) {
                    if (error) {
                        ended();
                        return;
                    }
                    idle->socket.async_read_some(boost::asio::buffer(idle->chunk),
                                                 [ended](const auto&, std::size_t) { ended(); });
                });
        });
}

void Tripwires::Impl::close() {
    for (auto& [id, entry] : checks) {
        disarm(entry.wires);
    }
    checks.clear();
    listeners.watch({});
    paths.watch({});
}

} // namespace anyvip::health
