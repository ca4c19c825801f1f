// SPDX-License-Identifier: Apache-2.0
// The corpora of the fuzzers of service answers, and mutations of them.
#include <doctest/doctest.h>

#include <random>
#include <string>
#include <vector>

#include "test/fuzz/service_targets.hpp"
#include "test/support/source_tree.hpp"

namespace anyvip::test {
namespace {

using Octets = std::vector<std::uint8_t>;

template <class Target> void mutate(const std::string& corpus, Target target) {
    const auto inputs = read_directory("test/fuzz/corpus/" + corpus);
    REQUIRE(inputs.size() >= 4);
    for (const Octets& input : inputs) {
        target(input);
    }
    std::minstd_rand random(1);
    for (int i = 0; i < 20'000; ++i) {
        Octets input = inputs[random() % inputs.size()];
        for (int changes = 0; changes < 3; ++changes) {
            input[random() % input.size()] = static_cast<std::uint8_t>(random());
        }
        input.resize(1 + random() % input.size());
        target(input);
    }
}

} // namespace

TEST_CASE("whatever a DNS server answers, it is judged or refused") {
    mutate("dns", health::fuzz::dns_answer);
}

TEST_CASE("whatever is read from HAProxy's socket, no more servers are up than there are") {
    mutate("haproxy", health::fuzz::haproxy_answer);
}

} // namespace anyvip::test
