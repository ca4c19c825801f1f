// SPDX-License-Identifier: Apache-2.0
// Listening sockets: who gets in, who does not, and what an operator is told.
#include "bgp/net/listener.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <memory>

#include <doctest/doctest.h>

#include "bgp/net/socket_options.hpp"
#include "test/unit/bgp/net/owner.hpp"

using namespace anyvip;
using namespace anyvip::bgp;
using namespace anyvip::bgp::net;
using namespace anyvip::bgp::net::test;
using namespace std::chrono_literals;

namespace {

/// A node that listens for a router at 127.0.0.1.
struct Listening {
    boost::asio::io_context io;
    std::uint16_t port = free_port();
    NetConfig net = net_config(1, port);
    std::unique_ptr<Owner> owner;
    std::vector<ListenProblem> reported;
    Listeners listeners{io, [this](const ListenProblem& problem) { reported.push_back(problem); }};
    RawSocket router;

    std::vector<ListenProblem> listen() {
        owner = std::make_unique<Owner>(io, session_config(true), net);
        return listeners.update({&owner->driver});
    }

    void dial(const IpAddress& source = loopback) {
        router.bind(source);
        router.connect(loopback, port);
    }

    bool until(const std::function<bool()>& condition, std::chrono::milliseconds limit = 5s) {
        return run_until(
            io,
            [&] {
                router.read();
                return condition();
            },
            limit);
    }
};

} // namespace

TEST_CASE("an inbound connection of the configured peer gets an OPEN") {
    Listening test;
    CHECK(test.listen().empty());
    test.owner->start();
    test.dial();
    CHECK(test.until([&] { return has_message(test.router.received, 1); }));
    CHECK(test.owner->peer.status().state == SessionState::OpenSent);
}

TEST_CASE("an unknown address is closed without an octet") {
    Listening test;
    CHECK(test.listen().empty());
    test.owner->start();
    test.dial(IpAddress::v4(0x7F000003));
    CHECK(test.until([&] { return test.router.has_ended; }));
    CHECK(test.router.received.empty());
}

TEST_CASE("RFC 4486 §4: a peer that is administratively down gets Cease/5, then FIN") {
    Listening test;
    CHECK(test.listen().empty());
    test.dial();
    CHECK(test.until([&] { return test.router.has_ended; }));
    CHECK(last_notification(test.router.received) == std::vector<std::uint8_t>{6, 5});
    CHECK_FALSE(test.router.is_reset);
}

TEST_CASE("bfd.strict: an inbound connection waits without an octet until the peer is started") {
    Listening test;
    CHECK(test.listen().empty());
    test.owner->peer.defer();
    RawSocket given_up;
    given_up.connect(loopback, test.port);
    given_up.send(router_open());
    CHECK_FALSE(test.until([&] { return given_up.is_connected() && given_up.has_ended; }, 50ms));
    test.dial(); // the router tries again: this one counts
    test.router.send(router_open());
    CHECK_FALSE(test.until([&] { return test.router.has_ended; }, 50ms));
    CHECK(test.router.received.empty());
    test.owner->start();
    CHECK(test.until([&] { return has_message(test.router.received, 4); }));
    CHECK(has_message(test.router.received, 1));
    CHECK(test.owner->peer.status().state == SessionState::OpenConfirm);
    given_up.read();
    CHECK(given_up.received.empty());
    CHECK((given_up.has_ended || given_up.is_reset));
}

TEST_CASE("bfd.strict: an inbound connection that waits for longer than open_hold is closed") {
    Listening test;
    CHECK(test.listen().empty());
    PeerConfig config = session_config(true);
    config.open_hold = 50ms;
    test.owner->peer.reconfigure(config, Owner::now());
    test.owner->peer.defer();
    test.dial();
    CHECK(test.until([&] { return test.router.has_ended; }));
    CHECK(test.router.received.empty());
    CHECK_FALSE(test.router.is_reset);
}

TEST_CASE("a port in use is reported with its code and a text, and can be tried again") {
    Listening test;
    {
        const RawSocket other;
        REQUIRE(other.bind(IpAddress(), test.port));
        other.listen();
        const auto problems = test.listen();
        REQUIRE(problems.size() == 1);
        CHECK(problems[0].code == std::errc::address_in_use);
        CHECK(problems[0].text ==
              "listen on ipv4 port " + std::to_string(test.port) + ": Address already in use");
    }
    CHECK(test.listeners.update({&test.owner->driver}).empty());
}

TEST_CASE("a peer with listen_port 0 is not listened for, and a removed one no longer") {
    Listening test;
    CHECK(test.listen().empty());
    CHECK(test.listeners.update({}).empty());
    test.dial();
    CHECK_FALSE(run_until(test.io, [&] { return test.router.is_connected(); }, 50ms));
    NetConfig silent = test.net;
    silent.listen_port = 0;
    test.owner->driver.reconfigure(silent);
    CHECK(test.listeners.update({&test.owner->driver}).empty());
    RawSocket again;
    again.connect(loopback, test.port);
    CHECK_FALSE(run_until(test.io, [&] { return again.is_connected(); }, 50ms));
}

TEST_CASE("RFC 2385: with a key only a signed connection is heard, and a reload changes the key") {
    Listening test;
    test.net.password = "first";
    CHECK(test.listen().empty());
    test.owner->start();
    NetConfig changed = test.net;
    changed.password = "second";
    test.owner->driver.reconfigure(changed);
    CHECK(test.listeners.update({&test.owner->driver}).empty());
    const RawSocket unsigned_router;
    unsigned_router.connect(loopback, test.port);
    const RawSocket old_router;
    REQUIRE_FALSE(set_md5_key(old_router.handle(), loopback, "first"));
    old_router.connect(loopback, test.port);
    REQUIRE_FALSE(set_md5_key(test.router.handle(), loopback, "second"));
    test.dial();
    CHECK(test.until([&] { return has_message(test.router.received, 1); }));
    CHECK_FALSE(unsigned_router.is_connected());
    CHECK_FALSE(old_router.is_connected());
}

TEST_CASE("RFC 2385: of one link-local address on two links only one key can be listened for") {
    boost::asio::io_context io;
    Listeners listeners(io, [](const ListenProblem&) {});
    NetConfig net = net_config(1, free_port());
    net.address = *IpAddress::parse("fe80::1");
    net.scope = "eth0";
    net.password = "first";
    Owner one(io, session_config(true), net);
    net.scope = "eth1";
    for (const char* key : {"second", ""}) {
        net.password = key;
        Owner other(io, session_config(true), net);
        const auto problems = listeners.update({&one.driver, &other.driver});
        REQUIRE(problems.size() == 1);
        CHECK_FALSE(problems[0].code);
        CHECK(problems[0].text == "peer fe80::1%eth1: cannot dial in, for this address has another "
                                  "key on another interface");
        REQUIRE(listeners.open().size() == 1);
        CHECK(listeners.open()[0].keys.at(*net.address).key == "first");
        CHECK(listeners.update({&one.driver}).empty());
    }
    net.password = "first";
    Owner other(io, session_config(true), net);
    CHECK(listeners.update({&one.driver, &other.driver}).empty());
}

TEST_CASE("a peer whose key file is refused is reported and not let in") {
    Listening test;
    test.net.password_file = "/nonexistent/key";
    const auto problems = test.listen();
    REQUIRE(problems.size() == 1);
    CHECK(problems[0].text ==
          "peer 127.0.0.1: key file /nonexistent/key: No such file or directory");
    test.owner->start();
    test.dial();
    CHECK(test.until([&] { return test.router.has_ended; }));
    CHECK(test.router.received.empty());
}

TEST_CASE("without descriptors accepting pauses, says so once and goes on when there are some") {
    Listening test;
    CHECK(test.listen().empty());
    test.owner->start();
    test.dial();
    rlimit before{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
    const int lowest_free = ::dup(0);
    ::close(lowest_free);
    const rlimit none{static_cast<rlim_t>(lowest_free), before.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
    const bool was_reported = run_until(test.io, [&] { return !test.reported.empty(); });
    test.io.restart();
    const std::size_t handlers = test.io.run_for(50ms);
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
    CHECK(was_reported);
    CHECK(handlers <= 1);
    CHECK(test.until([&] { return has_message(test.router.received, 1); }));
    REQUIRE(test.reported.size() == 1);
    CHECK(test.reported[0].code == std::errc::too_many_files_open);
}
