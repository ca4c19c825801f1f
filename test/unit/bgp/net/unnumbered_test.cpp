// SPDX-License-Identifier: Apache-2.0
// What an unnumbered peer says when its interface is not there, and how it learns of another router
// on a cable. The exchange with real routers is tested in the lab.
#include "bgp/net/unnumbered.hpp"

#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <string_view>

#include <doctest/doctest.h>

#include "bgp/net/neighbour_discovery.hpp"
#include "test/unit/bgp/net/loopback.hpp"
#include "test/unit/vip/kernel/private_network.hpp"

using namespace anyvip;
using namespace anyvip::bgp::net;
using namespace anyvip::bgp::net::test;
using vip::kernel::test::PrivateNetwork;
using vip::kernel::test::RemoteHost;
using namespace std::chrono_literals;

namespace {

/// The other end of the cable, which speaks as one router or another.
struct Routers {
    RemoteHost host;

    /// Link-local addresses go with the link.
    void link(std::string_view state) const {
        host.in([&] {
            REQUIRE(vip::kernel::test::run("ip link set far0 " + std::string(state)));
            for (const char* address : {"fe80::1", "fe80::2"}) {
                vip::kernel::test::run("ip address add " + std::string(address) +
                                       "/64 dev far0 nodad");
            }
        });
    }

    void advertise(const IpAddress& router) const {
        host.in([&] {
            const FileDescriptor socket(
                ::socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6));
            const std::uint32_t interface = ::if_nametoindex("far0");
            const int hops = 255;
            REQUIRE(::setsockopt(
                        socket.get(), IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof hops) == 0);
            const RawSocketAddress from = to_raw({router, interface, 0});
            const RawSocketAddress to = to_raw({*IpAddress::parse("ff02::1"), interface, 0});
            const auto octets = router_advertisement(std::nullopt);
            // A link that has just come up takes a moment.
            if (::bind(socket.get(), from.get(), from.length) == 0) {
                std::ignore =
                    ::sendto(socket.get(), octets.data(), octets.size(), 0, to.get(), to.length);
            }
        });
    }
};

} // namespace

TEST_CASE("several routers are a problem; when the link was down the one that speaks counts") {
    PrivateNetwork network;
    const Routers routers;
    const IpAddress first = *IpAddress::parse("fe80::1");
    const IpAddress second = *IpAddress::parse("fe80::2");
    routers.link("up");
    RouterDiscovery discovery(network.loop, "up0", false, [] { return false; }, [] {});
    REQUIRE(network.run_until([&] {
        routers.advertise(first);
        return discovery.router() == first;
    }));
    REQUIRE(network.run_until([&] {
        routers.advertise(second);
        return !discovery.router();
    }));
    CHECK(discovery.problem().starts_with("several routers on up0 (fe80::1, fe80::2)"));
    routers.link("down");
    const auto noticed = std::chrono::steady_clock::now() + 2s; // two of the first rounds
    REQUIRE(network.run_until([&] { return std::chrono::steady_clock::now() > noticed; }));
    routers.link("up");
    CHECK(network.run_until([&] {
        routers.advertise(second);
        return discovery.router() == second;
    }));
    CHECK(discovery.problem().empty());
}

TEST_CASE("a missing interface is a problem with its name, told from the loop") {
    boost::asio::io_context io;
    int changes = 0;
    const RouterDiscovery discovery(
        io, "nonexistent0", true, [] { return false; }, [&] { ++changes; });
    CHECK(discovery.problem().empty());
    CHECK(run_until(io, [&] { return changes == 1; }));
    CHECK(discovery.problem() == "no interface \"nonexistent0\"");
    CHECK_FALSE(discovery.router());
}
