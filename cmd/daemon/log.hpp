// SPDX-License-Identifier: Apache-2.0
// The log on stderr: one line an entry, text or JSON, never waited for. What cannot be written at
// once is dropped and counted.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "cmd/agent/config.hpp"

namespace anyvip::cmd {

/// Own sink instead of spdlog: CONTRACT section 7 wants lines dropped and counted when the reader
/// is slow, without a thread and without putting the shared stderr into non-blocking mode for
/// everybody else who holds it.
class Log {
  public:
    /// What JSON has beside the message; text has it in its words.
    using Fields = std::initializer_list<std::pair<std::string_view, std::string_view>>;

    /// `descriptor` stays the caller's.
    explicit Log(int descriptor);

    void configure(LogLevel level, LogFormat format);

    void error(std::string_view text) { write(LogLevel::Error, text); }

    void warning(std::string_view text) { write(LogLevel::Warning, text); }

    void info(std::string_view text) { write(LogLevel::Info, text); }

    void debug(std::string_view text) { write(LogLevel::Debug, text); }

    /// Written whatever the level is: who has asked for which change.
    void audit(std::string_view text) { record(LogLevel::Info, text, {}); }

    /// Control characters in `text` are replaced: one entry is one line, whatever a peer or a check
    /// has sent.
    void write(LogLevel level, std::string_view text, Fields fields = {});

    [[nodiscard]] std::uint64_t dropped() const { return dropped_; }

  private:
    void record(LogLevel level, std::string_view text, Fields fields);
    [[nodiscard]] std::string line(LogLevel level, std::string_view text, Fields fields = {}) const;
    [[nodiscard]] bool put(std::string_view octets) const;

    int descriptor_;
    LogLevel level_ = LogLevel::Info;
    LogFormat format_ = LogFormat::Text;
    bool is_journal_;
    std::uint64_t dropped_ = 0;
    std::uint64_t dropped_unreported_ = 0;
};

} // namespace anyvip::cmd
