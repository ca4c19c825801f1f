// SPDX-License-Identifier: Apache-2.0
// anyvip_sim: runs seeds. Exit status 0: every invariant held in every one of them.
//
//   anyvip_sim                        200 fixed seeds and the named ones, the first few twice
//   anyvip_sim --seeds 1-100000       as many as you like
//   anyvip_sim --seed 17 [--trace]    one, with everything that happened
//   anyvip_sim --upgrades …           the same with upgrades in place all the time
#include <charconv>
#include <chrono>
#include <cstdio>
#include <optional>
#include <string_view>

#include "test/sim/regressions.hpp"
#include "test/sim/world.hpp"

namespace {

using anyvip::sim::Outcome;
using anyvip::sim::run_seed;
using anyvip::sim::Upgrades;

constexpr std::uint64_t fixed_seeds = 200;
constexpr std::uint64_t repeated_seeds = 10;

struct Range {
    std::uint64_t first = 1;
    std::uint64_t last = fixed_seeds;
};

struct Totals {
    std::uint64_t runs = 0;
    std::uint64_t failures = 0;
    std::uint64_t steps = 0;
    anyvip::Duration slowest{};
};

[[nodiscard]] std::optional<std::uint64_t> parse_number(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} && end == text.data() + text.size() ? std::optional(value)
                                                                    : std::nullopt;
}

[[nodiscard]] std::optional<Range> parse_range(std::string_view text) {
    const std::size_t dash = text.find('-');
    const auto first = parse_number(text.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : parse_number(text.substr(dash + 1));
    return first && last ? std::optional(Range{*first, *last}) : std::nullopt;
}

struct Options {
    bool is_traced = false;
    Upgrades upgrades = Upgrades::None;
};

void run(std::uint64_t seed, const Options& options, std::string_view name, Totals& totals) {
    const Outcome outcome = run_seed(seed, options.is_traced, options.upgrades);
    ++totals.runs;
    totals.steps += outcome.steps;
    totals.slowest = std::max(totals.slowest, outcome.convergence);
    const auto hash = static_cast<unsigned long long>(outcome.hash);
    const auto number = static_cast<unsigned long long>(seed);
    if (!outcome.violation.empty()) {
        ++totals.failures;
        std::printf("seed %llu FAILED: %s\n", number, outcome.violation.c_str());
        if (!name.empty()) {
            std::printf(
                "  it is the regression case: %.*s\n", static_cast<int>(name.size()), name.data());
        }
    }
    if (options.is_traced) {
        std::printf("seed %llu: trace %016llx\n", number, hash);
    }
}

void run_twice(std::uint64_t seed, const Options& options, Totals& totals) {
    const Outcome first = run_seed(seed, false, options.upgrades);
    const Outcome second = run_seed(seed, false, options.upgrades);
    if (first.hash != second.hash || first.steps != second.steps) {
        ++totals.failures;
        std::printf("seed %llu does not repeat: %016llx and %016llx\n",
                    static_cast<unsigned long long>(seed),
                    static_cast<unsigned long long>(first.hash),
                    static_cast<unsigned long long>(second.hash));
    }
}

} // namespace

int main(int count, char** arguments) {
    std::optional<Range> range = Range{};
    Options options;
    bool is_whole_test = true;
    for (int i = 1; i < count; ++i) {
        const std::string_view option = arguments[i];
        if (option == "--trace") {
            options.is_traced = true;
        } else if (option == "--upgrades") {
            options.upgrades = Upgrades::Frequent;
        } else if ((option == "--seeds" || option == "--seed") && i + 1 < count) {
            range = parse_range(arguments[++i]);
            is_whole_test = false;
        } else {
            range.reset();
        }
    }
    if (!range) {
        std::fputs("usage: anyvip_sim [--seeds A-B | --seed N] [--upgrades] [--trace]\n", stderr);
        return 2;
    }
    const auto begin = std::chrono::steady_clock::now();
    Totals totals;
    for (std::uint64_t seed = range->first; seed <= range->last; ++seed) {
        run(seed, options, {}, totals);
    }
    if (is_whole_test) {
        for (const anyvip::sim::Regression& regression : anyvip::sim::regressions) {
            run(regression.seed, options, regression.what, totals);
        }
        for (std::uint64_t seed = 1; seed <= repeated_seeds; ++seed) {
            run_twice(seed, options, totals);
        }
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    std::printf("%llu runs, %llu failed, %llu steps, %.1f s; slowest convergence %.1f s\n",
                static_cast<unsigned long long>(totals.runs),
                static_cast<unsigned long long>(totals.failures),
                static_cast<unsigned long long>(totals.steps),
                took.count(),
                std::chrono::duration<double>(totals.slowest).count());
    return totals.failures == 0 ? 0 : 1;
}
