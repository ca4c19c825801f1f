// SPDX-License-Identifier: Apache-2.0
// The stream that a probe talks over: TCP or unix, plain or TLS, the same to its user.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "health/config.hpp"
#include "health/probe/connect.hpp"

namespace anyvip::health {

class TlsSession;

/// How the connection is given up. Abort (RST) leaves no TIME_WAIT behind and no connection in the
/// server's accept queue: right for a pure connect, as HAProxy does it. After an exchange of data a
/// reset would be an error in the server's log, so that ends in order.
enum class Closing : std::uint8_t { Abort, InOrder };

/// Every handler is called from the loop, and must keep the channel alive. At most one read and one
/// write at a time.
class Channel {
  public:
    using Written = std::function<void(std::error_code)>;
    /// The bytes live until the next read. At the end of the stream the error is asio's eof.
    using Read = std::function<void(std::error_code, std::string_view)>;

    explicit Channel(boost::asio::io_context& io);
    ~Channel();
    Channel(const Channel&) = delete;
    Channel& operator=(const Channel&) = delete;

    void async_connect(const HostPort& target,
                       Connecting connecting,
                       std::function<void(Failure)> connected,
                       Purpose purpose = Purpose::Exchange);
    /// After `async_connect`. `host` is the name or address to verify and, for a name, to ask for,
    /// unless `options.sni` says otherwise.
    void async_handshake(const TlsOptions& options,
                         const std::string& host,
                         std::function<void(Failure)> done);
    /// `data` must live until `written` is called.
    void async_write(std::string_view data, Written written);
    void async_read(Read read);
    void close(Closing closing);

    /// Not null after a handshake.
    [[nodiscard]] const TlsSession* tls() const { return tls_.get(); }

  private:
    StreamSocket socket_;
    std::unique_ptr<TlsSession> tls_;
    std::unique_ptr<std::array<char, 4096>> chunk_; // only for those who read
};

} // namespace anyvip::health
