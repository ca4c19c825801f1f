// SPDX-License-Identifier: Apache-2.0
#include "cmd/daemon/api_body.hpp"

#include <doctest/doctest.h>

#include "cmd/daemon/limits.hpp"

namespace anyvip::cmd {

namespace {

std::string with_reason(const std::string& reason) {
    return R"({"reason":")" + reason + R"("})";
}

} // namespace

TEST_CASE("the reason of a drain is kept for each VIP: it has a limit, and no control characters") {
    const auto good = parse_drain(with_reason(std::string(limits::api_note_octets, 'x')));
    REQUIRE(good);
    CHECK(good->request.reason.size() == limits::api_note_octets);
    const auto bad = parse_drain(with_reason(std::string(limits::api_note_octets + 1, 'x')));
    REQUIRE_FALSE(bad);
    CHECK(bad.error() == "reason is longer than 512 octets");
    CHECK(parse_drain(with_reason("a\\u001b[2Jb"))->request.reason == "a [2Jb");
}

} // namespace anyvip::cmd
