// SPDX-License-Identifier: Apache-2.0
// http checks against tiny servers that answer well, badly, slowly, endlessly or not.
#include <array>
#include <vector>

#include <boost/asio/buffer.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

#include "test/unit/health/probe/support.hpp"

namespace anyvip::health {
namespace {

using namespace test;

/// Reads a whole request into `request`, writes `response`, and closes or not.
struct Responder {
    std::string response;
    bool is_closing = true;
    std::string request{};

    void serve(Server::Connection connection) {
        auto heard = std::make_shared<std::array<char, 2048>>();
        connection->async_read_some(
            boost::asio::buffer(*heard),
            [this, heard, connection](const auto&, std::size_t octets) {
                request.append(heard->data(), octets);
                if (!request.contains("\r\n\r\n")) {
                    serve(connection);
                    return;
                }
                boost::system::error_code ignored;
                boost::asio::write(*connection, boost::asio::buffer(response), ignored);
                if (!is_closing) {
                    connection->async_read_some(boost::asio::buffer(*heard),
                                                [heard, connection](const auto&, std::size_t) {});
                }
            });
    }

    [[nodiscard]] auto bound() {
        return [this](Server::Connection connection) { serve(std::move(connection)); };
    }
};

TEST_CASE("http: status, body and evidence") {
    struct Row {
        const char* response;
        const char* expect_body;
        Outcome outcome;
        const char* detail;
    };

    const std::vector<Row> rows{
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "", Outcome::Pass, "200 OK"},
        {"HTTP/1.0 200 OK\r\n\r\nwithout length", "length", Outcome::Pass, "200 OK"},
        {"HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", "", Outcome::Pass, "200 OK"},
        {"HTTP/1.1 204 No Content\r\n\r\n", "", Outcome::Pass, "204 No Content"},
        {"HTTP/1.1 304 Not Modified\r\n\r\n", "", Outcome::Pass, "304 Not Modified"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nall\r\n6\r\n "
         "right\r\n0\r\n\r\n",
         "all right",
         Outcome::Pass,
         "200 OK"},
        {"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: "
         "0\r\n\r\n",
         "",
         Outcome::Pass,
         "200 OK"},
        {"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
         "",
         Outcome::Fail,
         "503 Service Unavailable, expected 200-299,304"},
        {"HTTP/1.1 301 Moved\r\nLocation: /\r\nContent-Length: 0\r\n\r\n",
         "",
         Outcome::Fail,
         "301 Moved, expected 200-299,304"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno",
         "yes",
         Outcome::Fail,
         "200 OK, body without \"yes\""},
        {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",
         "",
         Outcome::Fail,
         "http response: partial message"},
        {"", "", Outcome::Fail, "http response: closed without one"},
        {"SSH-2.0-OpenSSH\r\n", "", Outcome::Fail, "http response: bad version"},
        {"HTTP/1.1 2000 OK\r\n\r\n", "", Outcome::Fail, "http response: bad status"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.response);
        boost::asio::io_context io;
        Responder responder{.response = row.response};
        const Server server(io, responder.bound());
        HttpTarget target{.url = server.url("/healthz?deep=1#part")};
        target.expect_body = row.expect_body;
        const Result result = probe(io, config_of(target));
        CHECK(result.outcome == row.outcome);
        CHECK(result.detail == row.detail);
        CHECK(responder.request.starts_with("GET /healthz?deep=1 HTTP/1.1\r\nHost: 127.0.0.1:"));
        CHECK(responder.request.contains("\r\nConnection: close\r\n"));
    }
}

TEST_CASE("http: a complete response needs no end of the connection") {
    boost::asio::io_context io;
    Responder responder{.response = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
                        .is_closing = false};
    const Server server(io, responder.bound());
    CHECK(probe(io, config_of(HttpTarget{.url = server.url()})).detail == "200 OK");
}

TEST_CASE("http: method, host and headers are the operator's") {
    boost::asio::io_context io;
    Responder responder{.response = "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"};
    const Server server(io, responder.bound());
    HttpTarget target{.url = server.url(), .method = "HEAD", .host = "www.example.org"};
    target.headers = {{"X-Probe", "1"}, {"user-agent", "mine"}};
    CHECK(probe(io, config_of(target)).detail == "200 OK");
    CHECK(responder.request.starts_with("HEAD / HTTP/1.1\r\nHost: www.example.org\r\n"));
    CHECK(responder.request.contains("\r\nX-Probe: 1\r\n"));
    CHECK(responder.request.contains("\r\nuser-agent: mine\r\n"));
    CHECK(!responder.request.contains("anyvip"));
}

TEST_CASE("http: servers that stall name the layer at which they did") {
    struct Row {
        const char* response;
        const char* detail;
    };

    const std::vector<Row> rows{
        {"", "http response timeout after 0.2 s"},
        {"HTTP/1.1 200 OK\r\nX: ", "http response timeout after 0.2 s"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", "http body timeout after 0.2 s"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.response);
        boost::asio::io_context io;
        Responder responder{.response = row.response, .is_closing = false};
        const Server server(io, responder.bound());
        const Result result =
            probe(io, config_of(HttpTarget{.url = server.url()}, milliseconds(200)));
        CHECK(result.outcome == Outcome::Timeout);
        CHECK(result.detail == row.detail);
    }
}

/// Writes one piece every few milliseconds for as long as somebody reads.
void drip(Server::Connection connection, std::string piece) {
    auto timer = std::make_shared<boost::asio::steady_timer>(connection->get_executor());
    timer->expires_after(milliseconds(5));
    timer->async_wait([timer, connection, piece](const auto&) {
        boost::system::error_code error;
        boost::asio::write(*connection, boost::asio::buffer(piece), error);
        if (!error) {
            drip(connection, piece);
        }
    });
}

TEST_CASE("http: one byte at a time is a timeout; endless headers are cut off") {
    boost::asio::io_context io;
    const Server slow(io, [](Server::Connection connection) { drip(connection, "H"); });
    CHECK(probe(io, config_of(HttpTarget{.url = slow.url()}, milliseconds(300))).outcome !=
          Outcome::Pass);
    Responder endless{.response = "HTTP/1.1 200 OK\r\n"};
    for (int i = 0; i < 2000; ++i) {
        endless.response += "X-Header: with a value\r\n";
    }
    const Server server(io, endless.bound());
    const Result result = probe(io, config_of(HttpTarget{.url = server.url()}));
    CHECK(result.outcome == Outcome::Fail);
    CHECK(result.detail == "http response: header limit exceeded");
}

TEST_CASE("http: a body beyond 256 KiB is not read to its end") {
    boost::asio::io_context io;
    Responder responder{.response = "HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\nneedle"};
    responder.response += std::string(300000, 'x');
    const Server server(io, responder.bound());
    HttpTarget target{.url = server.url(), .expect_body = "needle"};
    CHECK(probe(io, config_of(target)).detail == "200 OK");
    target.expect_body = "thread";
    CHECK(probe(io, config_of(target)).detail == "200 OK, body without \"thread\"");
}

TEST_CASE("http: no memory is reserved for the length that a server claims") {
    boost::asio::io_context io;
    Responder responder{.response =
                            "HTTP/1.1 200 OK\r\nContent-Length: 4611686018427387904\r\n\r\nshort"};
    const Server server(io, responder.bound());
    CHECK(probe(io, config_of(HttpTarget{.url = server.url()})).detail ==
          "http response: partial message");
}

TEST_CASE("http: a refused connection is hard; a URL that is none is an error that says why") {
    const Result refused = probe(config_of(HttpTarget{.url = "http://" + dead_target()}));
    CHECK(refused.is_hard);
    CHECK(refused.detail == "connect refused");

    struct Row {
        const char* url;
        const char* detail;
    };

    const std::vector<Row> rows{
        {"ftp://x/", "url \"ftp://x/\": neither http:// nor https://"},
        {"http:///path", "url \"http:///path\": target \"\": no host"},
        {"http://me@host/", "url \"http://me@host/\": no user in a URL; use a header"},
        {"http://h/a b",
         "url \"http://h/a b\": blanks and other special characters must be "
         "%-encoded"},
    };
    for (const Row& row : rows) {
        const Result result = probe(config_of(HttpTarget{.url = row.url}));
        CHECK(result.outcome == Outcome::Error);
        CHECK(result.detail == row.detail);
    }
}

} // namespace
} // namespace anyvip::health
