// SPDX-License-Identifier: Apache-2.0
// What must hold for any text as a configuration. Called by the fuzzer, and by the unit tests with
// the corpus and with mutations.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <span>
#include <string>
#include <string_view>

#include "cmd/config/config.hpp"

namespace anyvip::cmd::fuzz {

/// Everything that a configuration names is there.
class KindHost : public Host {
  public:
    [[nodiscard]] std::string program_problem(const std::string&) const override { return {}; }

    [[nodiscard]] std::string file_problem(const std::string&) const override { return {}; }

    [[nodiscard]] bool has_user(const std::string&) const override { return true; }
};

[[noreturn]] inline void broken(std::string_view rule, const std::string& text) {
    std::cerr << rule << ":\n" << text << '\n';
    std::abort();
}

/// Problems have a place within the text; what is accepted is dumped as a text that is accepted and
/// dumped as the same.
inline void config(std::span<const std::uint8_t> input) {
    const KindHost host;
    const std::string text(input.begin(), input.end());
    const auto parsed = parse_config(text, host);
    if (!parsed) {
        const auto lines = 1 + static_cast<std::size_t>(std::ranges::count(text, '\n'));
        for (const Problem& problem : parsed.error()) {
            if (problem.line > lines + 1 || problem.message.empty()) {
                broken("a problem without its place", to_string(problem, "input"));
            }
        }
        return;
    }
    const std::string dumped = dump_config(*parsed);
    const auto again = parse_config(dumped, host);
    if (!again) {
        broken("a dump is refused: " + to_string(again.error().front(), "dump"), dumped);
    }
    if (dump_config(*again) != dumped) {
        broken("a dump means something else", dumped);
    }
}

} // namespace anyvip::cmd::fuzz
