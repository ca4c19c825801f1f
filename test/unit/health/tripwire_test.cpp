// SPDX-License-Identifier: Apache-2.0
// Which tripwires fit which check.
#include <doctest/doctest.h>

#include <vector>

#include "health/tripwire.hpp"

namespace anyvip::health {
namespace {

TripwirePlan plan(Target target, Tripwire tripwire = Tripwire::On, Scope scope = Scope::Local) {
    CheckConfig config{.name = "c", .target = std::move(target)};
    config.tripwire = tripwire;
    config.scope = scope;
    return plan_tripwires(config);
}

TEST_CASE("CONTRACT §2: what is armed for each type of check") {
    struct Row {
        Target target;
        std::uint16_t port = 0;
        std::vector<std::string> paths{};
        std::string pidfile{};
        std::string unix_socket{};
    };

    const std::vector<Row> rows{
        {TcpTarget{.target = "127.0.0.1:8080"}, 8080},
        {TcpTarget{.target = "unix:/run/a.sock"}, 0, {"/run/a.sock"}, "", "/run/a.sock"},
        {TcpTarget{.target = "unix:@abstract"}, 0, {}, "", "@abstract"},
        {TcpTarget{.target = "nonsense"}},
        {TlsTarget{.target = "[::1]:8443"}, 8443},
        {HttpTarget{.url = "http://localhost/health"}, 80},
        {HttpTarget{.url = "https://localhost/health"}, 443},
        {DnsTarget{.server = "127.0.0.1", .query = "x"}, 53},
        {HaproxyTarget{.socket = "/run/h.sock"}, 0, {"/run/h.sock"}, "", "/run/h.sock"},
        {ExecTarget{.command = {"/bin/true"}}},
        {ProcessTarget{.pidfile = "/run/a.pid"}, 0, {"/run/a.pid"}, "/run/a.pid"},
        {ProcessTarget{.pidfile = {}, .unit = "a.service"}, 0, {}},
        {FileTarget{.path = "/run/ready"}, 0, {"/run/ready"}},
    };
    for (const Row& row : rows) {
        const auto found = plan(row.target);
        CHECK((found.listener ? found.listener->port : 0) == row.port);
        CHECK(found.paths == row.paths);
        CHECK(found.pidfile == row.pidfile);
        CHECK(found.unix_socket == row.unix_socket);
        CHECK(!found.connection);
        const auto off = plan(row.target, Tripwire::Off);
        CHECK(!off.listener);
        CHECK(off.paths.empty());
        CHECK(off.unix_socket.empty());
    }
}

TEST_CASE("an idle connection only when asked for, and never to what all nodes share") {
    const TcpTarget target{.target = "127.0.0.1:1"};
    CHECK(plan(target, Tripwire::Connection).connection);
    CHECK(!plan(target, Tripwire::Connection, Scope::Shared).connection);
    CHECK(plan(target, Tripwire::Connection, Scope::Shared).listener);
    CHECK(!plan(DnsTarget{.server = "127.0.0.1"}, Tripwire::Connection).connection);
    CHECK(!plan(ExecTarget{.command = {"/bin/true"}}, Tripwire::Connection).connection);
}

TEST_CASE("a server that closes idle connections is met ever more rarely, up to once a minute") {
    ConnectionBackOff back_off;
    Instant now{std::chrono::hours(1)};
    std::vector<int> waits;
    for (int i = 0; i < 8; ++i) {
        REQUIRE(back_off.may_open(now));
        back_off.opened(now);
        back_off.closed(now);
        int seconds = 0;
        while (!back_off.may_open(now)) {
            now += std::chrono::seconds(1);
            ++seconds;
        }
        waits.push_back(seconds);
    }
    CHECK(waits == std::vector{1, 2, 4, 8, 16, 32, 60, 60});
    back_off.opened(now);
    now += std::chrono::minutes(5); // it lived
    back_off.closed(now);
    CHECK(!back_off.may_open(now));
    CHECK(back_off.may_open(now + std::chrono::seconds(1)));
}

} // namespace
} // namespace anyvip::health
