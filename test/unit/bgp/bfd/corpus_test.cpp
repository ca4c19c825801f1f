// SPDX-License-Identifier: Apache-2.0
// The fuzzer's corpus and mutations of it, as a plain test.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <vector>

#include "test/fuzz/bfd_targets.hpp"

TEST_CASE("whatever comes when, a BFD session keeps its rules") {
    // This file's own path leads to the corpus, wherever the program runs.
    const auto root = std::filesystem::path(__FILE__).parent_path() / "../../../..";
    std::minstd_rand random(7);
    int files = 0;
    for (const auto& entry : std::filesystem::directory_iterator(root / "test/fuzz/corpus/bfd")) {
        std::ifstream file(entry.path(), std::ios::binary);
        const std::vector<std::uint8_t> original{std::istreambuf_iterator<char>(file), {}};
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
