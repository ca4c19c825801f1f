// SPDX-License-Identifier: Apache-2.0
// Socket options, read back or seen at work on the loopback interface.
#include "bgp/net/socket_options.hpp"

#include <linux/tcp.h>
#include <netinet/in.h>

#include <doctest/doctest.h>

#include "bgp/net/peer_socket.hpp"
#include "test/unit/bgp/net/loopback.hpp"

using namespace anyvip;
using namespace anyvip::bgp::net;
using namespace anyvip::bgp::net::test;
using namespace std::chrono_literals;

namespace {

int read_option(const RawSocket& socket, int level, int name) {
    int value = -1;
    socklen_t length = sizeof value;
    ::getsockopt(socket.handle(), level, name, &value, &length);
    return value;
}

/// Whether a connection between two ends with these MD5 keys (none when empty) comes up.
bool connects_with_keys(std::string_view server_key, std::string_view client_key) {
    boost::asio::io_context io;
    const RawSocket server;
    server.bind(loopback);
    if (!server_key.empty()) {
        REQUIRE_FALSE(set_md5_key(server.handle(), loopback, server_key));
    }
    server.listen();
    const RawSocket client;
    if (!client_key.empty()) {
        REQUIRE_FALSE(set_md5_key(client.handle(), loopback, client_key));
    }
    client.connect(loopback, server.port());
    return run_until(io, [&] { return client.is_connected(); }, 100ms);
}

} // namespace

TEST_CASE("RFC 2385: a key of 80 octets is taken, none and 81 octets are refused") {
    const RawSocket socket;
    CHECK_FALSE(set_md5_key(socket.handle(), loopback, std::string(80, 'k')));
    CHECK(set_md5_key(socket.handle(), loopback, "") == std::errc::invalid_argument);
    CHECK(set_md5_key(socket.handle(), loopback, std::string(81, 'k')) ==
          std::errc::invalid_argument);
}

TEST_CASE("RFC 2385: removing a key that is not there is no error") {
    const RawSocket socket;
    CHECK_FALSE(remove_md5_key(socket.handle(), loopback));
    CHECK_FALSE(set_md5_key(socket.handle(), loopback, "secret"));
    CHECK_FALSE(remove_md5_key(socket.handle(), loopback));
}

TEST_CASE("RFC 2385 §4.1: only equal keys connect, all else is silence") {
    CHECK(connects_with_keys("secret", "secret"));
    CHECK_FALSE(connects_with_keys("secret", "wrong"));
    CHECK_FALSE(connects_with_keys("secret", ""));
    CHECK_FALSE(connects_with_keys("", "secret"));
}

TEST_CASE("RFC 5082 §3: GTSM for n hops lets TTL 256 - n and higher in") {
    const RawSocket socket;
    CHECK_FALSE(set_ttl_security(socket.handle(), Family::Ipv4, 1));
    CHECK(read_option(socket, IPPROTO_IP, IP_MINTTL) == 255);
    CHECK_FALSE(set_ttl_security(socket.handle(), Family::Ipv4, 3));
    CHECK(read_option(socket, IPPROTO_IP, IP_MINTTL) == 253);
    CHECK_FALSE(set_ttl_security(socket.handle(), Family::Ipv4, 0));
    CHECK(read_option(socket, IPPROTO_IP, IP_MINTTL) == 0);
}

TEST_CASE("RFC 5082 §3: a peer that sends with TTL 64 is not heard with GTSM") {
    boost::asio::io_context io;
    for (const int ttl : {64, 255}) {
        const RawSocket server;
        server.bind(loopback);
        REQUIRE_FALSE(set_ttl_security(server.handle(), Family::Ipv4, 1));
        REQUIRE_FALSE(set_transmit_ttl(server.handle(), Family::Ipv4));
        server.listen();
        const RawSocket client;
        REQUIRE(::setsockopt(client.handle(), IPPROTO_IP, IP_TTL, &ttl, sizeof ttl) == 0);
        client.connect(loopback, server.port());
        CHECK(run_until(io, [&] { return server.has_connection(); }, 100ms) == (ttl == 255));
    }
}

TEST_CASE("segments leave with TTL 255 and class selector 6, for both families") {
    const RawSocket v4;
    CHECK_FALSE(set_transmit_ttl(v4.handle(), Family::Ipv4));
    CHECK_FALSE(set_network_control(v4.handle(), Family::Ipv4));
    CHECK(read_option(v4, IPPROTO_IP, IP_TTL) == 255);
    CHECK(read_option(v4, IPPROTO_IP, IP_TOS) == 0xC0);
    const RawSocket v6(FileDescriptor(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0)));
    CHECK_FALSE(set_transmit_ttl(v6.handle(), Family::Ipv6));
    CHECK_FALSE(set_network_control(v6.handle(), Family::Ipv6));
    CHECK_FALSE(set_ttl_security(v6.handle(), Family::Ipv6, 1));
    CHECK_FALSE(set_ipv6_only(v6.handle()));
    CHECK(read_option(v6, IPPROTO_IPV6, IPV6_UNICAST_HOPS) == 255);
    CHECK(read_option(v6, IPPROTO_IPV6, IPV6_TCLASS) == 0xC0);
    CHECK(read_option(v6, IPPROTO_IPV6, IPV6_MINHOPCOUNT) == 255);
}

TEST_CASE("a kernel without TCP-AO refuses the peer with a clear text, never plain TCP") {
    const RawSocket socket;
    NetConfig config;
    config.address = loopback;
    config.tcp_ao = TcpAoConfig{"", 1, 1, "hmac-sha1-96"};
    const std::error_code error = set_tcp_ao_key(socket.handle(), loopback, *config.tcp_ao, "key");
    const auto outcome = authenticate(socket.handle(), config, loopback, "key");
    if (error == std::errc::no_protocol_option) {
        REQUIRE_FALSE(outcome);
        CHECK(outcome.error().find("this kernel has no TCP-AO (ENOPROTOOPT") != std::string::npos);
    } else {
        CHECK_FALSE(error);
        CHECK(outcome);
    }
}

TEST_CASE("a TCP-AO key of a listening socket is removed before it is set anew") {
    const RawSocket listener = listen_raw();
    const TcpAoConfig config{"", 1, 1, "hmac-sha1-96"};
    if (set_tcp_ao_key(listener.handle(), loopback, config, "key")) {
        CHECK(remove_tcp_ao_key(listener.handle(), loopback, config) ==
              std::errc::no_protocol_option);
        return; // this kernel has no TCP-AO
    }
    CHECK(set_tcp_ao_key(listener.handle(), loopback, config, "new") == std::errc::file_exists);
    CHECK_FALSE(remove_tcp_ao_key(listener.handle(), loopback, config));
    CHECK_FALSE(set_tcp_ao_key(listener.handle(), loopback, config, "new"));
}

TEST_CASE("octets count as unacknowledged until the other side's TCP has them") {
    boost::asio::io_context io;
    const Pair pair = connect_pair();
    CHECK(unacknowledged_octets(pair.ours.handle()) == 0);
    pair.ours.send({1, 2, 3});
    CHECK(run_until(io, [&] { return unacknowledged_octets(pair.ours.handle()) == 0; }));
    CHECK_FALSE(unacknowledged_octets(-1));
}

TEST_CASE("an abortive close is seen as a reset") {
    boost::asio::io_context io;
    Pair pair = connect_pair();
    REQUIRE_FALSE(set_abortive_close(pair.ours.handle()));
    pair.ours.close();
    CHECK(run_until(io, [&] {
        pair.theirs.read();
        return pair.theirs.is_reset;
    }));
}
