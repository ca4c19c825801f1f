// SPDX-License-Identifier: Apache-2.0
// One connection of the HTTP server, unix or TCP: reads one request, writes one answer, ends.
#pragma once

#include <array>
#include <chrono>
#include <deque>
#include <list>
#include <memory>
#include <string>
#include <string_view>

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/basic_stream.hpp>

#include "cmd/daemon/http_client.hpp"
#include "cmd/daemon/http_message.hpp"
#include "cmd/daemon/http_server.hpp"

namespace anyvip::cmd {

class HttpConnection;

/// What the connections of one listener share.
struct HttpListener {
    HttpBodies bodies;
    HttpHandler handler;
    std::list<HttpConnection*> connections; ///< the oldest first
};

/// Answers go through one bounded queue, for plain and streamed bodies alike. It lives as long as
/// an operation or a holder of the responder.
class HttpConnection final : public HttpResponder,
                             public std::enable_shared_from_this<HttpConnection> {
  public:
    using Socket = boost::asio::generic::stream_protocol::socket;

    HttpConnection(Socket socket, HttpListener& listener);
    ~HttpConnection() override;

    /// Waits for the request; after limits::http_request_time the answer is 408.
    void start();

    /// 503: no room for it.
    void refuse();

    [[nodiscard]] bool is_reading_request() const { return !is_request_read_ && is_open_; }

    /// The server is going away.
    void abandon();

    void drop();

    void send(unsigned status, std::string_view content_type, std::string_view body) override;
    void begin_stream(std::string_view content_type) override;
    bool write(std::string_view octets) override;
    void finish() override;

    // ---- upgrade in place ----
    [[nodiscard]] int descriptor() const override;
    [[nodiscard]] bool is_settled() const;
    /// The request was read by a predecessor.
    void go_on(HttpServer::Adopted how);

  private:
    using ErrorCode = boost::system::error_code;

    void read();
    void on_octets(ErrorCode error, std::size_t count);
    void refuse_request(unsigned status, std::string_view problem);
    void on_request();
    void enqueue(std::string octets);
    void write_next();
    void on_written(ErrorCode error);
    void finish_queue();
    void watch_for_end();
    void look_for_end();
    void close();
    void discard();

    HttpClient client_;
    int socket_number_;
    boost::beast::basic_stream<boost::asio::generic::stream_protocol> stream_;
    /// For the request: the stream's own time limit would close it without an answer.
    boost::asio::steady_timer request_time_;
    HttpListener* listener_; // null: gone
    std::list<HttpConnection*>::iterator place_;
    std::array<char, 4096> incoming_{};
    HttpReader reader_;
    std::deque<std::string> queue_;
    std::size_t backlog_octets_ = 0;
    std::chrono::steady_clock::time_point behind_since_; // since when more than one piece waits
    std::size_t discarded_octets_ = 0;
    bool is_request_read_ = false;
    bool is_late_ = false; // its time for the request is over
    bool is_open_ = true;
    bool is_finished_ = false;
    bool is_head_ = false;
};

} // namespace anyvip::cmd
