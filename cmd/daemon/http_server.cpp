// SPDX-License-Identifier: Apache-2.0
// Beast parses the requests; answers go through one bounded queue for plain and streamed bodies
// alike. Every answer ends its connection: no keep-alive state to get wrong, and a client reads to
// the end.
#include "cmd/daemon/http_server.hpp"

#include <algorithm>
#include <array>
#include <deque>
#include <filesystem>
#include <list>
#include <optional>

#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/status.hpp>
#include <boost/beast/http/string_body.hpp>

#include "cmd/daemon/limits.hpp"

namespace anyvip::cmd {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using ErrorCode = boost::system::error_code;

std::string describe_client(const asio::local::stream_protocol::socket& socket) {
    ucred credentials{};
    socklen_t length = sizeof credentials;
    const int descriptor =
        const_cast<asio::local::stream_protocol::socket&>(socket).native_handle();
    if (::getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0) {
        return "unknown";
    }
    std::array<char, 4096> memory{};
    passwd entry{};
    passwd* found = nullptr;
    getpwuid_r(credentials.uid, &entry, memory.data(), memory.size(), &found);
    const std::string name = found != nullptr ? found->pw_name : "unknown user";
    return name + " (uid " + std::to_string(credentials.uid) + ", pid " +
           std::to_string(credentials.pid) + ")";
}

std::string describe_client(const asio::ip::tcp::socket& socket) {
    ErrorCode error;
    const auto remote = socket.remote_endpoint(error);
    return error ? "unknown" : remote.address().to_string();
}

// Without the port, in lower case.
std::string host_name(std::string_view host) {
    std::string name(host.starts_with('[') ? host.substr(0, host.find(']') + 1)
                                           : host.substr(0, host.rfind(':')));
    std::ranges::transform(name, name.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return name;
}

std::string head(unsigned status, std::string_view content_type, std::string_view framing) {
    const auto reason = http::obsolete_reason(http::int_to_status(status));
    std::string text = "HTTP/1.1 " + std::to_string(status) + " ";
    text.append(reason.data(), reason.size());
    text += "\r\nContent-Type: ";
    text += content_type;
    text +=
        "\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n";
    text += framing;
    text += "\r\n\r\n";
    return text;
}

std::string chunk(std::string_view octets) {
    std::array<char, 24> size{};
    const int length = std::snprintf(size.data(), size.size(), "%zx\r\n", octets.size());
    std::string framed(size.data(), static_cast<std::size_t>(length));
    framed += octets;
    framed += "\r\n";
    return framed;
}

template <class Protocol>
class Connection final : public HttpResponder,
                         public std::enable_shared_from_this<Connection<Protocol>> {
  public:
    using Registry = std::list<Connection*>; // the oldest first

    Connection(typename Protocol::socket socket, const HttpHandler& handler, Registry& registry)
        : client_(describe_client(socket)), socket_number_(socket.native_handle()),
          stream_(std::move(socket)), handler_(handler), registry_(&registry) {
        parser_.header_limit(limits::http_header_octets);
        parser_.body_limit(limits::http_body_octets);
        place_ = registry_->insert(registry_->end(), this);
    }

    ~Connection() override {
        if (registry_ != nullptr) {
            registry_->erase(place_);
        }
    }

    void read() {
        stream_.expires_after(limits::http_request_time);
        http::async_read(stream_,
                         buffer_,
                         parser_,
                         [self = this->shared_from_this()](ErrorCode error, std::size_t) {
                             self->on_request(error);
                         });
    }

    void refuse() { send(503, "application/json", R"({"error":"too many connections"})"); }

    [[nodiscard]] bool is_reading_request() const { return !is_request_read_ && is_open_; }

    /// The server is going away.
    void abandon() {
        registry_ = nullptr;
        drop();
    }

    void drop() {
        is_open_ = false;
        ErrorCode ignored;
        stream_.socket().shutdown(Protocol::socket::shutdown_both, ignored);
        stream_.socket().close(ignored);
    }

    void send(unsigned status, std::string_view content_type, std::string_view body) override {
        enqueue(head(status, content_type, "Content-Length: " + std::to_string(body.size())) +
                std::string(is_head_ ? std::string_view{} : body));
        finish_queue();
    }

    void begin_stream(std::string_view content_type) override {
        enqueue(head(200, content_type, "Transfer-Encoding: chunked"));
        watch_for_end();
    }

    bool write(std::string_view octets) override {
        if (!octets.empty()) {
            enqueue(chunk(octets));
        }
        return is_open_;
    }

    void finish() override {
        enqueue("0\r\n\r\n");
        finish_queue();
    }

    [[nodiscard]] int descriptor() const override {
        return is_settled() && is_open_ ? socket_number_ : -1;
    }

    [[nodiscard]] bool is_settled() const {
        return !is_open_ || (is_request_read_ && queue_.empty() && !is_finished_);
    }

    /// The request was read by a predecessor.
    void go_on(HttpServer::Adopted how) {
        is_request_read_ = true;
        if (how == HttpServer::Adopted::InStream) {
            watch_for_end();
        }
    }

  private:
    void on_request(ErrorCode error) {
        if (!is_open_) {
            return; // abandoned or replaced, with this already on its way
        }
        if (error == http::error::body_limit || error == http::error::header_limit) {
            send(413, "application/json", R"({"error":"request too large"})");
            return;
        }
        if (error &&
            error.category() == http::make_error_code(http::error::bad_target).category() &&
            error != http::error::end_of_stream && error != http::error::partial_message) {
            send(400, "application/json", R"({"error":"not an HTTP request"})");
            return;
        }
        if (error) {
            drop();
            return;
        }
        is_request_read_ = true;
        stream_.expires_never();
        const auto& message = parser_.get();
        HttpRequest request;
        request.method = std::string(message.method_string());
        request.host = host_name(message[http::field::host]);
        request.body = message.body();
        request.client = client_;
        is_head_ = message.method() == http::verb::head;
        parse_target(message.target(), request);
        handler_(request, this->shared_from_this());
    }

    void enqueue(std::string octets) {
        if (!is_open_) {
            return;
        }
        backlog_octets_ += octets.size();
        if (queue_.size() > 1 && backlog_octets_ > limits::http_stream_backlog_octets) {
            drop();
            return;
        }
        queue_.push_back(std::move(octets));
        if (queue_.size() == 1) {
            write_next();
        }
    }

    void write_next() {
        stream_.expires_after(limits::http_write_time);
        asio::async_write(stream_,
                          asio::buffer(queue_.front()),
                          [self = this->shared_from_this()](ErrorCode error, std::size_t) {
                              self->on_written(error);
                          });
    }

    void on_written(ErrorCode error) {
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

    void finish_queue() {
        is_finished_ = true;
        if (queue_.empty()) {
            close();
        }
    }

    // A follower that hangs up must not be kept until the next event.
    void watch_for_end() {
        stream_.socket().async_wait(Protocol::socket::wait_read,
                                    [self = this->shared_from_this()](ErrorCode error) {
                                        if (!error) {
                                            self->drop();
                                        }
                                    });
    }

    // All is sent. Closing with octets unread would reset the connection and take the answer with
    // it, so that a client whose request was refused half-way would never learn why.
    void close() {
        if (is_request_read_) {
            drop();
            return;
        }
        ErrorCode ignored;
        stream_.socket().shutdown(Protocol::socket::shutdown_send, ignored);
        stream_.expires_after(limits::http_linger_time);
        discard();
    }

    void discard() {
        stream_.async_read_some(
            asio::buffer(discarded_),
            [self = this->shared_from_this()](ErrorCode error, std::size_t octets) {
                self->discarded_octets_ += octets;
                if (error || self->discarded_octets_ > limits::http_linger_octets) {
                    self->drop();
                } else {
                    self->discard();
                }
            });
    }

    std::string client_;
    int socket_number_;
    beast::basic_stream<Protocol> stream_;
    const HttpHandler& handler_;
    Registry* registry_;
    typename Registry::iterator place_;
    beast::flat_buffer buffer_{limits::http_header_octets + limits::http_body_octets};
    http::request_parser<http::string_body> parser_;
    std::deque<std::string> queue_;
    std::size_t backlog_octets_ = 0;
    std::array<char, 4096> discarded_{};
    std::size_t discarded_octets_ = 0;
    bool is_request_read_ = false;
    bool is_open_ = true;
    bool is_finished_ = false;
    bool is_head_ = false;
};

template <class Protocol> class Server final : public HttpServer {
  public:
    Server(asio::io_context& io, HttpHandler handler)
        : acceptor_(io), pause_(io), handler_(std::move(handler)) {}

    ~Server() override {
        for (Connection<Protocol>* connection : std::exchange(connections_, {})) {
            connection->abandon();
        }
        if (!path_.empty()) {
            ::unlink(path_.c_str());
        }
    }

    ErrorCode listen(const typename Protocol::endpoint& endpoint) {
        ErrorCode error;
        acceptor_.open(endpoint.protocol(), error);
        if (error) {
            return error;
        }
        if constexpr (std::is_same_v<Protocol, asio::ip::tcp>) {
            acceptor_.set_option(asio::socket_base::reuse_address(true), error);
        }
        acceptor_.bind(endpoint, error);
        if (!error) {
            acceptor_.listen(asio::socket_base::max_listen_connections, error);
        }
        if (!error) {
            accept();
        }
        return error;
    }

    /// The listening socket of a predecessor.
    ErrorCode take_over(const Protocol& protocol, int inherited) {
        ErrorCode error;
        acceptor_.assign(protocol, inherited, error);
        if (!error) {
            accept();
        }
        return error;
    }

    [[nodiscard]] int descriptor() override { return acceptor_.native_handle(); }

    void pause() override {
        is_paused_ = true;
        ErrorCode ignored;
        acceptor_.cancel(ignored);
        pause_.cancel();
    }

    void resume() override {
        if (std::exchange(is_paused_, false)) {
            accept();
        }
    }

    [[nodiscard]] bool is_settled() const override {
        return std::ranges::all_of(connections_, &Connection<Protocol>::is_settled);
    }

    [[nodiscard]] std::shared_ptr<HttpResponder> adopt(int descriptor, Adopted how) override {
        ErrorCode error;
        typename Protocol::socket socket(acceptor_.get_executor());
        socket.assign(acceptor_.local_endpoint(error).protocol(), descriptor, error);
        if (error) {
            ::close(descriptor);
            return nullptr;
        }
        auto connection =
            std::make_shared<Connection<Protocol>>(std::move(socket), handler_, connections_);
        connection->go_on(how);
        return connection;
    }

    void unlink_at_end(std::string path) { path_ = std::move(path); }

  private:
    void accept() {
        acceptor_.async_accept([this](ErrorCode error, typename Protocol::socket socket) {
            if (error == asio::error::operation_aborted) {
                return; // paused, or destroyed
            }
            if (error) {
                // Out of descriptors: the connection stays in the backlog; look again later instead
                // of spinning.
                pause_.expires_after(std::chrono::milliseconds(100));
                pause_.async_wait([this](ErrorCode aborted) {
                    if (!aborted && !is_paused_) {
                        accept();
                    }
                });
                return;
            }
            auto connection =
                std::make_shared<Connection<Protocol>>(std::move(socket), handler_, connections_);
            if (connections_.size() <= limits::http_connections || make_room()) {
                connection->read();
            } else {
                connection->refuse();
            }
            if (!is_paused_) {
                accept();
            }
        });
    }

    // Whoever holds a place without having asked anything loses it to the next one: an operator
    // gets through a crowd of half requests.
    bool make_room() {
        const auto idle =
            std::ranges::find_if(connections_, &Connection<Protocol>::is_reading_request);
        // The newcomer is the last one, and is reading too.
        if (idle == connections_.end() || std::next(idle) == connections_.end()) {
            return false;
        }
        (*idle)->drop();
        return true;
    }

    typename Protocol::acceptor acceptor_;
    asio::steady_timer pause_;
    HttpHandler handler_;
    typename Connection<Protocol>::Registry connections_;
    std::string path_;
    bool is_paused_ = false;
};

// Two daemons on one socket would fight over the VIPs as well: only a socket that nobody answers on
// is replaced.
std::error_code clear_stale_socket(asio::io_context& io, const std::string& path) {
    std::error_code error;
    const std::filesystem::path parent = std::filesystem::path(path).parent_path();
    if (!parent.empty()) {
        std::filesystem::create_directories(parent, error);
        if (error) {
            return error;
        }
    }
    if (!std::filesystem::exists(std::filesystem::symlink_status(path, error))) {
        return {};
    }
    asio::local::stream_protocol::socket trial(io);
    ErrorCode refused;
    trial.connect(asio::local::stream_protocol::endpoint(path), refused);
    if (!refused) {
        return std::make_error_code(std::errc::address_in_use);
    }
    if (refused != asio::error::connection_refused) {
        return refused;
    }
    std::filesystem::remove(path, error);
    return error;
}

} // namespace

std::unique_ptr<HttpServer> serve_unix(asio::io_context& io,
                                       const std::string& path,
                                       HttpHandler handler,
                                       int inherited,
                                       std::error_code& error) {
    auto server = std::make_unique<Server<asio::local::stream_protocol>>(io, std::move(handler));
    if (inherited >= 0) {
        error = server->take_over(asio::local::stream_protocol(), inherited);
        server->unlink_at_end(path);
        return server;
    }
    if (path.size() >= sizeof(sockaddr_un::sun_path)) {
        error = std::make_error_code(std::errc::filename_too_long);
        return nullptr;
    }
    error = clear_stale_socket(io, path);
    if (error) {
        return nullptr;
    }
    const mode_t before = ::umask(0117); // the socket file is born with mode 0660
    error = server->listen(asio::local::stream_protocol::endpoint(path));
    ::umask(before);
    if (error) {
        return nullptr;
    }
    server->unlink_at_end(path);
    return server;
}

std::unique_ptr<HttpServer> serve_tcp(asio::io_context& io,
                                      const std::string& endpoint,
                                      HttpHandler handler,
                                      int inherited,
                                      std::error_code& error) {
    const std::size_t colon = endpoint.rfind(':');
    std::string host = endpoint.substr(0, colon);
    if (host.starts_with('[') && host.ends_with(']')) {
        host = host.substr(1, host.size() - 2);
    }
    ErrorCode bad_address;
    const auto address = asio::ip::make_address(host, bad_address);
    const int port = colon == std::string::npos ? 0 : std::atoi(endpoint.c_str() + colon + 1);
    if (bad_address || port <= 0 || port > 65535) {
        error = std::make_error_code(std::errc::invalid_argument);
        return nullptr;
    }
    auto server = std::make_unique<Server<asio::ip::tcp>>(io, std::move(handler));
    const asio::ip::tcp::endpoint local(address, static_cast<std::uint16_t>(port));
    error = inherited >= 0 ? server->take_over(local.protocol(), inherited) : server->listen(local);
    if (error) {
        return nullptr;
    }
    return server;
}

} // namespace anyvip::cmd
