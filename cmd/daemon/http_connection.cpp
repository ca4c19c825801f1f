// SPDX-License-Identifier: Apache-2.0
// Every answer ends its connection: no keep-alive state to get wrong, and a client reads to the
// end.
#include "cmd/daemon/http_connection.hpp"

#include <cerrno>
#include <utility>

#include <sys/socket.h>

#include <boost/asio/write.hpp>

#include "cmd/daemon/limits.hpp"

namespace anyvip::cmd {

namespace asio = boost::asio;

HttpConnection::HttpConnection(Socket socket, HttpListener& listener)
    : client_(client_of(socket.native_handle())), socket_number_(socket.native_handle()),
      stream_(std::move(socket)), request_time_(stream_.get_executor()), listener_(&listener),
      reader_(listener.bodies) {
    place_ = listener_->connections.insert(listener_->connections.end(), this);
}

HttpConnection::~HttpConnection() {
    if (listener_ != nullptr) {
        listener_->connections.erase(place_);
    }
}

// The time is for the whole request, however many pieces it comes in.
void HttpConnection::start() {
    request_time_.expires_after(limits::http_request_time);
    request_time_.async_wait([weak = weak_from_this()](ErrorCode error) {
        const auto self = weak.lock();
        if (!error && self && self->is_reading_request()) {
            self->is_late_ = true;
            self->stream_.cancel(); // `on_octets` answers
        }
    });
    read();
}

void HttpConnection::read() {
    stream_.async_read_some(asio::buffer(incoming_),
                            [self = shared_from_this()](ErrorCode error, std::size_t count) {
                                self->on_octets(error, count);
                            });
}

void HttpConnection::on_octets(ErrorCode error, std::size_t count) {
    if (!is_open_) {
        return; // abandoned or replaced, with this already on its way
    }
    if (is_late_) {
        refuse_request(408, "the request took too long");
        return;
    }
    if (error) {
        drop();
        return;
    }
    switch (reader_.feed({incoming_.data(), count})) {
    case HttpReader::Progress::NeedsMore:
        read();
        break;
    case HttpReader::Progress::Complete:
        on_request();
        break;
    case HttpReader::Progress::Refused: {
        const auto [status, problem] = reader_.refusal();
        refuse_request(status, problem);
        break;
    }
    }
}

void HttpConnection::refuse_request(unsigned status, std::string_view problem) {
    request_time_.cancel();
    send(status, "application/json", R"({"error":")" + std::string(problem) + "\"}");
}

void HttpConnection::on_request() {
    is_request_read_ = true;
    request_time_.cancel();
    HttpRequest request = reader_.request();
    request.client = client_;
    is_head_ = request.method == "HEAD";
    listener_->handler(request, shared_from_this());
}

void HttpConnection::refuse() {
    refuse_request(503, "too many connections");
}

void HttpConnection::abandon() {
    listener_ = nullptr;
    drop();
}

void HttpConnection::drop() {
    is_open_ = false;
    request_time_.cancel();
    ErrorCode ignored;
    stream_.socket().shutdown(Socket::shutdown_both, ignored);
    stream_.socket().close(ignored);
}

void HttpConnection::send(unsigned status, std::string_view content_type, std::string_view body) {
    enqueue(http_head(status, content_type, "Content-Length: " + std::to_string(body.size())) +
            std::string(is_head_ ? std::string_view{} : body));
    finish_queue();
}

void HttpConnection::begin_stream(std::string_view content_type) {
    enqueue(http_head(200, content_type, "Transfer-Encoding: chunked"));
    watch_for_end();
}

bool HttpConnection::write(std::string_view octets) {
    if (!octets.empty()) {
        enqueue(http_chunk(octets));
    }
    return is_open_;
}

void HttpConnection::finish() {
    enqueue("0\r\n\r\n");
    finish_queue();
}

int HttpConnection::descriptor() const {
    return is_settled() && is_open_ ? socket_number_ : -1;
}

bool HttpConnection::is_settled() const {
    return !is_open_ || (is_request_read_ && queue_.empty() && !is_finished_);
}

void HttpConnection::go_on(HttpServer::Adopted how) {
    is_request_read_ = true;
    if (how == HttpServer::Adopted::InStream) {
        watch_for_end();
    }
}

void HttpConnection::enqueue(std::string octets) {
    if (!is_open_) {
        return;
    }
    // A long answer is made at once; who is behind is who has not taken it for some time.
    const auto now = std::chrono::steady_clock::now();
    if (queue_.size() <= 1) {
        behind_since_ = now;
    }
    backlog_octets_ += octets.size();
    if (backlog_octets_ > limits::http_stream_backlog_octets &&
        now - behind_since_ > limits::http_stream_patience) {
        drop();
        return;
    }
    queue_.push_back(std::move(octets));
    if (queue_.size() == 1) {
        write_next();
    }
}

void HttpConnection::write_next() {
    stream_.expires_after(limits::http_write_time);
    asio::async_write(
        stream_,
        asio::buffer(queue_.front()),
        [self = shared_from_this()](ErrorCode error, std::size_t) { self->on_written(error); });
}

void HttpConnection::on_written(ErrorCode error) {
    if (error || !is_open_) {
        drop();
        return;
    }
    backlog_octets_ -= queue_.front().size();
    queue_.pop_front();
    if (!queue_.empty()) {
        write_next();
    } else if (is_finished_) {
        close();
    } else {
        stream_.expires_never();
    }
}

void HttpConnection::finish_queue() {
    is_finished_ = true;
    if (queue_.empty()) {
        close();
    }
}

// A follower that hangs up must not be kept until the next event. One that only has said all it has
// to say gets the rest of an answer that is complete already.
void HttpConnection::watch_for_end() {
    stream_.socket().async_wait(Socket::wait_read, [self = shared_from_this()](ErrorCode error) {
        if (!error && self->is_open_) {
            self->look_for_end();
        }
    });
}

void HttpConnection::look_for_end() {
    const ssize_t count =
        ::recv(stream_.socket().native_handle(), incoming_.data(), incoming_.size(), MSG_DONTWAIT);
    const bool is_later = count < 0 && (errno == EAGAIN || errno == EINTR);
    discarded_octets_ += count > 0 ? static_cast<std::size_t>(count) : 0;
    if (count == 0 && is_finished_) {
        return;
    }
    if ((count <= 0 && !is_later) || discarded_octets_ > limits::http_linger_octets) {
        drop();
        return;
    }
    watch_for_end();
}

// All is sent. Closing with octets unread would reset the connection and take the answer with it,
// so that a client whose request was refused half-way would never learn why.
void HttpConnection::close() {
    char octet = 0;
    const bool is_unread =
        ::recv(stream_.socket().native_handle(), &octet, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
    if (is_request_read_ && !is_unread) {
        drop();
        return;
    }
    ErrorCode ignored;
    stream_.socket().shutdown(Socket::shutdown_send, ignored);
    stream_.expires_after(limits::http_linger_time);
    discard();
}

void HttpConnection::discard() {
    stream_.async_read_some(asio::buffer(incoming_),
                            [self = shared_from_this()](ErrorCode error, std::size_t octets) {
                                self->discarded_octets_ += octets;
                                if (error || self->discarded_octets_ > limits::http_linger_octets) {
                                    self->drop();
                                } else {
                                    self->discard();
                                }
                            });
}

} // namespace anyvip::cmd
