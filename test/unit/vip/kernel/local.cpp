// SPDX-License-Identifier: Apache-2.0
#include "vip/kernel/local.hpp"

#include <sys/resource.h>

#include "private_network.hpp"
#include "vip/kernel/address_kernel.hpp"

namespace anyvip::vip::kernel {

namespace {

using test::run;

IpAddress ip(std::string_view text) {
    return *IpAddress::parse(text);
}

} // namespace

TEST_CASE("a VIP is local only while this host has its address") {
    test::PrivateNetwork network;
    REQUIRE(run("ip link add up0 type veth peer name far0 && ip link set up0 up"));
    REQUIRE(run("ip address add 10.0.0.11/24 dev up0 && ip route add default via 10.0.0.1"));
    REQUIRE(run("ip -6 address add 2001:db8:1::11/64 dev up0 nodad"));
    REQUIRE(run("ip -6 route add default via 2001:db8:1::1 dev up0"));
    for (const auto* text : {"203.0.113.10", "2001:db8::10"}) {
        CAPTURE(text);
        CHECK(is_local_address(ip(text)) == false); // routed to another node
        REQUIRE(run(std::string("ip address add ") + text + " dev lo"));
        CHECK(is_local_address(ip(text)) == true);
    }
    REQUIRE(run("ip route del default"));
    CHECK(is_local_address(ip("203.0.113.11")) == false); // no route at all
    CHECK(is_local_address(ip("127.0.0.1")) == true);
    for (const auto* kind : {"unreachable", "prohibit", "blackhole"}) {
        CAPTURE(kind);
        REQUIRE(run(std::string("ip route replace ") + kind + " 203.0.113.12"));
        CHECK(is_local_address(ip("203.0.113.12")) == false);
    }
}

TEST_CASE("without a descriptor nobody says that an address is not local") {
    rlimit before{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
    const rlimit none{.rlim_cur = 3, .rlim_max = before.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
    const auto answer = is_local_address(ip("127.0.0.1"));
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
    REQUIRE_FALSE(answer);
    CHECK(answer.error() == std::errc::too_many_files_open);
}

TEST_CASE("the local address towards a router is what the kernel would choose, never a VIP") {
    test::PrivateNetwork network;
    REQUIRE(run("ip link add up0 type veth peer name far0 && ip link set up0 up"));
    REQUIRE(run("ip link set far0 up && ip address add 10.0.0.11/24 dev up0"));
    AddressKernel kernel(network.loop,
                         {.observed = [](const Observation&) {},
                          .turn_ended = [] {},
                          .notice = [](const std::string&) {}},
                         {});
    REQUIRE_FALSE(kernel.start());
    REQUIRE_FALSE(kernel.add(*Prefix::parse("10.0.0.1"), "lo"));
    REQUIRE_FALSE(kernel.add(*Prefix::parse("2001:db8:1::99"), "up0"));
    REQUIRE(run("ip -6 address add 2001:db8:1::11/64 dev up0 nodad"));
    CHECK(local_address_towards(ip("10.0.0.7")) == ip("10.0.0.11"));
    CHECK(local_address_towards(ip("2001:db8:1::1")) == ip("2001:db8:1::11"));
    CHECK(local_address_towards(ip("192.0.2.1")) == std::nullopt);
    CHECK(local_address_towards(ip("2001:db8:2::1")) == std::nullopt);
    REQUIRE(run("ip -6 address add fe80::11/64 dev up0 nodad"));
    CHECK(local_address_towards(ip("fe80::1"), "up0") == ip("fe80::11"));
    CHECK(local_address_towards(ip("fe80::1")) == std::nullopt);
    CHECK(local_address_towards(ip("fe80::1"), "none0") == std::nullopt);
}

TEST_CASE("the interface towards a router is that of the route to it") {
    test::PrivateNetwork network;
    REQUIRE(run("ip link add up0 type veth peer name far0 && ip link set up0 up"));
    REQUIRE(run("ip link set far0 up && ip address add 10.0.0.11/24 dev up0"));
    REQUIRE(run("ip -6 address add 2001:db8:1::11/64 dev up0 nodad"));
    CHECK(interface_towards(ip("10.0.0.1")) == "up0");
    CHECK(interface_towards(ip("2001:db8:1::1")) == "up0");
    CHECK(interface_towards(ip("10.0.0.11")).empty()); // this host
    CHECK(interface_towards(ip("192.0.2.1")).empty());
    REQUIRE(run("ip route add unreachable 192.0.2.0/24"));
    CHECK(interface_towards(ip("192.0.2.1")).empty());
    REQUIRE(run("ip route add default via 10.0.0.1"));
    CHECK(interface_towards(ip("198.51.100.1")) == "up0");
}

TEST_CASE("the default route of least metric names the address of this host") {
    test::PrivateNetwork network;
    CHECK(default_route_addresses().empty());
    for (const std::string n : {"0", "1", "2"}) {
        REQUIRE(run("ip link add up" + n + " type veth peer name far" + n));
        REQUIRE(
            run("ip link set up" + n + " up && ip address add 10.0." + n + ".11/24 dev up" + n));
    }
    REQUIRE(run("ip route add default via 10.0.0.1 metric 512"));
    CHECK(default_route_addresses() == std::vector{ip("10.0.0.11")});
    REQUIRE(run("ip route add default metric 100 nexthop via 10.0.1.1 nexthop via 10.0.2.1"));
    CHECK(default_route_addresses() == std::vector{ip("10.0.1.11")});
    REQUIRE(run("ip address add 10.0.2.12/24 dev up2"));
    REQUIRE(run("ip route add default via 10.0.2.1 src 10.0.2.12"));
    CHECK(default_route_addresses() == std::vector{ip("10.0.2.12"), ip("10.0.2.11")});
}

} // namespace anyvip::vip::kernel
