// SPDX-License-Identifier: Apache-2.0
// A small HTTP/1.1 server for the control socket and the TCP listener: bounded in connections,
// sizes and time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>

#include <boost/asio/io_context.hpp>

#include "cmd/daemon/http_message.hpp"

namespace anyvip::cmd {

/// The answer to one request: `send` once, or `begin_stream`, any number of `write`, `finish`. May
/// be kept as long as needed. A client that is gone, or lags by more than
/// limits::http_stream_backlog_octets, is dropped; nothing ever waits for it.
class HttpResponder {
  public:
    virtual ~HttpResponder() = default;
    HttpResponder() = default;
    HttpResponder(const HttpResponder&) = delete;
    HttpResponder& operator=(const HttpResponder&) = delete;

    virtual void send(unsigned status, std::string_view content_type, std::string_view body) = 0;
    virtual void begin_stream(std::string_view content_type) = 0;
    /// False when the client is gone.
    virtual bool write(std::string_view octets) = 0;
    virtual void finish() = 0;
    /// For an upgrade in place: the connection of a client that waits for more; -1 when octets are
    /// still on their way to it, or when it is gone.
    [[nodiscard]] virtual int descriptor() const = 0;
};

using HttpHandler = std::function<void(const HttpRequest&, std::shared_ptr<HttpResponder>)>;

/// One listener. Destroying it ends its connections.
class HttpServer {
  public:
    virtual ~HttpServer() = default;
    HttpServer() = default;
    HttpServer(const HttpServer&) = delete;
    HttpServer& operator=(const HttpServer&) = delete;

    // ---- upgrade in place ----
    /// The listening socket; it stays the server's.
    [[nodiscard]] virtual int descriptor() = 0;
    /// Who comes now waits in the kernel's queue.
    virtual void pause() = 0;
    virtual void resume() = 0;
    /// No request is half read and no answer half written.
    [[nodiscard]] virtual bool is_settled() const = 0;
    /// The connection of a client that waits for an answer, or for more of a stream.
    enum class Adopted : std::uint8_t { BeforeAnswer, InStream };
    [[nodiscard]] virtual std::shared_ptr<HttpResponder> adopt(int descriptor, Adopted how) = 0;
};

/// On a unix socket, mode 0660; missing parent directories are made. A socket file that nobody
/// answers on is replaced, one that a running daemon answers on is `address_in_use`. `inherited`:
/// the listening socket of a predecessor; -1: none.
[[nodiscard]] std::unique_ptr<HttpServer> serve_unix(boost::asio::io_context& io,
                                                     const std::string& path,
                                                     HttpHandler handler,
                                                     int inherited,
                                                     std::error_code& error);

/// On "ADDRESS:PORT" ("[::1]:9179" for IPv6).
[[nodiscard]] std::unique_ptr<HttpServer> serve_tcp(boost::asio::io_context& io,
                                                    const std::string& endpoint,
                                                    HttpHandler handler,
                                                    int inherited,
                                                    std::error_code& error);

} // namespace anyvip::cmd
