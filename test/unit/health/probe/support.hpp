// SPDX-License-Identifier: Apache-2.0
// One probe run against tiny servers on ephemeral loopback ports, all in one loop.
#pragma once

#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "health/probe/probe.hpp"

namespace anyvip::health::test {

using boost::asio::ip::tcp;
using std::chrono::milliseconds;

/// No condition in these tests is waited for longer.
inline constexpr std::chrono::seconds patience{20};

inline CheckConfig config_of(Target target, milliseconds timeout = milliseconds(2000)) {
    CheckConfig config{.name = "test", .target = std::move(target)};
    config.schedule.timeout = timeout;
    return config;
}

/// Runs the loop until `condition` holds; false when patience ends first.
inline bool run_until(boost::asio::io_context& io, const std::function<bool()>& condition) {
    const Instant end = std::chrono::steady_clock::now() + patience;
    while (!condition()) {
        if (std::chrono::steady_clock::now() >= end) {
            return false;
        }
        io.restart();
        io.run_one_for(milliseconds(20));
    }
    return true;
}

/// Runs one probe to its end, and checks that it ends once.
inline Result probe(boost::asio::io_context& io, const CheckConfig& config) {
    std::optional<Result> result;
    int calls = 0;
    const auto run = make_probe(io, config, [&](Result finished) {
        result = std::move(finished);
        ++calls;
    });
    CHECK(calls == 0); // never from within make_probe
    REQUIRE(run_until(io, [&] { return result.has_value(); }));
    io.restart();
    io.poll();
    CHECK(calls == 1);
    return *result;
}

inline Result probe(const CheckConfig& config) {
    boost::asio::io_context io;
    return probe(io, config);
}

/// Accepts on 127.0.0.1 and hands each connection to `serve`, which keeps it as long as it likes.
class Server {
  public:
    using Connection = std::shared_ptr<tcp::socket>;

    Server(boost::asio::io_context& io, std::function<void(Connection)> serve)
        : acceptor_(io, tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0)),
          serve_(std::move(serve)) {
        accept();
    }

    [[nodiscard]] std::string target() const {
        return "127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port());
    }

    [[nodiscard]] std::string url(const std::string& path = "/") const {
        return "http://" + target() + path;
    }

  private:
    void accept() {
        acceptor_.async_accept([this](const boost::system::error_code& error, tcp::socket socket) {
            if (!error) {
                serve_(std::make_shared<tcp::socket>(std::move(socket)));
                accept();
            }
        });
    }

    tcp::acceptor acceptor_;
    std::function<void(Connection)> serve_;
};

/// A port on which nobody listens.
inline std::string dead_target() {
    boost::asio::io_context io;
    return Server(io, [](const auto&) {}).target();
}

} // namespace anyvip::health::test
