// SPDX-License-Identifier: Apache-2.0
// Octets of one connection that wait for its socket, with their positions in the stream.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace anyvip::bgp {

class Output {
  public:
    [[nodiscard]] std::span<const std::uint8_t> pending() const {
        return std::span(octets_).subspan(head_);
    }

    [[nodiscard]] bool empty() const { return head_ == octets_.size(); }

    /// Position of the first pending octet: what the kernel has taken so far.
    [[nodiscard]] std::uint64_t sent() const { return sent_; }

    /// Position behind the last pending octet.
    [[nodiscard]] std::uint64_t end() const { return sent_ + pending().size(); }

    void append(std::span<const std::uint8_t> octets) {
        octets_.insert(octets_.end(), octets.begin(), octets.end());
    }

    /// The pending octets as a vector to append to; its first octet is at `sent()`.
    [[nodiscard]] std::vector<std::uint8_t>& buffer() {
        octets_.erase(octets_.begin(), octets_.begin() + static_cast<std::ptrdiff_t>(head_));
        head_ = 0;
        return octets_;
    }

    /// The kernel took that many; more than are pending is the caller's mistake and counts as all.
    void consume(std::size_t octets) {
        const std::size_t taken = std::min(octets, pending().size());
        head_ += taken;
        sent_ += taken;
        if (empty()) {
            octets_.clear();
            head_ = 0;
        }
    }

    /// What is pending, for the last write; nothing is pending then.
    [[nodiscard]] std::vector<std::uint8_t> take() { return std::exchange(buffer(), {}); }

    /// What goes over at an upgrade in place (cmd/handover).
    template <class Archive> void transfer(Archive& archive) {
        archive.field(1, buffer());
        archive.field(2, sent_);
    }

  private:
    std::vector<std::uint8_t> octets_;
    std::size_t head_ = 0;
    std::uint64_t sent_ = 0;
};

} // namespace anyvip::bgp
