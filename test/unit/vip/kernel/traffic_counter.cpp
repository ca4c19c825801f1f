// SPDX-License-Identifier: Apache-2.0
#include "vip/kernel/traffic_counter.hpp"

#include <optional>

#include "private_network.hpp"
#include "sockets.hpp"

namespace anyvip::vip::kernel {

namespace {

using test::endpoint4;
using test::endpoint6;
using test::run;
using test::send_datagram;

IpAddress ip(std::string_view text) {
    return *IpAddress::parse(text);
}

/// A node and a router that still sends it what is for its VIPs; they are on no interface any more.
struct Fabric {
    Fabric() {
        REQUIRE(run("ip address add 10.0.0.11/24 dev up0"));
        REQUIRE(run("ip address add 2001:db8:1::11/64 dev up0 nodad"));
        router.in([] {
            REQUIRE(run("ip address add 10.0.0.1/24 dev far0"));
            REQUIRE(run("ip address add 2001:db8:1::1/64 dev far0 nodad"));
            REQUIRE(run("ip route add 203.0.0.0/8 via 10.0.0.11"));
            REQUIRE(run("ip route add 2001:db8::/64 via 2001:db8:1::11"));
        });
    }

    void from_outside(const std::string& address) const {
        router.in([&] {
            if (ip(address).is_v4()) {
                send_datagram(endpoint4(address, 9));
            } else {
                send_datagram(endpoint6(address, 9));
            }
        });
    }

    [[nodiscard]] bool counted(const std::string& address, std::uint64_t count) {
        return network.run_until([&] { return total[ip(address)] >= count; }) &&
               total[ip(address)] == count;
    }

    /// Two reports on: what was underway has been counted.
    void settle() {
        const std::size_t before = reports;
        REQUIRE(network.run_until([&] { return reports >= before + 2; }));
    }

    test::PrivateNetwork network;
    test::RemoteHost router;
    PacketCounts total;
    std::size_t reports = 0;
    TrafficCounter counter{network.loop, [this](const PacketCounts& counts) {
                               ++reports;
                               for (const auto& [address, count] : counts) {
                                   total[address] += count;
                               }
                           }};
};

} // namespace

TEST_CASE("packets from outside are counted for each address, in both families") {
    Fabric fabric;
    REQUIRE_FALSE(fabric.counter.watch({ip("203.0.113.10"),
                                        ip("203.0.113.11"), //
                                        ip("2001:db8::10"),
                                        ip("2001:db8::11")}));
    fabric.from_outside("203.0.113.10");
    fabric.from_outside("203.0.113.10");
    fabric.from_outside("203.0.113.12");
    fabric.from_outside("2001:db8::11");
    fabric.from_outside("2001:db8::12");
    CHECK(fabric.counted("203.0.113.10", 2));
    CHECK(fabric.counted("2001:db8::11", 1));
    fabric.settle();
    CHECK(fabric.total.size() == 2);

    SUBCASE("whatever the protocol") {
        fabric.router.in([] {
            const test::Socket raw(AF_INET, SOCK_RAW, 99);
            const auto vip = endpoint4("203.0.113.11", 0);
            REQUIRE(::sendto(*raw, "x", 1, 0, test::generic(vip), sizeof vip) == 1);
        });
        CHECK(fabric.counted("203.0.113.11", 1));
    }
    SUBCASE("an address that is added to the set, while the others go on") {
        REQUIRE_FALSE(fabric.counter.watch({ip("203.0.113.10"), ip("203.0.113.12")}));
        fabric.from_outside("203.0.113.10");
        fabric.from_outside("203.0.113.12");
        fabric.from_outside("2001:db8::11"); // not watched any more
        CHECK(fabric.counted("203.0.113.10", 3));
        CHECK(fabric.counted("203.0.113.12", 1));
        fabric.settle();
        CHECK(fabric.total[ip("2001:db8::11")] == 1);
    }
    SUBCASE("an empty set ends it") {
        REQUIRE_FALSE(fabric.counter.watch({}));
        const std::size_t reports = fabric.reports;
        fabric.from_outside("203.0.113.10");
        fabric.network.loop.restart();
        fabric.network.loop.run(); // nothing is armed
        CHECK(fabric.reports == reports);
    }
}

TEST_CASE("silence is reported too") {
    Fabric fabric;
    REQUIRE_FALSE(fabric.counter.watch({ip("203.0.113.10")}));
    fabric.settle();
    CHECK(fabric.total.empty());
}

TEST_CASE("what this host sends to itself or through itself to others is not counted") {
    Fabric fabric;
    REQUIRE(run("ip address add 203.0.113.10 dev lo"));
    REQUIRE(run("ip route add 203.0.113.11 via 10.0.0.1"));
    REQUIRE_FALSE(fabric.counter.watch({ip("203.0.113.10"), ip("203.0.113.11")}));
    send_datagram(endpoint4("203.0.113.10", 9)); // over lo
    send_datagram(endpoint4("203.0.113.11", 9)); // goes out of up0
    fabric.from_outside("203.0.113.10");
    CHECK(fabric.counted("203.0.113.10", 1));
    fabric.settle();
    CHECK(fabric.total.size() == 1);
}

TEST_CASE("thousands of addresses are watched") {
    Fabric fabric;
    std::vector<IpAddress> addresses;
    for (std::uint32_t i = 0; i < 5000; ++i) {
        addresses.push_back(IpAddress::v4(0xCB000000U + i * 97)); // 203.0.0.0 and on
    }
    REQUIRE_FALSE(fabric.counter.watch(addresses));
    fabric.from_outside(to_string(addresses[1]));
    fabric.from_outside(to_string(addresses[4999]));
    fabric.from_outside(to_string(IpAddress::v4(addresses[2500].to_v4() + 1))); // in a joined range
    CHECK(fabric.counted(to_string(addresses[1]), 1));
    CHECK(fabric.counted(to_string(addresses[4999]), 1));
    fabric.settle();
    CHECK(fabric.total.size() == 2);
}

} // namespace anyvip::vip::kernel
