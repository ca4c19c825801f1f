// SPDX-License-Identifier: Apache-2.0
// The sockets of one peer.
#include "bgp/net/peer_driver.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <system_error>
#include <utility>
#include <vector>

#include <boost/asio/steady_timer.hpp>

#include "bgp/limits.hpp"
#include "bgp/net/connect_attempt.hpp"
#include "bgp/net/deferred_connection.hpp"
#include "bgp/net/descriptor.hpp"
#include "bgp/net/endpoints.hpp"
#include "bgp/net/gateway.hpp"
#include "bgp/net/graceful_close.hpp"
#include "bgp/net/peer_socket.hpp"
#include "bgp/net/socket_options.hpp"

namespace anyvip::bgp::net {
namespace {

using std::chrono::milliseconds;

constexpr std::array slots{Slot::Outgoing, Slot::Incoming};

/// One loop, one buffer.
std::span<std::uint8_t> read_buffer() {
    static thread_local std::array<std::uint8_t, limits::read_octets> buffer;
    return buffer;
}

Instant clock_now() {
    return std::chrono::steady_clock::now();
}

std::string describe(int error) {
    return std::system_category().message(error);
}

struct Connection {
    explicit Connection(Descriptor connected) : socket(std::move(connected)) {}

    Descriptor socket;
    bool is_waiting_for_write = false;
};

/// The core ends a connection that makes no progress for the send hold time (RFC 9687), and says
/// so; the kernel must not be faster. It learns of progress with each KEEPALIVE at the latest.
milliseconds user_timeout(const PeerConfig& config) {
    using namespace std::chrono_literals;
    const milliseconds hold = config.hold_time;
    return hold + config.send_hold_time.value_or(std::max<milliseconds>(480s, 2 * hold));
}

} // namespace

struct PeerDriver::Impl : std::enable_shared_from_this<Impl> {
    Impl(boost::asio::io_context& loop,
         Peer& driven,
         NetConfig net,
         std::set<IpAddress> own,
         std::function<void()> turn)
        : io(loop), peer(driven), config(std::move(net)), vips(std::move(own)),
          on_turn(std::move(turn)), poll_timer(io), deferred(io), problem(find_problem()) {}

    // ---- actions ----
    void execute(const Action& action);
    [[nodiscard]] std::string find_problem() const;
    void start_connect();
    void close(const CloseAction& action);
    void connect(Slot slot, Descriptor socket, const Endpoints& ends);

    // ---- events; each ends in `on_turn`, after which nothing of this may be touched ----
    void connect_answered(ConnectAttempt::Result result);
    void begin(Slot slot, Descriptor socket, const Endpoints& ends);
    void graceful_close_done();

    bool take_deferred();

    // ---- data ----
    std::shared_ptr<Connection>& at(Slot slot) {
        return connections[static_cast<std::size_t>(slot)];
    }

    void wait_for_read(Slot slot);
    void wait_for_write(Slot slot);
    void read(Slot slot);
    bool write(Slot slot);
    bool report_acknowledged();
    void poll_acknowledgements();
    bool wants_acknowledgement();
    void close_gracefully(Descriptor socket, std::vector<std::uint8_t> octets);
    void stop();

    boost::asio::io_context& io;
    Peer& peer;
    NetConfig config;
    std::set<IpAddress> vips;
    std::function<void()> on_turn;

    std::optional<ConnectAttempt> attempt;
    std::array<std::shared_ptr<Connection>, slots.size()> connections;
    std::vector<std::shared_ptr<GracefulClose>> closing;
    boost::asio::steady_timer poll_timer;
    milliseconds poll_interval = limits::unacknowledged_poll_first;
    bool is_polling = false;
    DeferredConnection deferred; ///< inbound
    std::string problem;
};

PeerDriver::PeerDriver(boost::asio::io_context& io,
                       Peer& peer,
                       NetConfig config,
                       std::set<IpAddress> vips,
                       std::function<void()> on_turn)
    : impl_(std::make_shared<Impl>(
          io, peer, std::move(config), std::move(vips), std::move(on_turn))) {}

PeerDriver::~PeerDriver() {
    impl_->stop();
}

bool PeerDriver::drain() {
    Impl& self = *impl_;
    bool has_news = self.take_deferred();
    for (auto actions = self.peer.take_actions(); !actions.empty();
         actions = self.peer.take_actions()) {
        for (const Action& action : actions) {
            self.execute(action);
        }
    }
    for (const Slot slot : slots) {
        has_news |= self.write(slot);
    }
    if (has_news || self.wants_acknowledgement()) {
        has_news |= self.report_acknowledged();
    }
    self.poll_acknowledgements();
    return has_news;
}

void PeerDriver::look() {
    for (const Slot slot : slots) {
        impl_->read(slot);
        // After a pause of ours the socket may long be ready for what waits here.
        impl_->write(slot);
    }
    impl_->report_acknowledged();
}

bool PeerDriver::adopt(FileDescriptor socket) {
    const std::shared_ptr<Impl> kept = impl_; // `on_turn` may destroy this driver
    Impl& self = *kept;
    self.problem = self.find_problem();
    if (!self.problem.empty()) {
        refuse(self.problem);
        return false;
    }
    const auto ends = read_endpoints(socket.get(), self.vips);
    if (!ends ||
        !set_options(
            socket.get(), self.config, ends->remote.family(), user_timeout(self.peer.config()))) {
        return false;
    }
    auto watched = watch(self.io, std::move(socket));
    if (!watched) {
        return false;
    }
    if (self.peer.defers_inbound()) {
        // It has the patience of an unanswered OPEN.
        self.deferred.keep(std::move(*watched), self.peer.config().open_hold);
        return false;
    }
    if (!self.peer.accepts_inbound()) {
        // What ended the former connection lies before this one: handle it first.
        look();
        drain();
    }
    if (!self.peer.accepts_inbound()) {
        if (auto farewell = self.peer.rejection(); !farewell.empty()) {
            self.close_gracefully(std::move(*watched), std::move(farewell));
        }
        self.on_turn();
        return false;
    }
    self.begin(Slot::Incoming, std::move(*watched), *ends);
    return true;
}

void PeerDriver::refuse(std::string_view why) {
    const std::shared_ptr<Impl> kept = impl_;
    kept->peer.inbound_refused(why, clock_now());
    kept->on_turn();
}

void PeerDriver::reconfigure(NetConfig config) {
    if (config != impl_->config) {
        impl_->deferred.drop(); // let in by what is no longer asked for
    }
    impl_->config = std::move(config);
    impl_->problem = impl_->find_problem();
}

void PeerDriver::set_vips(std::set<IpAddress> vips) {
    impl_->vips = std::move(vips);
}

const NetConfig& PeerDriver::config() const {
    return impl_->config;
}

std::string PeerDriver::transport_problem() const {
    return impl_->problem;
}

bool PeerDriver::is_quiet() const {
    return std::ranges::all_of(impl_->closing, &GracefulClose::is_done);
}

int PeerDriver::descriptor(Slot slot) const {
    const auto& connection = impl_->connections[static_cast<std::size_t>(slot)];
    return connection ? connection->socket.native_handle() : -1;
}

void PeerDriver::take_over(Slot slot, FileDescriptor socket) {
    Impl& self = *impl_;
    if (auto watched = watch(self.io, std::move(socket))) {
        self.at(slot) = std::make_shared<Connection>(std::move(*watched));
        self.wait_for_read(slot);
    } else {
        self.peer.closed(slot, "no memory for its socket after the upgrade", clock_now());
    }
}

// ---- actions ----

void PeerDriver::Impl::execute(const Action& action) {
    if (std::holds_alternative<ConnectAction>(action)) {
        start_connect();
    } else if (std::holds_alternative<AbortConnectAction>(action)) {
        attempt.reset();
    } else if (const auto* end = std::get_if<CloseAction>(&action)) {
        close(*end);
    }
}

/// Looked for anew with every socket: routes and key files change.
std::string PeerDriver::Impl::find_problem() const {
    std::string found = find_transport_problem(config);
    if (found.empty() && peer.config().multihop == 0) {
        found = find_gateway_problem(config);
    }
    return found;
}

void PeerDriver::Impl::start_connect() {
    problem = find_problem();
    // The attempt belongs to this object, and no call comes after its end.
    const auto done = [this](ConnectAttempt::Result result) {
        connect_answered(std::move(result));
    };
    if (!problem.empty()) {
        attempt.emplace(io, problem, done);
        return;
    }
    const ConnectAttempt::Limits times{peer.config().connect_timeout, user_timeout(peer.config())};
    attempt.emplace(io, config, times, done);
}

void PeerDriver::Impl::close(const CloseAction& action) {
    const std::shared_ptr<Connection> connection = std::exchange(at(action.slot), nullptr);
    if (!connection) {
        return;
    }
    if (action.graceful) {
        close_gracefully(take(connection->socket), action.last_octets);
    } else {
        // A failure would only turn the RST into a FIN.
        std::ignore = set_abortive_close(connection->socket.native_handle());
    }
}

void PeerDriver::Impl::close_gracefully(Descriptor socket, std::vector<std::uint8_t> octets) {
    std::erase_if(closing, [](const auto& close) { return close->is_done(); });
    if (closing.size() >= limits::graceful_closes) {
        // Too many wait already: what the kernel takes at once is all this one gets.
        std::ignore = ::send(
            socket.native_handle(), octets.data(), octets.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        return;
    }
    closing.push_back(GracefulClose::start(
        io, std::move(socket), std::move(octets), [weak_self = weak_from_this()] {
            if (const auto self = weak_self.lock()) {
                self->graceful_close_done();
            }
        }));
}

// ---- events ----

void PeerDriver::Impl::connect_answered(ConnectAttempt::Result result) {
    const auto self = shared_from_this();
    attempt.reset();
    const auto ends = result ? read_endpoints(result->native_handle(), vips) : std::nullopt;
    if (ends) {
        begin(Slot::Outgoing, std::move(*result), *ends);
        return;
    }
    peer.connect_failed(result ? "connection closed at once" : result.error(), clock_now());
    on_turn();
}

void PeerDriver::Impl::begin(Slot slot, Descriptor socket, const Endpoints& ends) {
    connect(slot, std::move(socket), ends);
    on_turn();
}

void PeerDriver::Impl::connect(Slot slot, Descriptor socket, const Endpoints& ends) {
    if (at(slot)) {
        // RFC 4724 §5: a newer connection of the same peer means that this one is dead there.
        std::ignore = set_abortive_close(at(slot)->socket.native_handle());
    }
    at(slot) = std::make_shared<Connection>(std::move(socket));
    wait_for_read(slot);
    peer.connected(slot, ends, clock_now());
}

bool PeerDriver::Impl::take_deferred() {
    if (!deferred.is_kept() || peer.defers_inbound()) {
        return false;
    }
    std::optional<Descriptor> socket = deferred.take();
    const auto ends = read_endpoints(socket->native_handle(), vips);
    problem = find_problem();
    if (!ends || !problem.empty() || !peer.accepts_inbound()) {
        return false;
    }
    connect(Slot::Incoming, std::move(*socket), *ends);
    return true;
}

void PeerDriver::Impl::graceful_close_done() {
    std::erase_if(closing, [](const auto& close) { return close->is_done(); });
    on_turn();
}

// ---- data ----

void PeerDriver::Impl::wait_for_read(Slot slot) {
    const std::weak_ptr<Connection> weak_connection = at(slot);
    at(slot)->socket.async_wait(
        Descriptor::wait_read,
        [weak_self = weak_from_this(), weak_connection, slot](const Error& error) {
            const auto self = weak_self.lock();
            const auto connection = weak_connection.lock();
            if (error || !self || !connection || self->at(slot) != connection) {
                return;
            }
            self->read(slot);
            if (self->at(slot) == connection) {
                self->wait_for_read(slot);
            }
            self->on_turn();
        });
}

void PeerDriver::Impl::read(Slot slot) {
    if (!at(slot)) {
        return;
    }
    const auto buffer = read_buffer();
    const ssize_t count =
        ::recv(at(slot)->socket.native_handle(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    const int error = errno;
    if (count > 0) {
        peer.received(slot, buffer.first(static_cast<std::size_t>(count)), clock_now());
    } else if (count == 0 || (error != EAGAIN && error != EINTR)) {
        at(slot).reset();
        peer.closed(
            slot, count == 0 ? "connection closed by the peer" : describe(error), clock_now());
    }
}

void PeerDriver::Impl::wait_for_write(Slot slot) {
    const std::shared_ptr<Connection>& connection = at(slot);
    if (std::exchange(connection->is_waiting_for_write, true)) {
        return;
    }
    const std::weak_ptr<Connection> weak_connection = connection;
    connection->socket.async_wait(
        Descriptor::wait_write,
        [weak_self = weak_from_this(), weak_connection, slot](const Error& error) {
            const auto self = weak_self.lock();
            const auto waited = weak_connection.lock();
            if (error || !self || !waited || self->at(slot) != waited) {
                return;
            }
            waited->is_waiting_for_write = false;
            self->on_turn();
        });
}

bool PeerDriver::Impl::write(Slot slot) {
    bool has_sent = false;
    while (at(slot)) {
        const auto output = peer.output(slot);
        if (output.empty()) {
            break;
        }
        const ssize_t count = ::send(at(slot)->socket.native_handle(),
                                     output.data(),
                                     output.size(),
                                     MSG_NOSIGNAL | MSG_DONTWAIT);
        if (count > 0) {
            has_sent = true;
            peer.sent(slot, static_cast<std::size_t>(count), clock_now());
        } else if (errno == EAGAIN) {
            wait_for_write(slot);
            break;
        } else if (errno != EINTR) {
            // The reading side learns of it too, after what the peer said last: its NOTIFICATION.
            break;
        }
    }
    return has_sent;
}

bool PeerDriver::Impl::wants_acknowledgement() {
    return std::ranges::any_of(
        slots, [this](Slot slot) { return at(slot) && peer.wants_acknowledgement(slot); });
}

bool PeerDriver::Impl::report_acknowledged() {
    bool has_ended = false;
    for (const Slot slot : slots) {
        if (!at(slot)) {
            continue;
        }
        const bool was_wanted = peer.wants_acknowledgement(slot);
        if (const auto octets = unacknowledged_octets(at(slot)->socket.native_handle())) {
            peer.unacknowledged(slot, *octets, clock_now());
            has_ended |= was_wanted && !peer.wants_acknowledgement(slot);
        }
    }
    return has_ended;
}

void PeerDriver::Impl::poll_acknowledgements() {
    if (!wants_acknowledgement()) {
        poll_interval = limits::unacknowledged_poll_first;
        return;
    }
    if (std::exchange(is_polling, true)) {
        return;
    }
    poll_timer.expires_after(poll_interval);
    poll_timer.async_wait([weak_self = weak_from_this()](const Error& error) {
        const auto self = weak_self.lock();
        if (error || !self) {
            return;
        }
        self->is_polling = false;
        self->poll_interval = std::min(2 * self->poll_interval, limits::unacknowledged_poll_last);
        const bool has_news = self->report_acknowledged();
        self->poll_acknowledgements();
        if (has_news) {
            self->on_turn();
        }
    });
}

void PeerDriver::Impl::stop() {
    attempt.reset();
    connections = {};
    deferred.drop();
    poll_timer.cancel();
}

} // namespace anyvip::bgp::net
