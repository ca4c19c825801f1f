// SPDX-License-Identifier: Apache-2.0
// Optimal string alignment distance: a swap of two neighbours is the commonest slip of all.
#include "cmd/config/nearest.hpp"

#include <algorithm>
#include <vector>

namespace anyvip::cmd {

std::size_t edit_distance(std::string_view a, std::string_view b) {
    // Three rows are enough: a swap looks two rows back.
    std::vector<std::size_t> before(b.size() + 1);
    std::vector<std::size_t> last(b.size() + 1);
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) {
        row[j] = j;
    }
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::swap(before, last);
        std::swap(last, row);
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0U : 1U);
            row[j] = std::min({last[j] + 1, row[j - 1] + 1, replaced});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = std::min(row[j], before[j - 2] + 1);
            }
        }
    }
    return row[b.size()];
}

std::string_view nearest(std::string_view word, std::span<const std::string> known) {
    constexpr std::size_t enough = 64; // what comes behind is no slip of the finger, but costs time
    const auto distance = [&](const std::string& candidate) {
        return edit_distance(word.substr(0, enough), candidate);
    };
    const auto best = std::ranges::min_element(known, {}, distance);
    return best == known.end() ? std::string_view() : std::string_view(*best);
}

std::string suggestion(std::string_view word, std::span<const std::string> known) {
    const std::string_view meant = nearest(word, known);
    return meant.empty() ? std::string() : "; did you mean \"" + std::string(meant) + "\"?";
}

} // namespace anyvip::cmd
