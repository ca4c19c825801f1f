// SPDX-License-Identifier: Apache-2.0
#include "health/probe/tripwires.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <utility>

#include <ifaddrs.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include "health/probe/connect.hpp"
#include "health/probe/listener_watch.hpp"
#include "health/probe/path_watch.hpp"
#include "health/probe/pidfile.hpp"
#include "health/tripwire.hpp"

namespace anyvip::health {

namespace {

using Descriptor = boost::asio::posix::stream_descriptor;

std::set<boost::asio::ip::address> own_addresses() {
    std::set<boost::asio::ip::address> result;
    ifaddrs* list = nullptr;
    if (::getifaddrs(&list) != 0) {
        return result;
    }
    for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
        if (entry->ifa_addr == nullptr) {
            continue;
        }
        if (entry->ifa_addr->sa_family == AF_INET) {
            const auto* const v4 = reinterpret_cast<const sockaddr_in*>(entry->ifa_addr);
            result.insert(boost::asio::ip::address_v4(ntohl(v4->sin_addr.s_addr)));
        } else if (entry->ifa_addr->sa_family == AF_INET6) {
            const auto* const v6 = reinterpret_cast<const sockaddr_in6*>(entry->ifa_addr);
            boost::asio::ip::address_v6::bytes_type octets{};
            std::ranges::copy(v6->sin6_addr.s6_addr, octets.begin());
            result.insert(boost::asio::ip::address_v6(octets));
        }
    }
    ::freeifaddrs(list);
    return result;
}

/// Only this host's sockets are seen from here.
bool is_this_host(const std::string& host, const std::set<boost::asio::ip::address>& own) {
    boost::system::error_code error;
    const auto address = boost::asio::ip::make_address(host.substr(0, host.find('%')), error);
    return error ? host == "localhost" : address.is_loopback() || own.contains(address);
}

/// One idle connection, or the first moment of one.
struct Idle {
    explicit Idle(boost::asio::io_context& io) : socket(io) {}

    StreamSocket socket;
    std::array<char, 64> chunk{};
};

struct Wires {
    TripwirePlan plan;
    std::optional<std::uint16_t> port{};
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
    void arm(std::uint64_t id);
    void arm_process(std::uint64_t id, Wires& wires, pid_t pid);
    void arm_connection(std::uint64_t id, Wires& wires);
    void look_up_listener(std::uint64_t id, Wires& wires);
    void close();

    boost::asio::io_context& io;
    Trigger trigger;
    ListenerWatch listeners;
    PathWatch paths;
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
    std::optional<std::set<boost::asio::ip::address>> own; // asked for once, if at all
    for (const auto& [id, config] : wanted) {
        const auto present = checks.find(id);
        if (present != checks.end() && present->second.config == *config) {
            next.insert(checks.extract(present));
            continue;
        }
        Entry entry{.config = *config, .wires = {.plan = plan_tripwires(*config)}};
        if (const auto& listener = entry.wires.plan.listener) {
            own = own ? own : own_addresses();
            if (is_this_host(listener->host, *own)) {
                entry.wires.port = listener->port;
            }
        }
        next.emplace(id, std::move(entry));
    }
    for (auto& [id, gone] : checks) {
        disarm(gone.wires);
    }
    checks = std::move(next);
    watch_shared();
    for (const auto& [id, config] : wanted) {
        if (!checks.at(id).wires.plan.pidfile.empty()) {
            arm(id); // costs nothing and waits for nobody; the others follow their first pass
        }
    }
}

/// The listening ports and the paths of all checks each have one descriptor.
void Tripwires::Impl::watch_shared() {
    std::set<std::uint16_t> ports;
    std::set<std::string> wanted;
    for (const auto& [id, entry] : checks) {
        if (entry.wires.port) {
            ports.insert(*entry.wires.port);
        }
        wanted.insert(entry.wires.plan.paths.begin(), entry.wires.plan.paths.end());
    }
    listeners.watch(std::move(ports));
    paths.watch(std::move(wanted));
}

void Tripwires::Impl::arm(std::uint64_t id) {
    const auto found = checks.find(id);
    if (found == checks.end()) {
        return;
    }
    Wires& wires = found->second.wires;
    if (!wires.plan.pidfile.empty() && !wires.process) {
        if (const auto pid = read_pidfile(wires.plan.pidfile)) {
            arm_process(id, wires, *pid);
        }
    }
    if (!wires.plan.unix_socket.empty() && !wires.process) {
        look_up_listener(id, wires);
    }
    if (wires.plan.connection && !wires.connection) {
        arm_connection(id, wires);
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
    async_connect(idle->socket, *wires.plan.connection, [idle, ended](const Failure& failure) {
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
