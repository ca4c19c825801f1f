// SPDX-License-Identifier: Apache-2.0
// The fuzzer's corpus and mutations of it, as a plain test.
#include <doctest/doctest.h>

#include <random>
#include <vector>

#include "test/fuzz/bfd_targets.hpp"
#include "test/support/source_tree.hpp"

TEST_CASE("whatever comes when, a BFD session keeps its rules") {
    std::minstd_rand random(7);
    int files = 0;
    for (const std::vector<std::uint8_t>& original : read_directory("test/fuzz/corpus/bfd")) {
        REQUIRE_FALSE(original.empty());
        anyvip::bgp::bfd::fuzz::life(original);
        for (int i = 0; i < 2000; ++i) {
            auto mutated = original;
            for (int flips = 0; flips < 3; ++flips) {
                mutated[random() % mutated.size()] = static_cast<std::uint8_t>(random());
            }
            anyvip::bgp::bfd::fuzz::life(mutated);
        }
        ++files;
    }
    CHECK(files >= 4);
}
