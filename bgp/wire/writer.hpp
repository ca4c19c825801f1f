// SPDX-License-Identifier: Apache-2.0
// Appends big-endian fields to a buffer and fills in lengths that are known only afterwards.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "bgp/wire/framer.hpp"

namespace anyvip::bgp::wire {

/// Writes at the end of a vector that it does not own.
class Writer {
  public:
    explicit Writer(std::vector<std::uint8_t>& out) : out_(out) {}

    void u8(std::uint8_t value) { out_.push_back(value); }

    void u16(std::uint16_t value) {
        u8(static_cast<std::uint8_t>(value >> 8));
        u8(static_cast<std::uint8_t>(value));
    }

    void u32(std::uint32_t value) {
        u16(static_cast<std::uint16_t>(value >> 16));
        u16(static_cast<std::uint16_t>(value));
    }

    void u64(std::uint64_t value) {
        u32(static_cast<std::uint32_t>(value >> 32));
        u32(static_cast<std::uint32_t>(value));
    }

    void octets(std::span<const std::uint8_t> octets) {
        out_.insert(out_.end(), octets.begin(), octets.end());
    }

    [[nodiscard]] std::size_t position() const { return out_.size(); }

    /// Overwrites two octets written before.
    void patch_u16(std::size_t position, std::size_t value) {
        out_[position] = static_cast<std::uint8_t>(value >> 8);
        out_[position + 1] = static_cast<std::uint8_t>(value);
    }

    /// Writes a message header (RFC 4271 §4.1) and returns its position for `end_message`.
    std::size_t begin_message(MessageType type) {
        const std::size_t start = position();
        out_.insert(out_.end(), 16, 0xFF);
        u16(0);
        u8(static_cast<std::uint8_t>(type));
        return start;
    }

    void end_message(std::size_t start) { patch_u16(start + 16, position() - start); }

  private:
    std::vector<std::uint8_t>& out_;
};

} // namespace anyvip::bgp::wire
