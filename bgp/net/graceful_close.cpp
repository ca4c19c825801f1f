// SPDX-License-Identifier: Apache-2.0
// The end of a connection such that its last octets arrive.
#include "bgp/net/graceful_close.hpp"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>

#include <boost/asio/post.hpp>

namespace anyvip::bgp::net {

std::shared_ptr<GracefulClose> GracefulClose::start(boost::asio::io_context& io,
                                                    Descriptor socket,
                                                    std::vector<std::uint8_t> octets,
                                                    std::function<void()> done) {
    auto close =
        std::make_shared<GracefulClose>(io, std::move(socket), std::move(octets), std::move(done));
    close->timer_.expires_after(limit);
    close->timer_.async_wait([close](const Error& error) {
        if (!error) {
            close->finish();
        }
    });
    close->write();
    close->wait_for_read();
    return close;
}

GracefulClose::GracefulClose(boost::asio::io_context& io,
                             Descriptor socket,
                             std::vector<std::uint8_t> octets,
                             std::function<void()> done)
    : socket_(std::move(socket)), timer_(io), octets_(std::move(octets)), done_(std::move(done)) {}

void GracefulClose::write() {
    while (written_ < octets_.size()) {
        const ssize_t count = ::send(socket_.native_handle(),
                                     octets_.data() + written_,
                                     octets_.size() - written_,
                                     MSG_NOSIGNAL | MSG_DONTWAIT);
        if (count > 0) {
            written_ += static_cast<std::size_t>(count);
        } else if (errno == EAGAIN) {
            wait_for_write();
            return;
        } else if (errno != EINTR) {
            finish();
            return;
        }
    }
    ::shutdown(socket_.native_handle(), SHUT_WR);
    if (has_peer_ended_) {
        finish();
    }
}

void GracefulClose::wait_for_write() {
    socket_.async_wait(Descriptor::wait_write, [self = shared_from_this()](const Error& error) {
        if (!error && !self->is_done_) {
            self->write();
        }
    });
}

void GracefulClose::wait_for_read() {
    if (is_done_) {
        return;
    }
    socket_.async_wait(Descriptor::wait_read, [self = shared_from_this()](const Error& error) {
        if (!error && !self->is_done_) {
            self->read();
        }
    });
}

void GracefulClose::read() {
    std::array<std::uint8_t, 16384> dropped;
    const ssize_t count =
        ::recv(socket_.native_handle(), dropped.data(), dropped.size(), MSG_DONTWAIT);
    if (count > 0 || (count < 0 && (errno == EAGAIN || errno == EINTR))) {
        wait_for_read();
        return;
    }
    // After its end the peer may still read what we have not written yet.
    has_peer_ended_ = true;
    if (count < 0 || written_ == octets_.size()) {
        finish();
    }
}

void GracefulClose::finish() {
    if (std::exchange(is_done_, true)) {
        return;
    }
    timer_.cancel();
    Error ignored;
    socket_.close(ignored);
    boost::asio::post(socket_.get_executor(), std::move(done_));
}

} // namespace anyvip::bgp::net
