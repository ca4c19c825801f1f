// SPDX-License-Identifier: Apache-2.0
// A queue of fixed size between two threads. Without a lock, because a thread that must be on time
// cannot wait for one that another thread holds while the scheduler lets it stand.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <optional>
#include <type_traits>

namespace anyvip::bgp::bfd_net {

/// One thread calls `push`, one other `pop`. Capacity is a power of two.
template <class T, std::size_t Capacity> class SpscQueue {
    static_assert(std::is_trivially_copyable_v<T> && (Capacity & (Capacity - 1)) == 0);

  public:
    /// False: full.
    [[nodiscard]] bool push(const T& value) {
        const std::size_t at = written_.load(std::memory_order_relaxed);
        if (at - read_.load(std::memory_order_acquire) == Capacity) {
            return false;
        }
        slots_[at % Capacity] = value;
        written_.store(at + 1, std::memory_order_release);
        return true;
    }

    [[nodiscard]] std::optional<T> pop() {
        const std::size_t at = read_.load(std::memory_order_relaxed);
        if (at == written_.load(std::memory_order_acquire)) {
            return std::nullopt;
        }
        const T value = slots_[at % Capacity];
        read_.store(at + 1, std::memory_order_release);
        return value;
    }

  private:
    std::array<T, Capacity> slots_{};
    alignas(64) std::atomic<std::size_t> written_{0};
    alignas(64) std::atomic<std::size_t> read_{0};
};

} // namespace anyvip::bgp::bfd_net
