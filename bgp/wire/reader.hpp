// SPDX-License-Identifier: Apache-2.0
// A cursor over received octets with a sticky error: reads past the end yield zeros and are
// remembered, so that a structure is checked once at its end instead of at every field.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace anyvip::bgp::wire {

/// Big-endian reader. Never touches an octet outside the span it was given; the span must outlive
/// it.
class Reader {
  public:
    constexpr explicit Reader(std::span<const std::uint8_t> octets) : octets_(octets) {}

    [[nodiscard]] constexpr std::size_t remaining() const { return octets_.size(); }

    [[nodiscard]] constexpr bool empty() const { return octets_.empty(); }

    /// True when any read so far went beyond the end.
    [[nodiscard]] constexpr bool failed() const { return failed_; }

    /// The next `count` octets; an empty span, and failure, when there are fewer.
    constexpr std::span<const std::uint8_t> take(std::size_t count) {
        if (count > octets_.size()) {
            failed_ = true;
            octets_ = {};
            return {};
        }
        const auto taken = octets_.first(count);
        octets_ = octets_.subspan(count);
        return taken;
    }

    /// Everything that is left.
    constexpr std::span<const std::uint8_t> rest() { return take(octets_.size()); }

    constexpr std::uint8_t u8() { return static_cast<std::uint8_t>(number(1)); }

    constexpr std::uint16_t u16() { return static_cast<std::uint16_t>(number(2)); }

    constexpr std::uint32_t u32() { return number(4); }

    /// A reader bounded to the next `count` octets, which this one skips.
    constexpr Reader sub(std::size_t count) {
        Reader child(take(count));
        child.failed_ = failed_;
        return child;
    }

  private:
    constexpr std::uint32_t number(std::size_t size) {
        std::uint32_t value = 0;
        for (const std::uint8_t octet : take(size)) {
            value = (value << 8) | octet;
        }
        return value;
    }

    std::span<const std::uint8_t> octets_;
    bool failed_ = false;
};

} // namespace anyvip::bgp::wire
