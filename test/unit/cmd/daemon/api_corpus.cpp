// SPDX-License-Identifier: Apache-2.0
// The API fuzzer's corpus and mutations of it: whatever a client sends, only documented answers.
#include <doctest/doctest.h>

#include <random>
#include <vector>

#include "test/fuzz/api_targets.hpp"
#include "test/support/source_tree.hpp"

namespace anyvip::test {
namespace {

using Octets = std::vector<std::uint8_t>;

} // namespace

TEST_CASE("the API fuzzer's corpus, and 2,000 mutations of it") {
    const auto inputs = read_directory("test/fuzz/corpus/api");
    REQUIRE_FALSE(inputs.empty());
    for (const Octets& input : inputs) {
        cmd::fuzz::api(input);
    }
    std::minstd_rand random(1);
    for (int i = 0; i < 2'000; ++i) {
        Octets input = inputs[random() % inputs.size()];
        for (int changes = 0; changes < 3; ++changes) {
            input[random() % input.size()] = static_cast<std::uint8_t>(random());
        }
        cmd::fuzz::api(input);
    }
}

} // namespace anyvip::test
