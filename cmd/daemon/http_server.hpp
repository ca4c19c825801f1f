// SPDX-License-Identifier: Apache-2.0
// A small HTTP/1.1 server for the control socket and the TCP listener: bounded in connections,
// sizes and time.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>

#include <boost/asio/io_context.hpp>

namespace anyvip::cmd {

struct HttpRequest {
    std::string method; ///< "GET"
    std::string path;   ///< percent-decoded, without the query
    std::map<std::string, std::string, std::less<>> query;
    std::string host;   ///< the Host field, without port
    std::string body;   ///< at most limits::http_body_octets
    std::string client; ///< "root (uid 0, pid 4711)" on the control socket, the address on TCP
};

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
};

using HttpHandler = std::function<void(const HttpRequest&, std::shared_ptr<HttpResponder>)>;

/// One listener. Destroying it ends its connections.
class HttpServer {
  public:
    virtual ~HttpServer() = default;
    HttpServer() = default;
    HttpServer(const HttpServer&) = delete;
    HttpServer& operator=(const HttpServer&) = delete;
};

/// On a unix socket, mode 0660; missing parent directories are made. A socket file that nobody
/// answers on is replaced, one that a running daemon answers on is `address_in_use`.
[[nodiscard]] std::unique_ptr<HttpServer> serve_unix(boost::asio::io_context& io,
                                                     const std::string& path,
                                                     HttpHandler handler,
                                                     std::error_code& error);

/// On "ADDRESS:PORT" ("[::1]:9179" for IPv6).
[[nodiscard]] std::unique_ptr<HttpServer> serve_tcp(boost::asio::io_context& io,
                                                    const std::string& endpoint,
                                                    HttpHandler handler,
                                                    std::error_code& error);

/// Percent-decoding of a path or query part; bad escapes are kept as they are.
[[nodiscard]] std::string percent_decode(std::string_view text);

/// Splits a request target into path and query.
void parse_target(std::string_view target, HttpRequest& request);

} // namespace anyvip::cmd
