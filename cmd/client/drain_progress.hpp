// SPDX-License-Identifier: Apache-2.0
// What `drain --wait` shows while it waits: one line a VIP on a terminal, one JSON line a step
// elsewhere.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cmd/client/run.hpp"

namespace anyvip::client {

/// Lines out of portions.
class LineSplitter {
  public:
    void feed(std::string_view portion, const std::function<void(const std::string&)>& line);

  private:
    std::string rest_;
};

class DrainProgress {
  public:
    DrainProgress(const Console& console, bool is_json)
        : console_(console), is_drawn_(console.is_terminal && !is_json) {}

    void feed(std::string_view portion) {
        splitter_.feed(portion, [this](const std::string& line) { step(line); });
    }

    /// Set by the last line of the daemon.
    [[nodiscard]] std::optional<Exit> exit() const { return exit_; }

  private:
    void step(const std::string& line);
    void draw(std::string vip, std::string text);

    const Console& console_;
    bool is_drawn_;
    LineSplitter splitter_;
    std::vector<std::pair<std::string, std::string>> lines_; ///< VIP and its text, as drawn
    std::optional<Exit> exit_;
};

} // namespace anyvip::client
