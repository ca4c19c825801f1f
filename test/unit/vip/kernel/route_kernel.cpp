// SPDX-License-Identifier: Apache-2.0
// Default routes against the real kernel; `ip` plays the administrator and other daemons.
#include "vip/kernel/route_kernel.hpp"

#include <array>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <utility>

#include <dlfcn.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>

#include "private_network.hpp"

namespace {

/// What happens once between a dump and the next deletion of a route.
std::function<void()> before_deletion; // NOLINT(*-avoid-non-const-global-variables)

} // namespace

/// libnl's, with a moment for others right before a deletion.
extern "C" int nl_send_auto(nl_sock* socket, nl_msg* message);

extern "C" int nl_send_auto(nl_sock* socket, nl_msg* message) {
    if (before_deletion && nlmsg_hdr(message)->nlmsg_type == RTM_DELROUTE) {
        std::exchange(before_deletion, nullptr)();
    }
    using Function = int (*)(nl_sock*, nl_msg*);
    static const auto real = reinterpret_cast<Function>(::dlsym(RTLD_NEXT, "nl_send_auto"));
    return real(socket, message);
}

namespace anyvip::vip::kernel {

namespace {

using test::run;

constexpr DefaultRouteKey ipv4{Family::Ipv4, 512};
constexpr DefaultRouteKey ipv6{Family::Ipv6, 512};

NextHop via(std::string_view address, std::string interface) {
    return {*IpAddress::parse(address), std::move(interface)};
}

const NextHop one = via("10.0.0.1", "up0");
const NextHop two = via("10.0.1.1", "up1");
const NextHop three = via("fe80::3", "up1");
const NextHop six_one = via("2001:db8::1", "up0");
const NextHop six_two = via("fe80::2", "up1");

/// What a command prints, spaces squeezed, lines joined by " / ".
std::string output(const std::string& command) {
    const std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(command.c_str(), "r"), ::pclose);
    std::string text;
    std::array<char, 256> line{};
    while (::fgets(line.data(), line.size(), pipe.get()) != nullptr) {
        for (const char* c = line.data(); *c != '\0'; ++c) {
            const bool is_space = *c == ' ' || *c == '\t' || *c == '\n';
            if (!is_space) {
                text += *c;
            } else if (!text.empty() && text.back() != ' ') {
                text += ' ';
            }
        }
    }
    return text.empty() || text.back() != ' ' ? text : text.substr(0, text.size() - 1);
}

std::string routes4() {
    return output("ip -4 route show default");
}

std::string routes6() {
    return output("ip -6 route show default");
}

/// A node with two uplinks, both up.
struct Node : test::PrivateNetwork {
    Node() {
        for (const std::string i : {"0", "1"}) {
            REQUIRE(run("ip link add up" + i + " type veth peer name far" + i));
            REQUIRE(run("ip link set up" + i + " up && ip link set far" + i + " up"));
            REQUIRE(run("ip address add 10.0." + i + ".11/24 dev up" + i));
        }
        REQUIRE(run("ip address add 2001:db8::11/64 dev up0 nodad"));
    }
};

/// The daemon's part: remembers what it was told last about each route.
struct Watcher {
    explicit Watcher(boost::asio::io_context& loop)
        : kernel(loop,
                 {.observed =
                      [this](const RouteObservation& observation) {
                          seen[observation.key] = observation;
                          ++observations;
                      },
                  .turn_ended = [this] { ++turns; },
                  .notice = [this](const std::string& text) { notices.push_back(text); }}) {
        REQUIRE_FALSE(kernel.start());
    }

    NextHops next_hops(const DefaultRouteKey& key) const {
        const auto it = seen.find(key);
        return it == seen.end() ? NextHops{} : it->second.next_hops;
    }

    std::string hidden_by(const DefaultRouteKey& key) const {
        const auto it = seen.find(key);
        return it == seen.end() ? "" : it->second.hidden_by;
    }

    std::map<DefaultRouteKey, RouteObservation> seen;
    std::vector<std::string> notices;
    int observations = 0;
    int turns = 0;
    RouteKernel kernel;
};

} // namespace

TEST_CASE("a default route: one multipath route of our protocol, changed and removed") {
    Node node;
    Watcher watcher(node.loop);
    CHECK(watcher.observations == 0);
    CHECK(watcher.kernel.set(ipv4, {one}).empty());
    CHECK(watcher.next_hops(ipv4) == NextHops{one}); // told before the call returns
    CHECK(routes4() == "default via 10.0.0.1 dev up0 proto 167 metric 512");
    CHECK(watcher.kernel.set(ipv4, {one, two}).empty());
    CHECK(routes4() == "default proto 167 metric 512 nexthop via 10.0.0.1 dev up0 weight 1 "
                       "nexthop via 10.0.1.1 dev up1 weight 1");
    CHECK(watcher.kernel.set(ipv4, {two}).empty());
    CHECK(routes4() == "default via 10.0.1.1 dev up1 proto 167 metric 512");
    CHECK(watcher.kernel.set(ipv4, {two}).empty()); // twice is once
    CHECK(watcher.next_hops(ipv4) == NextHops{two});
    CHECK(watcher.kernel.set(ipv4, {}).empty());
    CHECK(watcher.next_hops(ipv4).empty());
    CHECK(routes4().empty());
    CHECK(watcher.kernel.set(ipv4, {}).empty());
    CHECK(watcher.notices.empty());
}

TEST_CASE("a default route of IPv6, and one of IPv4 over an IPv6 next hop (RFC 8950)") {
    Node node;
    Watcher watcher(node.loop);
    CHECK(watcher.kernel.set(ipv6, {six_one, six_two}).empty());
    CHECK(watcher.next_hops(ipv6) == NextHops{six_one, six_two});
    CHECK(routes6() == "default proto 167 metric 512 pref medium "
                       "nexthop via 2001:db8::1 dev up0 weight 1 "
                       "nexthop via fe80::2 dev up1 weight 1");
    CHECK(watcher.kernel.set(ipv6, {six_two}).empty());
    CHECK(routes6() == "default via fe80::2 dev up1 proto 167 metric 512 pref medium");
    CHECK(watcher.kernel.set(ipv6, {}).empty());
    CHECK(routes6().empty());

    CHECK(watcher.kernel.set(ipv4, {one, three}).empty());
    CHECK(watcher.next_hops(ipv4) == NextHops{one, three});
    CHECK(routes4() == "default proto 167 metric 512 nexthop via 10.0.0.1 dev up0 weight 1 "
                       "nexthop via inet6 fe80::3 dev up1 weight 1");
    CHECK(watcher.kernel.set(ipv4, {three}).empty());
    CHECK(routes4() == "default via inet6 fe80::3 dev up1 proto 167 metric 512");
    CHECK(watcher.kernel.set(ipv4, {}).empty());
    CHECK(routes4().empty());
}

TEST_CASE("at no moment between two sets of next hops is there no default route") {
    Node node;
    Watcher watcher(node.loop);
    REQUIRE(watcher.kernel.set(ipv4, {one}).empty());
    const test::TemporaryDirectory directory;
    const std::string log = (directory.path / "log").string();
    REQUIRE(run("(ip monitor route > " + log + " & echo $! > " + log + ".pid); sleep 0.2"));
    REQUIRE(watcher.kernel.set(ipv4, {one, two}).empty());
    REQUIRE(run("sleep 0.2; kill $(cat " + log + ".pid)"));
    // Added before the old one is deleted.
    const std::string told = output("cat " + log);
    const auto deleted = told.find("Deleted");
    CHECK(told.find("10.0.1.1") < deleted);
    CHECK(deleted != std::string::npos);
}

TEST_CASE("a run before left its routes: told at the start, others are not") {
    Node node;
    {
        Watcher killed(node.loop);
        REQUIRE(killed.kernel.set(ipv4, {one, two}).empty());
        REQUIRE(killed.kernel.set(ipv6, {six_one}).empty());
    }
    REQUIRE(run("ip route add default via 10.0.0.9 metric 9"));
    REQUIRE(run("ip route add default via 10.0.0.9 table 100 proto 167"));
    REQUIRE(run("ip route add 192.0.2.0/24 via 10.0.0.9 proto 167"));
    Watcher watcher(node.loop);
    CHECK(watcher.seen.size() == 2);
    CHECK(watcher.next_hops(ipv4) == NextHops{one, two});
    CHECK(watcher.next_hops(ipv6) == NextHops{six_one});
    CHECK(watcher.hidden_by(ipv4) == "0.0.0.0/0 via 10.0.0.9 dev up0 proto boot metric 9");
    CHECK(watcher.kernel.set(ipv4, {}).empty());
    CHECK(watcher.kernel.set(ipv6, {}).empty());
    CHECK(routes4() == "default via 10.0.0.9 dev up0 metric 9");
    CHECK(routes6().empty());
}

TEST_CASE("two routes of a run that was killed between adding and deleting become one") {
    Node node;
    REQUIRE(run("ip route add default via 10.0.0.1 proto 167 metric 512"));
    REQUIRE(run("ip route append default via 10.0.1.1 proto 167 metric 512"));
    Watcher watcher(node.loop);
    CHECK(watcher.next_hops(ipv4) == NextHops{one}); // the one that the kernel uses
    SUBCASE("the first") {
        CHECK(watcher.kernel.set(ipv4, {one}).empty());
        CHECK(routes4() == "default via 10.0.0.1 dev up0 proto 167 metric 512");
    }
    SUBCASE("the second") {
        CHECK(watcher.kernel.set(ipv4, {two}).empty());
        CHECK(routes4() == "default via 10.0.1.1 dev up1 proto 167 metric 512");
    }
    SUBCASE("both in one") {
        CHECK(watcher.kernel.set(ipv4, {one, two}).empty());
        CHECK(watcher.next_hops(ipv4) == NextHops{one, two});
    }
    CHECK(watcher.kernel.set(ipv4, {}).empty());
    CHECK(routes4().empty());
}

TEST_CASE("a foreign route of the same metric is refused, never replaced") {
    Node node;
    Watcher watcher(node.loop);
    REQUIRE(run("ip route add default via 10.0.0.9 proto static metric 512"));
    REQUIRE(run("ip -6 route add default via 2001:db8::9 proto static metric 512"));
    const std::string before = routes4() + routes6();
    CHECK(watcher.kernel.set(ipv4, {one, two}) ==
          "another program has a default route of the same metric: 0.0.0.0/0 via 10.0.0.9 dev up0 "
          "proto static metric 512; set default_route_metric");
    CHECK(watcher.kernel.set(ipv6, {six_one}).starts_with("another program has a default route"));
    CHECK(watcher.kernel.set(ipv4, {}).empty());
    CHECK(watcher.kernel.set(ipv6, {}).empty());
    CHECK(routes4() + routes6() == before);
}

TEST_CASE("foreign routes that came later under the same metric survive every change") {
    Node node;
    Watcher watcher(node.loop);
    REQUIRE(watcher.kernel.set(ipv4, {one}).empty());
    REQUIRE(run("ip route prepend default via 10.0.0.9 proto static metric 512"));
    CHECK(watcher.kernel.set(ipv4, {one, two}).empty());
    CHECK(watcher.hidden_by(ipv4) == "0.0.0.0/0 via 10.0.0.9 dev up0 proto static metric 512");
    CHECK(watcher.kernel.set(ipv4, {two}).empty());
    CHECK(watcher.kernel.set(ipv4, {}).empty());
    CHECK(routes4() == "default via 10.0.0.9 dev up0 proto static metric 512");

    // IPv6 makes one multipath route of all next hops of a metric, whose ever they are.
    REQUIRE(watcher.kernel.set(ipv6, {six_one}).empty());
    REQUIRE(run("ip -6 route append default via 2001:db8::9 proto static metric 512"));
    CHECK(watcher.kernel.set(ipv6, {six_one, six_two}).empty());
    CHECK(watcher.next_hops(ipv6) == NextHops{six_one, six_two});
    CHECK(watcher.kernel.set(ipv6, {}).empty());
    CHECK(routes6() == "default via 2001:db8::9 dev up0 proto static metric 512 pref medium");
}

TEST_CASE("a next hop that went by itself before it was deleted is ours when it comes back") {
    Node node;
    Watcher watcher(node.loop);
    REQUIRE(watcher.kernel.set(ipv6, {six_one, six_two}).empty());
    bool is_gone = false;
    before_deletion = [&] {
        is_gone = run("ip -6 route del default via fe80::2 dev up1 proto 167 metric 512");
    };
    CHECK(watcher.kernel.set(ipv6, {six_one}).empty());
    REQUIRE(is_gone);
    CHECK(watcher.kernel.set(ipv6, {six_one, six_two}).empty());
    CHECK(watcher.next_hops(ipv6) == NextHops{six_one, six_two});
    CHECK(watcher.kernel.set(ipv6, {six_one}).empty());
    CHECK(watcher.next_hops(ipv6) == NextHops{six_one});
    CHECK(routes6() == "default via 2001:db8::1 dev up0 proto 167 metric 512 pref medium");
}

TEST_CASE("a next hop that somebody else appended, and took away again, can be ours") {
    Node node;
    Watcher watcher(node.loop);
    REQUIRE(watcher.kernel.set(ipv6, {six_one}).empty());
    const std::string other = " default via fe80::2 dev up1 proto static metric 512";
    REQUIRE(run("ip -6 route append" + other));
    CHECK(watcher.kernel.set(ipv6, {six_one}).empty());
    CHECK(watcher.next_hops(ipv6) == NextHops{six_one}); // it stays, and is not ours
    REQUIRE(run("ip -6 route del" + other));
    CHECK(watcher.kernel.set(ipv6, {six_one, six_two}).empty());
    CHECK(watcher.next_hops(ipv6) == NextHops{six_one, six_two});
    CHECK(watcher.kernel.set(ipv6, {six_one}).empty());
    CHECK(watcher.next_hops(ipv6) == NextHops{six_one});
    CHECK(routes6() == "default via 2001:db8::1 dev up0 proto 167 metric 512 pref medium");
}

TEST_CASE("what others do to the route is told within a second") {
    Node node;
    Watcher watcher(node.loop);
    REQUIRE(watcher.kernel.set(ipv4, {one, two}).empty());
    REQUIRE(watcher.kernel.set(ipv6, {six_one}).empty());
    const auto begin = std::chrono::steady_clock::now();
    SUBCASE("deleted") {
        REQUIRE(run("ip route del default && ip -6 route del default"));
        CHECK(node.run_until([&] { return watcher.next_hops(ipv4).empty(); }));
        CHECK(node.run_until([&] { return watcher.next_hops(ipv6).empty(); }));
    }
    SUBCASE("replaced by a foreign one") {
        REQUIRE(run("ip route replace default via 10.0.0.9 metric 512"));
        CHECK(node.run_until([&] { return watcher.next_hops(ipv4).empty(); }));
        CHECK(watcher.kernel.set(ipv4, {one}).starts_with("another program"));
    }
    SUBCASE("gone with the addresses: of that the kernel says nothing about routes") {
        REQUIRE(watcher.kernel.set(ipv4, {two}).empty());
        REQUIRE(run("ip address flush dev up1"));
        CHECK(node.run_until([&] { return watcher.next_hops(ipv4).empty(); }));
    }
    SUBCASE("gone with the interface") {
        REQUIRE(watcher.kernel.set(ipv4, {two}).empty());
        REQUIRE(run("ip link set up1 down"));
        CHECK(node.run_until([&] { return watcher.next_hops(ipv4).empty(); }));
        CHECK(watcher.kernel.set(ipv4, {two}) == "interface up1 is down");
        CHECK(watcher.kernel.set(ipv4, {one, two}) == "interface up1 is down");
        CHECK(watcher.next_hops(ipv4) == NextHops{one}); // what works is used
        REQUIRE(run("ip link set up1 up"));
        CHECK(watcher.kernel.set(ipv4, {one, two}).empty());
        CHECK(watcher.next_hops(ipv4) == NextHops{one, two});
    }
    SUBCASE("hidden, and no more") {
        REQUIRE(run("ip route add default via 10.0.0.9 metric 5"));
        CHECK(node.run_until([&] { return !watcher.hidden_by(ipv4).empty(); }));
        CHECK(watcher.hidden_by(ipv6).empty());
        REQUIRE(run("ip route del default metric 5"));
        CHECK(node.run_until([&] { return watcher.hidden_by(ipv4).empty(); }));
        CHECK(watcher.next_hops(ipv4) == NextHops{one, two});
    }
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(1));
    CHECK(watcher.turns > 0);
}

TEST_CASE("a next hop that the kernel refuses does not keep the others out") {
    Node node;
    Watcher watcher(node.loop);
    const NextHop nowhere = via("192.0.2.1", "up1");
    CHECK(watcher.kernel.set(ipv4, {one, nowhere, two}) ==
          "192.0.2.1 dev up1 is refused: Network is unreachable");
    CHECK(watcher.next_hops(ipv4) == NextHops{one, two});
    CHECK(watcher.kernel.set(ipv4, {nowhere}) == "the kernel refuses it: Network is unreachable");
    CHECK(watcher.next_hops(ipv4) == NextHops{one, two}); // better than none
    CHECK(watcher.kernel.set(ipv4, {via("10.0.0.1", "none0")}) == "interface none0 does not exist");
}

TEST_CASE("routes to elsewhere and VIPs on lo wake nobody") {
    Node node;
    Watcher watcher(node.loop);
    REQUIRE(watcher.kernel.set(ipv4, {one}).empty());
    CHECK(node.run_until([&] { return watcher.turns > 0; })); // our own change
    const int turns = watcher.turns;
    REQUIRE(run("ip route add 192.0.2.0/24 via 10.0.0.1 && ip route del 192.0.2.0/24"));
    REQUIRE(run("ip address add 203.0.113.10/32 dev lo && ip address del 203.0.113.10/32 dev lo"));
    node.loop.restart();
    node.loop.run_for(std::chrono::milliseconds(100));
    CHECK(watcher.turns == turns);
}

TEST_CASE("ways out: default routes, and routes by gateways beside them") {
    Node node;
    const auto list_gateway_interfaces = [] { return read_ways_out().gateway_interfaces; };
    const std::set<std::string> none;
    REQUIRE(run("ip route add default via 10.0.0.1 && ip route add 198.51.100.0/24 dev up1"));
    REQUIRE(run("ip route add unreachable 192.168.0.0/16"));
    CHECK(list_gateway_interfaces() == std::array{none, none});
    REQUIRE(read_ways_out().defaults.size() == 1);
    CHECK(read_ways_out().defaults.front().next_hops == std::vector{one});
    REQUIRE(run("ip route add 10.0.0.0/8 via 10.0.0.1"));
    CHECK(list_gateway_interfaces() == std::array{std::set<std::string>{"up0"}, none});
    REQUIRE(run("ip route add 172.16.0.0/12 nexthop via 10.0.0.1 nexthop via 10.0.1.1"));
    CHECK(list_gateway_interfaces() == std::array{std::set<std::string>{"up0", "up1"}, none});
}

} // namespace anyvip::vip::kernel
