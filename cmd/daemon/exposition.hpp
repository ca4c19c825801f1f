// SPDX-License-Identifier: Apache-2.0
// Prometheus text format 0.0.4: families of samples with escaped labels, and the histogram type.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace anyvip::cmd {

/// Durations in fixed buckets, from 100 µs to 10 s.
class Histogram {
  public:
    static constexpr std::array<double, 12> bounds_s{
        0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 10};

    void observe(std::chrono::nanoseconds duration);

    [[nodiscard]] const std::array<std::uint64_t, bounds_s.size()>& counts() const {
        return counts_;
    }

    [[nodiscard]] std::uint64_t count() const { return count_; }

    [[nodiscard]] double sum_s() const { return sum_s_; }

    template <class Archive> void transfer(Archive& archive) {
        archive.field(1, counts_);
        archive.field(2, count_);
        archive.field(3, sum_s_);
    }

  private:
    std::array<std::uint64_t, bounds_s.size()> counts_{}; // not cumulative
    std::uint64_t count_ = 0;
    double sum_s_ = 0;
};

/// Writes families one after the other; own code instead of prometheus-cpp, whose registry keeps a
/// second copy of values that the agent already has, and needs its own threads' locks.
class Exposition {
  public:
    /// Appends to `text`.
    explicit Exposition(std::string& text) : text_(text) {}

    using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

    void family(std::string_view name, std::string_view type, std::string_view help);
    void sample(std::string_view name, Labels labels, double value);
    void sample(std::string_view name, Labels labels, std::uint64_t value);
    /// All samples of one histogram of the family `name`.
    void histogram(std::string_view name, Labels labels, const Histogram& histogram);

  private:
    void line(std::string_view name, Labels labels, std::string_view more, std::string_view value);

    std::string& text_;
};

} // namespace anyvip::cmd
