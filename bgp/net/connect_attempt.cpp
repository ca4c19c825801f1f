// SPDX-License-Identifier: Apache-2.0
// One outgoing connection until it is answered, has failed or has lasted too long.
#include "bgp/net/connect_attempt.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <system_error>
#include <utility>

#include <boost/asio/post.hpp>

#include "bgp/net/peer_socket.hpp"
#include "bgp/net/silent_drops.hpp"
#include "bgp/net/socket_address.hpp"

namespace anyvip::bgp::net {
namespace {

/// The core aborts an attempt at the very timeout. A little earlier it can still be told why there
/// may have been no answer.
constexpr std::chrono::milliseconds margin{20};

} // namespace

struct ConnectAttempt::State : std::enable_shared_from_this<State> {
    State(boost::asio::io_context& io, const NetConfig& net, const Limits& bounds, Done then)
        : config(net), limits(bounds), done(std::move(then)), timer(io) {}

    void begin(boost::asio::io_context& io);
    void fail(boost::asio::io_context& io, const std::string& reason);
    void answered();
    void timed_out();
    void finish(Result result);
    [[nodiscard]] std::string target() const;

    /// A handler that does nothing any more once the attempt has ended.
    template <typename Then> auto while_pending(Then then) {
        return [weak = weak_from_this(), then](const Error& error = {}) {
            const auto self = weak.lock();
            if (!error && self && self->done) {
                then(*self);
            }
        };
    }

    NetConfig config;
    Limits limits;
    Done done; ///< empty once called
    std::optional<Descriptor> socket;
    boost::asio::steady_timer timer;
    SilentDrops drops_before = read_silent_drops();
};

ConnectAttempt::ConnectAttempt(boost::asio::io_context& io,
                               const NetConfig& config,
                               const Limits& limits,
                               Done done)
    : state_(std::make_shared<State>(io, config, limits, std::move(done))) {
    state_->begin(io);
}

ConnectAttempt::ConnectAttempt(boost::asio::io_context& io, const std::string& problem, Done done)
    : state_(std::make_shared<State>(io, NetConfig{}, Limits{}, std::move(done))) {
    state_->fail(io, problem);
}

ConnectAttempt::~ConnectAttempt() = default;

void ConnectAttempt::State::begin(boost::asio::io_context& io) {
    auto connecting = start_connect(config, limits.user_timeout);
    if (connecting) {
        socket = watch(io, std::move(*connecting));
    }
    if (!socket) {
        fail(io, connecting ? "connect: out of memory" : connecting.error());
        return;
    }
    socket->async_wait(Descriptor::wait_write, while_pending([](State& self) { self.answered(); }));
    timer.expires_after(limits.connect_timeout - std::min(margin, limits.connect_timeout / 10));
    timer.async_wait(while_pending([](State& self) { self.timed_out(); }));
}

void ConnectAttempt::State::fail(boost::asio::io_context& io, const std::string& reason) {
    boost::asio::post(
        io, while_pending([reason](State& self) { self.finish(std::unexpected(reason)); }));
}

void ConnectAttempt::State::answered() {
    int error = 0;
    socklen_t length = sizeof error;
    if (::getsockopt(socket->native_handle(), SOL_SOCKET, SO_ERROR, &error, &length) != 0) {
        error = errno;
    }
    // TCP's simultaneous open can connect a free port of this host with itself.
    const auto local = local_end(socket->native_handle());
    if (error == 0 && local && local == remote_end(socket->native_handle())) {
        error = ECONNREFUSED;
    }
    if (error != 0) {
        finish(std::unexpected(target() + ": " + std::system_category().message(error)));
    } else {
        finish(take(*socket));
    }
}

void ConnectAttempt::State::timed_out() {
    std::string reason =
        target() + ": no answer within " + std::to_string(limits.connect_timeout.count()) + " ms";
    const std::string hint = silent_drop_hint(drops_before, read_silent_drops(), config);
    if (!hint.empty()) {
        reason += " (" + hint + ")";
    }
    finish(std::unexpected(std::move(reason)));
}

void ConnectAttempt::State::finish(Result result) {
    const Done then = std::exchange(done, nullptr);
    timer.cancel();
    socket.reset();
    then(std::move(result));
}

std::string ConnectAttempt::State::target() const {
    const auto remote = remote_address(config);
    return "connect to " + (remote ? to_string(*remote) : config.scope);
}

} // namespace anyvip::bgp::net
