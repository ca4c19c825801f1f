// SPDX-License-Identifier: Apache-2.0
#include "vip/kernel/flow_counter.hpp"

#include <optional>

#include <sys/resource.h>

#include "private_network.hpp"
#include "sockets.hpp"

namespace anyvip::vip::kernel {

namespace {

using namespace std::chrono_literals;
using test::connect_to;
using test::endpoint4;
using test::endpoint6;
using test::run;

const IpAddress vip4 = *IpAddress::parse("203.0.113.10");
const IpAddress vip6 = *IpAddress::parse("2001:db8::10");

/// A node with two VIPs and a client that is routed to them.
struct Fabric {
    Fabric() {
        REQUIRE(run("ip address add 10.0.0.11/24 dev up0 && ip address add 203.0.113.10 dev lo"));
        REQUIRE(run("ip address add 2001:db8:1::11/64 dev up0 nodad"));
        REQUIRE(run("ip address add 2001:db8::10 dev lo nodad"));
        client.in([] {
            REQUIRE(run("ip address add 10.0.0.1/24 dev far0"));
            REQUIRE(run("ip address add 2001:db8:1::1/64 dev far0 nodad"));
            REQUIRE(run("ip route add 203.0.113.0/24 via 10.0.0.11"));
            REQUIRE(run("ip route add 2001:db8::/64 via 2001:db8:1::11"));
        });
    }

    [[nodiscard]] FlowCounts count() {
        const std::size_t before = passes;
        counter.watch({vip6, vip4}, 1ms);
        REQUIRE(network.run_until([&] { return passes >= before + 2; }));
        return last;
    }

    template <typename Endpoint> test::Socket connect(const Endpoint& endpoint) const {
        std::optional<test::Socket> socket;
        client.in([&] { socket.emplace(connect_to(endpoint)); });
        return std::move(*socket);
    }

    test::PrivateNetwork network;
    test::RemoteHost client;
    std::size_t passes = 0;
    FlowCounts last;
    FlowCounter counter{network.loop, [this](const FlowCounts& counts) {
                            ++passes;
                            last = counts;
                        }};
};

} // namespace

TEST_CASE("flows of both families are counted, IPv4 ones of IPv6 sockets too") {
    Fabric fabric;
    const auto dual = test::listen_on(endpoint6("::", 8080));
    const auto plain = test::listen_on(endpoint4("203.0.113.10", 8081));
    CHECK(fabric.count() == FlowCounts{{vip4, {}}, {vip6, {}}});

    const auto mapped = fabric.connect(endpoint4("203.0.113.10", 8080));
    const auto v4 = fabric.connect(endpoint4("203.0.113.10", 8081));
    const auto v6 = fabric.connect(endpoint6("2001:db8::10", 8080));
    const auto other = fabric.connect(endpoint4("10.0.0.11", 8080)); // not of a VIP
    auto counts = fabric.count();
    CHECK(counts.size() == 2);
    CHECK(counts[vip4].flows == 2);
    CHECK(counts[vip6].flows == 1);
}

TEST_CASE("what this host says to itself is no flow") {
    Fabric fabric;
    const auto dual = test::listen_on(endpoint6("::", 8080));
    const auto to_v4 = connect_to(endpoint4("203.0.113.10", 8080));
    const auto to_v6 = connect_to(endpoint6("2001:db8::10", 8080));
    test::Socket from_loopback(AF_INET, SOCK_STREAM);
    const auto loopback = endpoint4("127.0.0.1", 0);
    REQUIRE(::bind(*from_loopback, test::generic(loopback), sizeof loopback) == 0);
    const auto vip = endpoint4("203.0.113.10", 8080);
    REQUIRE(::connect(*from_loopback, test::generic(vip), sizeof vip) == 0);
    CHECK(fabric.count() == FlowCounts{{vip4, {}}, {vip6, {}}});
}

TEST_CASE("a flow lives until the service has closed it") {
    Fabric fabric;
    const auto listener = test::listen_on(endpoint4("203.0.113.10", 8080));
    std::optional<test::Socket> client(fabric.connect(endpoint4("203.0.113.10", 8080)));
    std::optional<test::Socket> service(listener.accept());
    client.reset(); // CLOSE_WAIT: there may be an answer to send
    CHECK(fabric.count()[vip4].flows == 1);
    service.reset();
    CHECK(fabric.network.run_until([&] { return fabric.last[vip4].flows == 0; }));

    SUBCASE("and is none any more in TIME_WAIT or FIN_WAIT2 without a service") {
        client.emplace(fabric.connect(endpoint4("203.0.113.10", 8080)));
        service.emplace(listener.accept());
        CHECK(fabric.network.run_until([&] { return fabric.last[vip4].flows == 1; }));
        service.reset();
        CHECK(fabric.network.run_until([&] { return fabric.last[vip4].flows == 0; }));
        client.reset();
        CHECK(fabric.count()[vip4].flows == 0);
    }
}

TEST_CASE("the least idle time is that of the flow that spoke last") {
    Fabric fabric;
    const auto listener = test::listen_on(endpoint4("203.0.113.10", 8080));
    const auto silent = fabric.connect(endpoint4("203.0.113.10", 8080));
    const auto busy = fabric.connect(endpoint4("203.0.113.10", 8080));
    const auto silent_service = listener.accept();
    const auto busy_service = listener.accept();
    CHECK(fabric.count()[vip4].flows == 2);
    CHECK(fabric.network.run_until([&] { return fabric.last[vip4].least_idle >= 100ms; }));
    SUBCASE("by what it received") {
        busy.send("request");
    }
    SUBCASE("by what it sent") {
        busy_service.send("reply");
    }
    CHECK(fabric.network.run_until([&] { return fabric.last[vip4].least_idle < 100ms; }));
}

TEST_CASE("what is sent again and again to a client that does not answer is silence") {
    Fabric fabric;
    const auto listener = test::listen_on(endpoint4("203.0.113.10", 8080));
    const auto client = fabric.connect(endpoint4("203.0.113.10", 8080));
    const auto service = listener.accept();
    fabric.client.in([] { REQUIRE(run("ip address del 10.0.0.1/24 dev far0")); });
    service.send("reply");
    CHECK(fabric.count()[vip4].flows == 1);
    auto longest = fabric.last[vip4].least_idle;
    // Until then the reply has been sent four times, the last time 1.4 s after the first.
    CHECK(fabric.network.run_until([&] {
        const auto idle = fabric.last[vip4].least_idle;
        CHECK(idle >= longest);
        longest = idle;
        return idle >= 1600ms;
    }));
}

TEST_CASE("an empty set stops the count, a new one begins at once") {
    Fabric fabric;
    (void)fabric.count();
    fabric.counter.watch({}, 1ms);
    const std::size_t before = fabric.passes;
    fabric.network.loop.restart();
    while (fabric.network.loop.poll() != 0) {
    }
    CHECK(fabric.passes == before);
    fabric.counter.watch({vip4}, 1h);
    CHECK(fabric.network.run_until([&] { return fabric.passes == before + 1; }));
    CHECK(fabric.last == FlowCounts{{vip4, {}}});
}

TEST_CASE("a shorter pause ends the one that runs") {
    Fabric fabric;
    fabric.counter.watch({vip4}, 1h);
    REQUIRE(fabric.network.run_until([&] { return fabric.passes == 1; }));
    fabric.counter.watch({vip4}, 1ms);
    CHECK(fabric.network.run_until([&] { return fabric.passes >= 3; }));
}

TEST_CASE("many flows are read in slices, and other work of the loop goes on between them") {
    Fabric fabric;
    const auto listener = test::listen_on(endpoint4("203.0.113.10", 8080));
    std::vector<test::Socket> sockets;
    constexpr std::uint64_t count = 3000;
    rlimit descriptors{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &descriptors) == 0);
    descriptors.rlim_cur = descriptors.rlim_max;
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &descriptors) == 0);
    fabric.client.in([&] {
        for (std::uint64_t i = 0; i < count; ++i) {
            sockets.push_back(connect_to(endpoint4("203.0.113.10", 8080)));
            sockets.push_back(listener.accept());
        }
    });
    fabric.counter.watch({vip4}, 1h);
    std::size_t turns = 0;
    while (fabric.passes == 0) {
        fabric.network.loop.restart();
        turns += fabric.network.loop.run_one_for(5s);
    }
    CHECK(fabric.last[vip4].flows == count);
    CHECK(turns > 3);
}

} // namespace anyvip::vip::kernel
