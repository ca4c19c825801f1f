// SPDX-License-Identifier: Apache-2.0
// A PeerDriver against a raw router on the loopback interface.
#include "bgp/net/peer_driver.hpp"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <memory>

#include <doctest/doctest.h>

#include "test/unit/bgp/net/owner.hpp"

using namespace anyvip;
using namespace anyvip::bgp;
using namespace anyvip::bgp::net;
using namespace anyvip::bgp::net::test;
using namespace std::chrono_literals;

namespace {

/// A node that has dialled the router.
struct Dialled {
    boost::asio::io_context io;
    RawSocket listener = listen_raw();
    Owner owner{io, session_config(false), net_config(listener.port())};
    RawSocket router{FileDescriptor()};

    void connect() {
        owner.start();
        REQUIRE(run_until(io, [&] { return listener.has_connection(); }));
        router = listener.accept();
    }

    bool until(const std::function<bool()>& condition) {
        return run_until(io, [&] {
            router.read();
            return condition();
        });
    }

    void establish() {
        connect();
        router.send(router_open());
        router.send(router_keepalive());
        REQUIRE(until([&] { return owner.peer.is_established(); }));
    }
};

const Prefix vip = Prefix::host(IpAddress::v4(0xCB00710A));

} // namespace

TEST_CASE("RFC 4271 §8.2.2: OPEN is the first message once TCP is up, and nothing follows it") {
    Dialled test;
    test.connect();
    CHECK(test.until([&] { return test.router.received.size() >= 29; }));
    CHECK(test.router.received[18] == 1);
    CHECK_FALSE(has_message(test.router.received, 2));
    CHECK(test.owner.peer.status().state == SessionState::OpenSent);
}

TEST_CASE("a wanted route is written, and its withdraw acknowledged by the router's TCP") {
    Dialled test;
    test.establish();
    test.owner.peer.want(vip, std::make_shared<RouteIntent>());
    test.owner.turn();
    CHECK(test.owner.peer.is_advertised(vip));
    CHECK(test.until([&] { return has_message(test.router.received, 2); }));
    test.owner.peer.want(vip, nullptr);
    test.owner.turn();
    CHECK_FALSE(test.owner.peer.is_advertised(vip));
    CHECK(test.until([&] { return test.owner.peer.withdrawals_acknowledged(); }));
}

TEST_CASE("a refused attempt is repeated until the router listens") {
    boost::asio::io_context io;
    const std::uint16_t port = free_port();
    Owner owner(io, session_config(false), net_config(port));
    owner.start();
    REQUIRE(run_until(
        io, [&] { return owner.last_error().find("Connection refused") != std::string::npos; }));
    const RawSocket listener;
    const int on = 1;
    ::setsockopt(listener.handle(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    REQUIRE(listener.bind(loopback, port));
    listener.listen();
    CHECK(run_until(io, [&] { return listener.has_connection(); }));
}

TEST_CASE("RFC 4486: a stop sends Cease/2 and FIN, never RST, also with unread data") {
    Dialled test;
    test.establish();
    test.router.send(router_keepalive());
    test.owner.peer.stop(wire::Cease::AdministrativeShutdown, "maintenance", Owner::now());
    test.owner.turn();
    CHECK_FALSE(test.owner.driver.is_quiet());
    CHECK(test.until([&] { return test.router.has_ended; }));
    CHECK_FALSE(test.router.is_reset);
    CHECK(last_notification(test.router.received) == std::vector<std::uint8_t>{6, 2});
    test.router.close();
    CHECK(run_until(test.io, [&] { return test.owner.driver.is_quiet(); }));
}

TEST_CASE("the graceful close of a removed peer goes on without its driver") {
    boost::asio::io_context io;
    const RawSocket listener = listen_raw();
    auto owner = std::make_unique<Owner>(io, session_config(false), net_config(listener.port()));
    owner->start();
    REQUIRE(run_until(io, [&] { return listener.has_connection(); }));
    RawSocket router = listener.accept();
    const auto until = [&](const std::function<bool()>& condition) {
        return run_until(io, [&] {
            router.read();
            return condition();
        });
    };
    REQUIRE(until([&] { return !router.received.empty(); }));
    owner->peer.stop(wire::Cease::PeerDeconfigured, "", Owner::now());
    owner->driver.drain();
    owner.reset();
    CHECK(until([&] { return router.has_ended; }));
    CHECK(last_notification(router.received) == std::vector<std::uint8_t>{6, 3});
}

TEST_CASE("a NOTIFICATION is read before the end of the connection and named as the reason") {
    Dialled test;
    test.establish();
    test.router.send(message(3, {6, 4}));
    test.router.close();
    CHECK(run_until(test.io, [&] { return !test.owner.last_down.empty(); }));
    CHECK(test.owner.last_down.find("Administrative Reset") != std::string::npos);
}

TEST_CASE("a flood from one router does not delay another router's session") {
    Dialled quiet;
    boost::asio::io_context& io = quiet.io;
    const RawSocket loud_listener = listen_raw();
    Owner loud(io, session_config(false), net_config(loud_listener.port()));
    loud.start();
    REQUIRE(run_until(io, [&] { return loud_listener.has_connection(); }));
    const RawSocket flooder = loud_listener.accept();
    flooder.send(router_open());
    quiet.connect();
    std::vector<std::uint8_t> flood;
    while (flood.size() < 60000) {
        const auto one = router_keepalive();
        flood.insert(flood.end(), one.begin(), one.end());
    }
    // The flood never pauses: its socket is filled again before every handler.
    const auto step = [&] {
        flooder.send(flood);
        quiet.router.read();
    };
    step();
    quiet.router.send(router_open());
    quiet.router.send(router_keepalive());
    int handlers = 0;
    while (!quiet.owner.peer.is_established() && handlers < 50) {
        step();
        io.restart();
        handlers += static_cast<int>(io.run_one_for(10ms));
    }
    CHECK(quiet.owner.peer.is_established());
}

TEST_CASE("a key file that everybody may write refuses the peer and names the file") {
    const auto path =
        std::filesystem::temp_directory_path() / ("anyvip-open-key-" + std::to_string(::getpid()));
    std::ofstream(path) << "secret";
    ::chmod(path.c_str(), 0646);
    boost::asio::io_context io;
    const RawSocket listener = listen_raw();
    NetConfig net = net_config(listener.port());
    net.password_file = path.string();
    Owner owner(io, session_config(false), net);
    owner.start();
    CHECK(owner.driver.transport_problem() ==
          "key file " + path.string() + ": everybody may write it; chmod o-w");
    CHECK(
        run_until(io, [&] { return owner.last_error().find(path.string()) != std::string::npos; }));
    CHECK_FALSE(listener.has_connection());
    // Repaired, it is read again for the next attempt.
    ::chmod(path.c_str(), 0600);
    CHECK(run_until(io, [&] { return owner.driver.transport_problem().empty(); }));
    std::filesystem::remove(path);
}

TEST_CASE("the owner may destroy a driver in the turn that its event began") {
    boost::asio::io_context io;
    const RawSocket listener = listen_raw();
    Peer peer(session_config(false), {Asn{65010}, RouterId{1}}, 1, Owner::now());
    std::unique_ptr<PeerDriver> driver;
    driver = std::make_unique<PeerDriver>(
        io, peer, net_config(listener.port()), std::set<IpAddress>{}, [&] { driver.reset(); });
    peer.start(Owner::now());
    driver->drain();
    CHECK(run_until(io, [&] { return driver == nullptr; }));
}

TEST_CASE("the owner may destroy a driver in the turn of a connection that it adopts") {
    boost::asio::io_context io;
    Pair pair = connect_pair();
    Peer peer(session_config(true), {Asn{65010}, RouterId{1}}, 1, Owner::now());
    std::unique_ptr<PeerDriver> driver;
    int turns = 0;
    const auto on_turn = [&] {
        driver.reset();
        ++turns; // what was captured must still be there
    };
    driver =
        std::make_unique<PeerDriver>(io, peer, net_config(1, 1), std::set<IpAddress>{}, on_turn);
    peer.start(Owner::now());
    CHECK(driver->adopt(pair.ours.take()));
    CHECK(turns == 1);
    CHECK(driver == nullptr);
}
