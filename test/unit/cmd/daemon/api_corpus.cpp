// SPDX-License-Identifier: Apache-2.0
// The API fuzzer's corpus and mutations of it: whatever a client sends, only documented answers.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <vector>

#include "test/fuzz/api_targets.hpp"

namespace anyvip::test {
namespace {

using Octets = std::vector<std::uint8_t>;

std::vector<Octets> corpus() {
    const auto tests = std::filesystem::path(__FILE__).parent_path() / "../../../";
    std::vector<Octets> inputs;
    for (const auto& entry : std::filesystem::directory_iterator(tests / "fuzz/corpus/api")) {
        std::ifstream file(entry.path(), std::ios::binary);
        inputs.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    }
    return inputs;
}

} // namespace

TEST_CASE("the API fuzzer's corpus, and 2,000 mutations of it") {
    const auto inputs = corpus();
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
