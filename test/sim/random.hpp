// SPDX-License-Identifier: Apache-2.0
// The only source of chance in a run. Integers only: distributions of the standard library differ
// between its implementations, and a seed has to mean the same everywhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "bgp/types.hpp"

namespace anyvip::sim {

class Random {
  public:
    explicit Random(std::uint64_t seed) : state_(seed) {}

    std::uint64_t next() { // splitmix64
        state_ += 0x9E3779B97F4A7C15U;
        std::uint64_t value = state_;
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9U;
        value = (value ^ (value >> 27)) * 0x94D049BB133111EBU;
        return value ^ (value >> 31);
    }

    /// Uniform in [0, limit).
    std::size_t below(std::size_t limit) { return static_cast<std::size_t>(next() % limit); }

    bool one_in(std::size_t count) { return below(count) == 0; }

    Duration between(Duration least, Duration most) {
        const auto span = static_cast<std::uint64_t>((most - least).count()) + 1;
        return least + Duration(static_cast<Duration::rep>(next() % span));
    }

    template <class T> const T& pick(const std::vector<T>& from) {
        return from[below(from.size())];
    }

  private:
    std::uint64_t state_;
};

} // namespace anyvip::sim
