// SPDX-License-Identifier: Apache-2.0
// The listeners: who may come in, and where.
#include "cmd/daemon/http_server.hpp"

#include <algorithm>
#include <filesystem>

#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>

#include "cmd/daemon/http_connection.hpp"
#include "cmd/daemon/limits.hpp"

namespace anyvip::cmd {
namespace {

namespace asio = boost::asio;
using ErrorCode = boost::system::error_code;

template <class Protocol> class Server final : public HttpServer {
  public:
    Server(asio::io_context& io, HttpBodies bodies, HttpHandler handler)
        : acceptor_(io), pause_(io), listener_{bodies, std::move(handler), {}} {}

    ~Server() override {
        for (HttpConnection* connection : std::exchange(listener_.connections, {})) {
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
        return std::ranges::all_of(listener_.connections, &HttpConnection::is_settled);
    }

    [[nodiscard]] std::shared_ptr<HttpResponder> adopt(int descriptor, Adopted how) override {
        ErrorCode error;
        HttpConnection::Socket socket(acceptor_.get_executor());
        socket.assign(acceptor_.local_endpoint(error).protocol(), descriptor, error);
        if (error) {
            ::close(descriptor);
            return nullptr;
        }
        auto connection = std::make_shared<HttpConnection>(std::move(socket), listener_);
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
            auto connection = std::make_shared<HttpConnection>(std::move(socket), listener_);
            if (listener_.connections.size() <= limits::http_connections || make_room()) {
                connection->start();
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
        auto& connections = listener_.connections;
        const auto idle = std::ranges::find_if(connections, &HttpConnection::is_reading_request);
        // The newcomer is the last one, and is reading too.
        if (idle == connections.end() || std::next(idle) == connections.end()) {
            return false;
        }
        (*idle)->drop();
        return true;
    }

    typename Protocol::acceptor acceptor_;
    asio::steady_timer pause_;
    HttpListener listener_;
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
    auto server = std::make_unique<Server<asio::local::stream_protocol>>(
        io, HttpBodies::Accepted, std::move(handler));
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
    auto server =
        std::make_unique<Server<asio::ip::tcp>>(io, HttpBodies::Refused, std::move(handler));
    const asio::ip::tcp::endpoint local(address, static_cast<std::uint16_t>(port));
    error = inherited >= 0 ? server->take_over(local.protocol(), inherited) : server->listen(local);
    if (error) {
        return nullptr;
    }
    return server;
}

} // namespace anyvip::cmd
