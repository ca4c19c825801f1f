// SPDX-License-Identifier: Apache-2.0
// The real sockets, in a network namespace of their own; without the right to make one they are
// tested by the interop tests alone.
#include <algorithm>
#include <doctest/doctest.h>

#include <net/if.h>
#include <poll.h>

#include <chrono>
#include <optional>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "bgp/bfd_net/service.hpp"
#include "bgp/bfd_net/sockets.hpp"
#include "bgp/net/socket_address.hpp"
#include "test/support/own_network.hpp"

using namespace anyvip;
using namespace anyvip::bgp;
using anyvip::test::in_own_network;
using namespace std::chrono_literals;

namespace {

std::optional<bfd_net::Datagram> wait_for(int socket, bool is_multihop) {
    pollfd descriptor{socket, POLLIN, 0};
    ::poll(&descriptor, 1, 5000);
    return bfd_net::receive(socket, is_multihop, bfd_net::read_clock_pair());
}

const IpAddress loopback = IpAddress::v4(0x7F000001);
const IpAddress loopback6 = *IpAddress::parse("::1");

} // namespace

TEST_CASE("RFC 5881 §4 and §5: ports, TTL 255, and what the kernel says of a datagram") {
    in_own_network([] {
        for (const IpAddress& address : {loopback, loopback6}) {
            for (const bool is_multihop : {false, true}) {
                const auto receiver = bfd_net::open_receiver(address.family(), is_multihop);
                REQUIRE(receiver);
                bfd_net::Endpoint endpoint;
                endpoint.peer = address;
                endpoint.multihop = is_multihop ? 2 : 0;
                const auto first = bfd_net::open_sender(endpoint, 50000);
                const auto second = bfd_net::open_sender(endpoint, 50000);
                REQUIRE(first);
                REQUIRE(second);
                CHECK(first->port == 50000);
                CHECK(second->port == 50001); // each session has its own
                const Instant before = std::chrono::steady_clock::now();
                REQUIRE_FALSE(bfd_net::send(first->socket.get(), bfd::encode({})));
                const auto datagram = wait_for(receiver->get(), is_multihop);
                REQUIRE(datagram);
                CHECK(datagram->size == bfd::packet_octets);
                CHECK(datagram->arrival.ttl == 255);
                CHECK(datagram->arrival.interface == ::if_nametoindex("lo"));
                CHECK(datagram->arrival.source == address);
                CHECK(datagram->arrival.at >= before - 1ms);
                CHECK(datagram->arrival.at <= std::chrono::steady_clock::now());
                CHECK_FALSE(bfd_net::receive(receiver->get(), is_multihop, {}));
            }
        }
    });
}

TEST_CASE("another BFD speaker on the host is an error, not a rival for its packets") {
    in_own_network([] {
        const auto first = bfd_net::open_receiver(Family::Ipv4, false);
        REQUIRE(first);
        const auto second = bfd_net::open_receiver(Family::Ipv4, false);
        REQUIRE_FALSE(second);
        CHECK(second.error() == std::errc::address_in_use);
    });
}

TEST_CASE("a session with itself: up, AdminDown at its removal, and the thread ends") {
    in_own_network([] {
        boost::asio::io_context io;
        std::vector<bfd_net::Report> reports;
        std::uint32_t id = 0;
        std::optional<bfd_net::Service> service;
        service.emplace(io,
                        bfd_net::ServiceCallbacks{[&](const bfd_net::Report& report) {
                                                      reports.push_back(report);
                                                      if (report.view.state == bfd::State::Up) {
                                                          service->remove(id);
                                                      }
                                                  },
                                                  [] {},
                                                  [](const std::string&) {}});
        bfd_net::Endpoint endpoint;
        endpoint.peer = loopback;
        id = service->add(endpoint, {bfd::Interval{50000}, bfd::Interval{50000}, 3});
        io.run_for(20s); // ends when nothing is watched any more
        REQUIRE_FALSE(reports.empty());
        CHECK(reports.back().is_removed);
        CHECK(reports.back().obstacle == bfd_net::Obstacle::None);
        CHECK(service->is_quiet());
        CHECK(std::ranges::any_of(reports, [](const bfd_net::Report& report) {
            return report.change && report.change->to == bfd::State::AdminDown;
        }));
    });
}
