// SPDX-License-Identifier: Apache-2.0
// What one run of a probe found out (CONTRACT section 3: pass, fail, timeout, error).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace anyvip {

/// A moment of the monotonic clock. The core is told the time, it never asks for it.
using Instant = std::chrono::steady_clock::time_point;
using Duration = std::chrono::nanoseconds;

} // namespace anyvip

namespace anyvip::health {

enum class Outcome : std::uint8_t {
    Pass,
    Fail,    ///< the service said no: refused, wrong status, exit 1
    Timeout, ///< it said nothing
    Error,   ///< the check could not be run
};
[[nodiscard]] std::string_view to_string(Outcome outcome);

struct Result {
    Outcome outcome = Outcome::Error;
    std::string detail{}; ///< layer and evidence, one line: "connect refused", "200 OK", "exit
                          ///< status 2: disk full"
    Duration took{};
    bool is_hard = false; ///< refused connection, dead process, missing socket: ends the counting
                          ///< when `hard_fail`
    bool is_our_fault =
        false; ///< Error only: no descriptor, no memory, no process: treated as starvation
    bool is_late = false; ///< we were starved while it ran: not counted, run again at once
    std::optional<std::uint32_t> weight{}; ///< 0..100, from "weight=" or servers up
    bool is_shared_only = false; ///< e.g. certificate soon to expire: only demotes to backup
    std::string output{};        ///< exec: bounded tail of what it printed

    template <class Archive> void transfer(Archive& archive) {
        archive.choice(1, outcome, Outcome::Error);
        archive.field(2, detail);
        archive.field(3, took);
        archive.field(4, is_hard);
        archive.field(5, is_our_fault);
        archive.field(6, is_late);
        archive.field(7, weight);
        archive.field(8, is_shared_only);
        archive.field(9, output);
    }

    friend bool operator==(const Result&, const Result&) = default;
};

} // namespace anyvip::health
