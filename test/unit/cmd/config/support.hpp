// SPDX-License-Identifier: Apache-2.0
// A machine made of words, and short ways to parse in tests.
#pragma once

#include <doctest/doctest.h>

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "cmd/config/config.hpp"

namespace anyvip::cmd::test {

/// Knows the programs under /bin and /usr/lib/anyvip, the files under /etc/keys and the user
/// "nobody".
class FakeHost final : public Host {
  public:
    std::string program_problem(const std::string& path) const override {
        return path.starts_with("/bin/") || path.starts_with("/usr/lib/anyvip/")
                   ? ""
                   : '"' + path + "\": No such file or directory";
    }

    std::string file_problem(const std::string& path) const override {
        return path.starts_with("/etc/") ? "" : '"' + path + "\": No such file or directory";
    }

    bool has_user(const std::string& name) const override { return name == "nobody"; }
};

inline constexpr std::string_view node = "[node]\nasn = 65010\n";

/// "LINE:COLUMN: message" of each problem.
[[nodiscard]] inline std::vector<std::string> problems_of(std::string_view text) {
    std::vector<std::string> lines;
    const auto parsed = parse_config(text, FakeHost());
    if (!parsed) {
        for (const Problem& problem : parsed.error()) {
            lines.push_back(std::to_string(problem.line) + ':' + std::to_string(problem.column) +
                            ": " + problem.message);
        }
    }
    return lines;
}

/// The configuration of a text that must be valid.
[[nodiscard]] inline Config valid(std::string_view text) {
    const auto problems = problems_of(text);
    CHECK_MESSAGE(problems.empty(), text, " -> ", problems.empty() ? "" : problems.front());
    auto parsed = parse_config(text, FakeHost());
    return parsed ? std::move(*parsed) : Config();
}

/// The text has exactly one problem, and its message contains this.
inline void check_one_problem(std::string_view text, std::string_view wanted) {
    const auto problems = problems_of(text);
    REQUIRE_MESSAGE(problems.size() == 1,
                    text,
                    " -> ",
                    problems.size(),
                    problems.empty() ? "" : problems.back());
    CHECK_MESSAGE(problems.front().find(wanted) != std::string::npos, problems.front());
}

/// A file with one eBGP peer that has these further lines.
[[nodiscard]] inline std::string with_peer(std::string_view lines) {
    return std::string(node) + "[[peer]]\naddress = \"10.0.0.1\"\nasn = 65001\n" +
           std::string(lines) + '\n';
}

[[nodiscard]] inline std::string with_check(std::string_view lines) {
    return std::string(node) + "[[check]]\nname = \"web\"\n" + std::string(lines) + '\n';
}

[[nodiscard]] inline std::string with_vip(std::string_view lines) {
    return std::string(node) + "[[vip]]\nname = \"www\"\n" + std::string(lines) + '\n';
}

} // namespace anyvip::cmd::test
