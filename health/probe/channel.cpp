// SPDX-License-Identifier: Apache-2.0
#include "health/probe/channel.hpp"

#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>

#include "health/probe/tls_session.hpp"

namespace anyvip::health {

Channel::Channel(boost::asio::io_context& io) : socket_(io) {}

Channel::~Channel() = default;

void Channel::async_connect(const HostPort& target,
                            Connecting connecting,
                            std::function<void(Failure)> connected,
                            Purpose purpose) {
    health::async_connect(socket_, target, std::move(connecting), std::move(connected), purpose);
}

void Channel::async_handshake(const TlsOptions& options,
                              const std::string& host,
                              std::function<void(Failure)> done) {
    tls_ = std::make_unique<TlsSession>(socket_);
    tls_->async_handshake(options, host, std::move(done));
}

void Channel::async_write(std::string_view data, Written written) {
    if (tls_) {
        tls_->async_write(data, std::move(written));
        return;
    }
    boost::asio::async_write(socket_,
                             boost::asio::buffer(data),
                             [written = std::move(written)](const boost::system::error_code& error,
                                                            std::size_t) { written(error); });
}

void Channel::async_read(Read read) {
    if (!chunk_) {
        chunk_ = std::make_unique<std::array<char, 4096>>();
    }
    if (tls_) {
        tls_->async_read(*chunk_, std::move(read));
        return;
    }
    socket_.async_read_some(
        boost::asio::buffer(*chunk_),
        [this, read = std::move(read)](const boost::system::error_code& error, std::size_t octets) {
            read(error, std::string_view(chunk_->data(), octets));
        });
}

void Channel::close(Closing closing) {
    boost::system::error_code ignored;
    if (tls_ && socket_.is_open()) {
        tls_->shut_down();
    }
    if (closing == Closing::Abort && socket_.is_open()) {
        reset_on_close(socket_.native_handle());
    }
    socket_.close(ignored);
}

} // namespace anyvip::health
