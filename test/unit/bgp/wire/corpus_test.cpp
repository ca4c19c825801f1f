// SPDX-License-Identifier: Apache-2.0
// The fuzzers' corpora, messages of real routers and random mutations of both: whatever arrives,
// only documented outcomes (test/fuzz/wire_targets.hpp says which).
#include <doctest/doctest.h>

#include <random>

#include "support.hpp"
#include "test/fuzz/wire_targets.hpp"
#include "test/support/source_tree.hpp"

using namespace anyvip::bgp::wire;
using namespace anyvip::bgp::wire::test;

namespace {

using Target = void (*)(std::span<const std::uint8_t>);

/// Changes, removes, adds or repeats a few octets.
void mutate(Octets& octets, std::minstd_rand& random) {
    const auto below = [&random](std::size_t limit) { return random() % limit; };
    for (std::size_t left = 1 + below(4); left > 0 && !octets.empty(); --left) {
        const auto at = octets.begin() + static_cast<std::ptrdiff_t>(below(octets.size()));
        switch (below(4)) {
        case 0:
            *at = static_cast<std::uint8_t>(random());
            break;
        case 1:
            *at = static_cast<std::uint8_t>(*at ^ (1U << below(8)));
            break;
        case 2:
            octets.erase(at);
            break;
        default:
            octets.insert(at, static_cast<std::uint8_t>(random()));
            break;
        }
    }
}

} // namespace

TEST_CASE("The fuzzers' corpora, and U20: 100,000 mutations of each") {
    struct Row {
        std::string name;
        Target target;
    };

    for (const Row& row : {Row{"framer", fuzz::framer},
                           Row{"open", fuzz::open},
                           Row{"update", fuzz::update},
                           Row{"notification", fuzz::notification}}) {
        CAPTURE(row.name);
        const auto inputs = read_directory("test/fuzz/corpus/" + row.name);
        REQUIRE_FALSE(inputs.empty());
        for (const Octets& input : inputs) {
            row.target(input);
        }
        std::minstd_rand random(1);
        for (int i = 0; i < 100'000; ++i) {
            Octets input = inputs[random() % inputs.size()];
            mutate(input, random);
            row.target(input);
        }
    }
}
