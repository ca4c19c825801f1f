// SPDX-License-Identifier: Apache-2.0
#include "cmd/daemon/probe_runner.hpp"

#include <optional>

#include <doctest/doctest.h>

namespace anyvip::test {
namespace {

/// What a probe of {vip} ends with when the look-up says this.
health::Result probe_vip(const std::expected<bool, std::error_code>& is_local) {
    boost::asio::io_context io;
    std::optional<health::Result> result;
    cmd::ProbeRunner runner(
        io,
        [&](const IpAddress&) { return is_local; },
        [&](const cmd::ProbeRunner::Finished& finished) { result = finished.result; });
    runner.start({.check_id = 1,
                  .config = {.name = "there", .target = health::FileTarget{.path = "/"}},
                  .label = "there@203.0.113.10",
                  .vip_address = IpAddress::v4(0xCB00710A)});
    CHECK(!result);
    io.run();
    REQUIRE(result);
    return *result;
}

} // namespace

TEST_CASE("CONTRACT §2: a {vip} that is routed elsewhere fails, one that is here is probed") {
    CHECK(probe_vip(true).outcome == health::Outcome::Pass);
    const health::Result elsewhere = probe_vip(false);
    CHECK(elsewhere.outcome == health::Outcome::Fail);
    CHECK(elsewhere.detail.starts_with("not local: 203.0.113.10 is not routed to this host"));
}

TEST_CASE("CONTRACT §3: a look-up that cannot be made is our own fault, not the service's") {
    const health::Result result =
        probe_vip(std::unexpected(std::make_error_code(std::errc::too_many_files_open)));
    CHECK(result.outcome == health::Outcome::Error);
    CHECK(result.is_our_fault);
    CHECK(result.detail == "cannot ask where 203.0.113.10 is routed to: Too many open files");
}

} // namespace anyvip::test
