// SPDX-License-Identifier: Apache-2.0
// The last octets of a connection arrive, whatever the other side does.
#include "bgp/net/graceful_close.hpp"

#include <doctest/doctest.h>

#include "test/unit/bgp/net/loopback.hpp"

using namespace anyvip::bgp::net;
using namespace anyvip::bgp::net::test;

namespace {

struct Closing {
    boost::asio::io_context io;
    Pair pair = connect_pair();
    std::shared_ptr<GracefulClose> close;
    int done = 0;

    void start(std::vector<std::uint8_t> octets) {
        auto socket = watch(io, pair.ours.take());
        REQUIRE(socket);
        close = GracefulClose::start(io, std::move(*socket), std::move(octets), [this] { ++done; });
    }

    bool run_until(const std::function<bool()>& condition) {
        return test::run_until(io, [&] {
            pair.theirs.read();
            return condition();
        });
    }
};

} // namespace

TEST_CASE("the last octets leave at once and are followed by FIN") {
    Closing closing;
    closing.start({1, 2, 3});
    CHECK(closing.run_until([&] { return closing.pair.theirs.has_ended; }));
    CHECK(closing.pair.theirs.received == std::vector<std::uint8_t>{1, 2, 3});
    CHECK(closing.done == 0);
    closing.pair.theirs.close();
    CHECK(run_until(closing.io, [&] { return closing.done == 1; }));
    CHECK(closing.close->is_done());
}

TEST_CASE("unread data of the peer does not turn the end into a reset") {
    Closing closing;
    closing.pair.theirs.send(std::vector<std::uint8_t>(100000, 7));
    closing.start({1, 2, 3});
    CHECK(closing.run_until([&] { return closing.pair.theirs.has_ended; }));
    closing.pair.theirs.send(std::vector<std::uint8_t>(100000, 7));
    CHECK(closing.pair.theirs.received == std::vector<std::uint8_t>{1, 2, 3});
    closing.pair.theirs.close();
    CHECK(run_until(closing.io, [&] { return closing.done == 1; }));
    CHECK_FALSE(closing.pair.theirs.is_reset);
}

TEST_CASE("octets that the kernel does not take at once follow when the peer reads") {
    Closing closing;
    const std::size_t count = 16 << 20;
    closing.start(std::vector<std::uint8_t>(count, 9));
    CHECK_FALSE(closing.close->is_done());
    CHECK(closing.run_until([&] { return closing.pair.theirs.has_ended; }));
    CHECK(closing.pair.theirs.received.size() == count);
}

TEST_CASE("a peer that never ends its side is left after one second") {
    Closing closing;
    const auto begin = std::chrono::steady_clock::now();
    closing.start({1});
    CHECK(run_until(closing.io, [&] { return closing.done == 1; }));
    CHECK(std::chrono::steady_clock::now() - begin >= GracefulClose::limit);
    CHECK(std::chrono::steady_clock::now() - begin < 2 * GracefulClose::limit);
}

TEST_CASE("a reset by the peer ends it at once") {
    Closing closing;
    const linger now{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(closing.pair.theirs.handle(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
    closing.start({1});
    closing.pair.theirs.close();
    CHECK(run_until(closing.io, [&] { return closing.done == 1; }));
}
