// SPDX-License-Identifier: Apache-2.0
// The configuration fuzzer's corpus and mutations of it.
#include <random>
#include <vector>

#include <doctest/doctest.h>

#include "test/fuzz/config_targets.hpp"
#include "test/support/source_tree.hpp"

namespace anyvip::test {

TEST_CASE("the configuration fuzzer's corpus, and 500 mutations of it") {
    const auto inputs = read_directory("test/fuzz/corpus/config");
    REQUIRE_FALSE(inputs.empty());
    for (const auto& input : inputs) {
        cmd::fuzz::config(input);
    }
    std::minstd_rand random(1);
    for (int i = 0; i < 500; ++i) {
        auto input = inputs[random() % inputs.size()];
        for (int changes = 0; changes < 2; ++changes) {
            input[random() % input.size()] = static_cast<std::uint8_t>(random() % 128);
        }
        cmd::fuzz::config(input);
    }
}

} // namespace anyvip::test
