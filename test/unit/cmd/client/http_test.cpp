// SPDX-License-Identifier: Apache-2.0
// The HTTP client against octets, and against a socket pair.
#include <doctest/doctest.h>

#include <array>

#include <sys/socket.h>
#include <unistd.h>

#include "cmd/client/http.hpp"

using namespace anyvip::client;

namespace {

struct Parsed {
    bool is_valid = true;
    bool is_complete = false;
    unsigned status = 0;
    std::string body;
};

/// The response in portions of this size, then the end of the connection.
[[nodiscard]] Parsed parse(std::string_view octets, std::size_t portion) {
    ResponseParser parser;
    Parsed result;
    while (result.is_valid && !octets.empty()) {
        result.is_valid = parser.feed(octets.substr(0, portion), result.body);
        octets.remove_prefix(std::min(portion, octets.size()));
    }
    result.is_complete = parser.end();
    result.status = parser.status();
    return result;
}

/// The same result for the response split at every octet, in every portion size.
void check_response(std::string_view octets, unsigned status, std::string_view body) {
    for (std::size_t portion = 1; portion <= octets.size(); ++portion) {
        const Parsed result = parse(octets, portion);
        CHECK(result.is_valid);
        CHECK(result.is_complete);
        CHECK(result.status == status);
        CHECK(result.body == body);
    }
}

/// Two connected sockets; the daemon's answer waits in one of them.
class Pair {
  public:
    explicit Pair(std::string_view answer) {
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends_.data()) == 0);
        REQUIRE(::send(ends_[1], answer.data(), answer.size(), 0) ==
                static_cast<ssize_t>(answer.size()));
        REQUIRE(::shutdown(ends_[1], SHUT_WR) == 0);
    }

    ~Pair() {
        ::close(ends_[0]);
        ::close(ends_[1]);
    }

    Pair(const Pair&) = delete;
    Pair& operator=(const Pair&) = delete;

    [[nodiscard]] int client() const { return ends_[0]; }

    [[nodiscard]] std::string request() const {
        std::array<char, 4096> buffer;
        const ssize_t count = ::recv(ends_[1], buffer.data(), buffer.size(), MSG_DONTWAIT);
        return {buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(count, 0))};
    }

  private:
    std::array<int, 2> ends_{};
};

constexpr std::string_view chunked = "HTTP/1.1 200 OK\r\n"
                                     "Transfer-Encoding: chunked\r\n"
                                     "\r\n"
                                     "4\r\n{\"a\"\r\n"
                                     "A;ext=1\r\n:1}\n{\"b\":2\r\n"
                                     "2\r\n}\n\r\n"
                                     "0\r\n"
                                     "X-Trailer: 1\r\n"
                                     "\r\n";

} // namespace

TEST_CASE("a body of known length, split at every octet") {
    check_response("HTTP/1.1 200 OK\r\ncontent-length:  5\r\nX: y\r\n\r\nhello", 200, "hello");
    check_response("HTTP/1.1 409 Conflict\r\nContent-Length: 0\r\n\r\n", 409, "");
}

TEST_CASE("RFC 9112 §7.1: a chunked body with extensions and trailers, split at every octet") {
    check_response(chunked, 200, "{\"a\":1}\n{\"b\":2}\n");
}

TEST_CASE("RFC 9112 §6.3: a body without a length ends with the connection") {
    check_response("HTTP/1.0 200 OK\r\n\r\nuntil the end", 200, "until the end");
}

TEST_CASE("an answer that ends early is not complete") {
    for (std::size_t length = 0; length < chunked.size(); ++length) {
        CHECK_FALSE(parse(chunked.substr(0, length), 4096).is_complete);
    }
    CHECK_FALSE(parse("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", 4096).is_complete);
}

TEST_CASE("what is no HTTP is refused") {
    CHECK_FALSE(parse("SSH-2.0-OpenSSH\r\n\r\n", 4096).is_valid);
    CHECK_FALSE(parse("HTTP/1.1 abc\r\n\r\n", 4096).is_valid);
    CHECK_FALSE(parse("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", 4096).is_valid);
    CHECK_FALSE(
        parse("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 4096).is_valid);
    CHECK_FALSE(parse("HTTP/1.1 200 OK\r\nX: " + std::string(70000, 'a'), 4096).is_valid);
}

TEST_CASE("a request carries its body with POST and asks for one answer") {
    CHECK(encode({.method = "GET", .target = "/v1/status", .body = {}}) ==
          "GET /v1/status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    CHECK(encode({.method = "POST", .target = "/v1/drain", .body = "{}"}) ==
          "POST /v1/drain HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
          "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}");
    CHECK(percent_encode("a b/ä") == "a%20b%2F%C3%A4");
}

TEST_CASE("an exchange over a socket: request out, answer in") {
    const Pair pair("HTTP/1.1 404 Not Found\r\nContent-Length: 13\r\n\r\n{\"error\":\"x\"}");
    const Request request{.method = "GET", .target = "/v1/vips/www", .body = {}};
    const auto response = ask_on(pair.client(), request);
    REQUIRE(response);
    CHECK(response->status == 404);
    CHECK(response->body == "{\"error\":\"x\"}");
    CHECK(pair.request() == encode(request));
}

TEST_CASE("a sink takes the body as it comes, and can end the exchange") {
    const Pair pair(chunked);
    std::string taken;
    const auto response = ask_on(pair.client(), {}, [&](std::string_view portion) {
        taken += portion;
        return false;
    });
    REQUIRE(response);
    CHECK(response->body.empty());
    CHECK(taken == "{\"a\":1}\n{\"b\":2}\n");
}

TEST_CASE("a connection that ends within the answer is an error that says so") {
    const Pair pair(chunked.substr(0, 70));
    const auto response = ask_on(pair.client(), {});
    REQUIRE_FALSE(response);
    CHECK(response.error().reason.find("before its answer was complete") != std::string::npos);
}

TEST_CASE("no daemon there: the reason names the socket") {
    const auto response = ask("/nonexistent/anyvip.sock", {}, std::chrono::seconds(1));
    REQUIRE_FALSE(response);
    CHECK(response.error().reason == "/nonexistent/anyvip.sock: No such file or directory");
    CHECK_FALSE(ask(std::string(200, 'x'), {}, std::chrono::seconds(1)).has_value());
}
