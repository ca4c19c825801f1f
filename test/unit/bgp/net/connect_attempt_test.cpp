// SPDX-License-Identifier: Apache-2.0
// Outgoing connections: answered, refused, silent, given up.
#include "bgp/net/connect_attempt.hpp"

#include <sys/socket.h>

#include <doctest/doctest.h>

#include "bgp/net/endpoints.hpp"
#include "bgp/net/socket_options.hpp"
#include "test/unit/bgp/net/loopback.hpp"

using namespace anyvip;
using namespace anyvip::bgp::net;
using namespace anyvip::bgp::net::test;
using namespace std::chrono_literals;

namespace {

NetConfig config_for(std::uint16_t port) {
    NetConfig config;
    config.address = loopback;
    config.port = port;
    return config;
}

struct Outcome {
    boost::asio::io_context io;
    std::optional<ConnectAttempt::Result> result;
    std::optional<ConnectAttempt> attempt;

    void begin(const NetConfig& config, std::chrono::milliseconds timeout = 3s) {
        attempt.emplace(io, config, ConnectAttempt::Limits{timeout, 0ms}, [this](auto answer) {
            REQUIRE_FALSE(result);
            result = std::move(answer);
        });
        CHECK_FALSE(result);
    }

    std::string failure(const NetConfig& config, std::chrono::milliseconds timeout = 3s) {
        begin(config, timeout);
        REQUIRE(run_until(io, [&] { return result.has_value(); }));
        REQUIRE_FALSE(*result);
        return result->error();
    }
};

} // namespace

TEST_CASE("an answered attempt gives a connected socket from the configured source") {
    const RawSocket listener = listen_raw();
    NetConfig config = config_for(listener.port());
    config.local_address = IpAddress::v4(0x7F000002);
    Outcome outcome;
    outcome.begin(config);
    REQUIRE(run_until(outcome.io, [&] { return outcome.result.has_value(); }));
    REQUIRE(*outcome.result);
    const int socket = (*outcome.result)->native_handle();
    CHECK(remote_end(socket) == SocketAddress{loopback, 0, listener.port()});
    const auto ends = read_endpoints(socket, {});
    REQUIRE(ends);
    CHECK(ends->local == *config.local_address);
    CHECK(ends->remote == loopback);
}

TEST_CASE("a refused attempt says so, from the loop") {
    const std::uint16_t port = free_port();
    CHECK(Outcome().failure(config_for(port)) ==
          "connect to 127.0.0.1 port " + std::to_string(port) + ": Connection refused");
}

TEST_CASE("an attempt that cannot even begin fails from the loop too") {
    NetConfig config = config_for(free_port());
    config.local_address = IpAddress::v4(0x0A0B0C0D);
    CHECK(Outcome().failure(config) ==
          "local_address 10.11.12.13: Cannot assign requested address");
    NetConfig unknown;
    unknown.scope = "eth0";
    CHECK(Outcome().failure(unknown) == "no router advertisement on eth0 yet");
    NetConfig scoped;
    scoped.address = *IpAddress::parse("fe80::1");
    scoped.scope = "nonexistent";
    CHECK(Outcome().failure(scoped) == "no interface \"nonexistent\"");
    NetConfig keyless = config_for(1);
    keyless.password_file = "/nonexistent/key";
    CHECK(Outcome().failure(keyless) == "key file /nonexistent/key: No such file or directory");
}

TEST_CASE("RFC 2385 §4.1: silence with a key configured ends with a hint at the key") {
    const RawSocket listener = listen_raw(); // has no key: drops the signed SYN
    NetConfig config = config_for(listener.port());
    config.password = "secret";
    const std::string reason = Outcome().failure(config, 200ms);
    CHECK(reason.find("no answer within 200 ms (") != std::string::npos);
    CHECK(reason.find("secret") == std::string::npos);
}

TEST_CASE("an attempt that was given up never answers") {
    const RawSocket listener = listen_raw();
    Outcome outcome;
    outcome.begin(config_for(listener.port()));
    outcome.attempt.reset();
    CHECK_FALSE(run_until(outcome.io, [&] { return outcome.result.has_value(); }, 50ms));
}
