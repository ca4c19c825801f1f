// SPDX-License-Identifier: Apache-2.0
// The BFD thread with its real sockets over an upgrade in place.
#include "bgp/bfd_net/thread.hpp"

#include <chrono>
#include <optional>
#include <vector>

#include <poll.h>

#include <doctest/doctest.h>

#include "bgp/bfd_net/sockets.hpp"
#include "cmd/daemon/takeover.hpp"
#include "cmd/handover/envelope.hpp"
#include "cmd/handover/loader.hpp"
#include "test/support/own_network.hpp"

using namespace anyvip;
using namespace anyvip::cmd;
using namespace std::chrono_literals;
namespace bfd = bgp::bfd;
namespace bfd_net = bgp::bfd_net;
using anyvip::test::in_own_network;

namespace {

/// The first report that fits, if one comes within this time.
template <class Fits>
std::optional<bfd_net::Report>
wait_for(bfd_net::Thread& thread, std::chrono::milliseconds patience, Fits fits) {
    const Instant end = std::chrono::steady_clock::now() + patience;
    while (std::chrono::steady_clock::now() < end) {
        while (const auto report = thread.channel().reports.pop()) {
            if (fits(*report)) {
                return report;
            }
        }
        pollfd written{thread.channel().reports_written.get(), POLLIN, 0};
        ::poll(&written, 1, 10);
    }
    return std::nullopt;
}

} // namespace

TEST_CASE("a receive port that was busy at the upgrade is opened after it") {
    in_own_network([] {
        auto busy = bfd_net::open_receiver(Family::Ipv4, false);
        REQUIRE(busy);
        bfd_net::Thread before(7);
        bfd_net::Command add;
        add.kind = bfd_net::Command::Kind::Add;
        add.id = 1;
        add.endpoint.peer = IpAddress::v4(0x7F000001); // itself
        add.timing = {bfd::Interval{50000}, bfd::Interval{50000}, 3};
        add.discriminator = 77;
        before.start();
        before.tell(add);
        REQUIRE(wait_for(before, 5s, [](const bfd_net::Report& report) {
            return report.obstacle == bfd_net::Obstacle::Listen;
        }));
        before.pause();
        const SavedState saved = save_bfd(&before);

        bfd_net::Thread after(8);
        const auto fields = handover::open(saved.file);
        REQUIRE(fields);
        handover::Loader loader(*fields, handover::Loader::Files::Absent);
        loader.field(StateTags::bfd, after);
        REQUIRE(loader.problem() == "");
        after.start();
        REQUIRE(wait_for(after, 5s, [](const bfd_net::Report& report) {
            return report.obstacle == bfd_net::Obstacle::Listen;
        }));
        busy->close();
        // Asked for each second; then it hears itself.
        CHECK(wait_for(after, 10s, [](const bfd_net::Report& report) {
            return report.view.state == bfd::State::Up;
        }));
    });
}
