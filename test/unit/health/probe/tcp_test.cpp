// SPDX-License-Identifier: Apache-2.0
// tcp checks against good, bad and absent servers.
#include <array>
#include <vector>

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

#include "health/probe/resolver.hpp"
#include "test/unit/health/probe/support.hpp"

namespace anyvip::health {
namespace {

using namespace test;

/// Says `text` once it has heard anything, and then nothing more.
std::function<void(Server::Connection)> answering(std::string text) {
    return [text = std::move(text)](Server::Connection connection) {
        auto heard = std::make_shared<std::array<char, 512>>();
        connection->async_read_some(
            boost::asio::buffer(*heard), [heard, connection, text](const auto&, std::size_t) {
                boost::asio::write(*connection, boost::asio::buffer(text));
                // held open: the answer must do without an end
                connection->async_read_some(boost::asio::buffer(*heard),
                                            [heard, connection](const auto&, std::size_t) {});
            });
    };
}

TEST_CASE("tcp: a connection is a pass") {
    boost::asio::io_context io;
    const Server server(io, [](const auto&) {});
    const Result result = probe(io, config_of(TcpTarget{.target = server.target()}));
    CHECK(result.outcome == Outcome::Pass);
    CHECK(result.detail == "connected");
}

TEST_CASE("tcp: a refused connection is a hard failure") {
    const Result result = probe(config_of(TcpTarget{.target = dead_target()}));
    CHECK(result.outcome == Outcome::Fail);
    CHECK(result.detail == "connect refused");
    CHECK(result.is_hard);
}

TEST_CASE("tcp: no answer to the connect is a timeout that names its layer") {
    // A listener whose accept queue is full drops further SYNs, as a black hole does.
    boost::asio::io_context io;
    tcp::acceptor full(io);
    full.open(tcp::v4());
    full.bind(tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0));
    full.listen(0);
    std::vector<tcp::socket> fillers;
    for (int i = 0; i < 4; ++i) {
        fillers.emplace_back(io).open(tcp::v4());
        fillers.back().non_blocking(true);
        // asio's own connect would wait for the answer.
        static_cast<void>(::connect(
            fillers.back().native_handle(), full.local_endpoint().data(), sizeof(sockaddr_in)));
    }
    const auto target = "127.0.0.1:" + std::to_string(full.local_endpoint().port());
    const Result result = probe(io, config_of(TcpTarget{.target = target}, milliseconds(300)));
    CHECK(result.outcome == Outcome::Timeout);
    CHECK(result.detail == "connect timeout after 0.3 s");
    CHECK(!result.is_hard);
    CHECK(result.took >= milliseconds(300));
}

TEST_CASE("tcp: send and expect, also when the server keeps the connection open") {
    boost::asio::io_context io;
    const Server server(io, answering("+PONG\r\n"));
    TcpTarget target{.target = server.target(), .send = "PING\r\n", .expect = "PONG"};
    CHECK(probe(io, config_of(target)).detail == "answer as expected");
    target.expect = "OK";
    const Result result = probe(io, config_of(target, milliseconds(200)));
    CHECK(result.outcome == Outcome::Timeout);
    CHECK(result.detail == "answer timeout after 0.2 s: +PONG..");
}

TEST_CASE("tcp: a server that closes at once fails an `expect`, and passes a plain connect") {
    boost::asio::io_context io;
    const Server server(io, [](const auto&) {});
    const Result result =
        probe(io, config_of(TcpTarget{.target = server.target(), .send = {}, .expect = "220"}));
    CHECK(result.outcome == Outcome::Fail);
    CHECK(result.detail == "closed without the expected answer");
}

TEST_CASE("tcp: an endless answer is cut off") {
    boost::asio::io_context io;
    const std::string much(1U << 20U, 'x');
    const Server server(io, [&](Server::Connection connection) {
        boost::asio::async_write(
            *connection, boost::asio::buffer(much), [connection](const auto&, std::size_t) {});
    });
    const Result result =
        probe(io, config_of(TcpTarget{.target = server.target(), .send = {}, .expect = "y"}));
    CHECK(result.outcome == Outcome::Fail);
    CHECK(result.detail.starts_with("not in the first 64 KiB of the answer: xxxx"));
}

TEST_CASE("tcp: targets are addresses, names or unix sockets; others are errors that say why") {
    boost::asio::io_context io;
    const Server server(io, [](const auto&) {});
    const auto port = server.target().substr(server.target().find(':'));
    CHECK(probe(io, config_of(TcpTarget{.target = "localhost" + port})).outcome == Outcome::Pass);

    struct Row {
        const char* target;
        Outcome outcome;
        bool is_hard;
        const char* detail;
    };

    const std::vector<Row> rows{
        {"127.0.0.1", Outcome::Error, false, "target \"127.0.0.1\": no port"},
        {"127.0.0.1:0", Outcome::Error, false, "target \"127.0.0.1:0\": no port"},
        {"127.0.0.1:70000", Outcome::Error, false, "target \"127.0.0.1:70000\": no port"},
        {"[::1:80", Outcome::Error, false, "target \"[::1:80\": ] is missing"},
        {":80", Outcome::Error, false, "target \":80\": no host"},
        {"unix:/nonexistent/socket", Outcome::Fail, true, "socket is missing"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.target);
        const Result result = probe(io, config_of(TcpTarget{.target = row.target}));
        CHECK(result.outcome == row.outcome);
        CHECK(result.is_hard == row.is_hard);
        CHECK(result.detail == row.detail);
        CHECK(!result.is_our_fault);
    }
}

TEST_CASE("tcp: a unix socket whose accept queue is full is no pass") {
    const int listener = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX; // autobind: the kernel chooses an abstract name
    REQUIRE(::bind(listener,
                   reinterpret_cast<const sockaddr*>(&address),
                   sizeof address.sun_family) == 0);
    socklen_t length = sizeof address;
    REQUIRE(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length) == 0);
    REQUIRE(::listen(listener, 0) == 0);
    const std::string name(address.sun_path + 1, length - sizeof address.sun_family - 1);
    const auto config = config_of(TcpTarget{.target = "unix:@" + name});
    // The queue of zero still takes one connection, and a closed one stays in it.
    CHECK(probe(config).outcome == Outcome::Pass);
    const Result result = probe(config);
    CHECK(result.outcome == Outcome::Fail);
    CHECK(result.detail == "connect: accept queue is full");
    ::close(listener);
    CHECK(probe(config).detail == "connect refused");
}

TEST_CASE("tcp: without descriptors the error is our own fault") {
    boost::asio::io_context io;
    const Server server(io, [](const auto&) {});
    const auto config = config_of(TcpTarget{.target = server.target()});
    rlimit before{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
    const rlimit none{.rlim_cur = 0, .rlim_max = before.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
    const Result result = probe(io, config);
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
    CHECK(result.outcome == Outcome::Error);
    CHECK(result.is_our_fault);
    CHECK(result.detail == "connect: Too many open files");
}

TEST_CASE("tcp: all addresses of a name are tried, and it is refused only when all refuse") {
    boost::asio::io_context io;
    const Server server(io, [](const auto&) {});
    const std::string port = server.target().substr(server.target().find(':'));
    const auto address = [](const char* text) { return boost::asio::ip::make_address(text); };

    Resolver::of(io).remember("two.test", {address("127.0.0.2"), address("127.0.0.1")});
    const auto two = config_of(TcpTarget{.target = "two.test" + port});
    CHECK(probe(io, two).outcome == Outcome::Pass);
    CHECK(probe(io, config_of(HttpTarget{.url = "http://two.test" + port}))
              .detail.starts_with("http re")); // request or response: it was connected

    Resolver::of(io).remember("three.test", {address("127.0.0.2"), address("127.0.0.3")});
    const Result refused = probe(io, config_of(TcpTarget{.target = "three.test" + port}));
    CHECK(refused.detail == "connect refused");
    CHECK(refused.is_hard);
}

TEST_CASE("tcp: a name for which there is no thread is our own fault" *
          doctest::skip(::geteuid() != 0)) {
    const pid_t child = ::fork();
    if (child == 0) {
        const rlimit none{0, 0};
        ::setrlimit(RLIMIT_NPROC, &none);
        const bool is_other = ::setresuid(65531, 65531, 65531) == 0;
        boost::asio::io_context io;
        const Result result = probe(io, config_of(TcpTarget{.target = "no-thread.test:80"}));
        ::_exit(is_other && result.outcome == Outcome::Error && result.is_our_fault &&
                        result.detail.starts_with("cannot resolve no-thread.test: ")
                    ? 0
                    : 1);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("a run during which the loop stood still is late") {
    boost::asio::io_context io;
    const Server server(io, [](Server::Connection connection) {
        auto heard = std::make_shared<std::array<char, 1>>();
        connection->async_read_some(boost::asio::buffer(*heard),
                                    [heard, connection](const auto&, std::size_t) {});
    });
    const auto config = config_of(
        TcpTarget{.target = server.target(), .send = {}, .expect = "never"}, milliseconds(400));
    std::optional<Result> result;
    const auto run = make_probe(io, config, [&](Result finished) { result = std::move(finished); });
    io.run_one_for(milliseconds(10));
    // Most of the timeout, but not all of it: the timer for the end itself will be on time.
    const Instant end = std::chrono::steady_clock::now() + milliseconds(300);
    while (std::chrono::steady_clock::now() < end) {
    }
    REQUIRE(run_until(io, [&] { return result.has_value(); }));
    CHECK(result->outcome == Outcome::Timeout);
    CHECK(result->is_late);
}

TEST_CASE("destroying a probe cancels it without a call, at every moment") {
    boost::asio::io_context io;
    const Server server(io, answering("no"));
    const auto config = config_of(TcpTarget{.target = server.target(), .send = "x", .expect = "y"},
                                  milliseconds(300));
    for (int steps = 0; steps < 8; ++steps) {
        CAPTURE(steps);
        bool is_called = false;
        auto run = make_probe(io, config, [&](const Result&) { is_called = true; });
        for (int i = 0; i < steps; ++i) {
            io.restart();
            io.run_one_for(milliseconds(5));
        }
        run.reset();
        io.restart();
        io.run_for(milliseconds(1));
        CHECK(!is_called);
    }
}

TEST_CASE("a probe may be destroyed by its own `done`") {
    boost::asio::io_context io;
    std::unique_ptr<Probe> run;
    bool is_done = false;
    run = make_probe(io, config_of(TcpTarget{.target = dead_target()}), [&](const Result&) {
        run.reset();
        is_done = true;
    });
    CHECK(run_until(io, [&] { return is_done; }));
}

} // namespace
} // namespace anyvip::health
