// SPDX-License-Identifier: Apache-2.0
#include "cmd/daemon/pieces.hpp"

#include <doctest/doctest.h>

namespace anyvip::test {
namespace {

using cmd::Pieces;

boost::json::object numbered(std::size_t index) {
    return {{"n", index}};
}

std::string write(Pieces pieces, std::size_t at_once, int& turns) {
    turns = 1;
    while (!pieces.advance(at_once)) {
        ++turns;
        REQUIRE(turns < 1000);
    }
    return pieces.take();
}

} // namespace

TEST_CASE("a document is the same however many elements a turn writes") {
    const auto make = [] {
        Pieces pieces;
        pieces.text(R"({"a":)").array(5, numbered).text(R"(,"b":)").array(0, numbered).text("}");
        return pieces;
    };
    const std::string whole = R"({"a":[{"n":0},{"n":1},{"n":2},{"n":3},{"n":4}],"b":[]})";
    int turns = 0;
    CHECK(write(make(), 1000, turns) == whole);
    CHECK(turns == 1);
    for (const std::size_t at_once : {1U, 2U, 3U, 7U}) {
        CHECK(write(make(), at_once, turns) == whole);
        CHECK(turns > 1);
    }
}

TEST_CASE("elements that are gone leave no comma") {
    Pieces pieces;
    pieces.array(4, [](std::size_t index) {
        return index % 2 == 0 ? boost::json::object() : numbered(index);
    });
    int turns = 0;
    CHECK(write(std::move(pieces), 1, turns) == R"([{"n":1},{"n":3}])");
}

TEST_CASE("nothing is a complete document") {
    Pieces pieces;
    CHECK(pieces.advance(1));
    CHECK(pieces.take().empty());
}

} // namespace anyvip::test
