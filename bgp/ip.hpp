// SPDX-License-Identifier: Apache-2.0
// IPv4 and IPv6 addresses and prefixes as values: parsed once where they enter, compared and
// printed everywhere.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>

namespace anyvip {

/// Address family of unicast routes; the only SAFI this program speaks is 1.
enum class Family : std::uint8_t { Ipv4, Ipv6 };

/// "ipv4" or "ipv6", as the configuration and the JSON spell them.
[[nodiscard]] std::string_view to_string(Family family);

/// One IPv4 or IPv6 address without scope. Ordered by family, then numerically.
class IpAddress {
  public:
    /// 0.0.0.0
    constexpr IpAddress() = default;

    [[nodiscard]] static constexpr IpAddress v4(std::uint32_t host_order) {
        IpAddress address;
        for (std::size_t i = 0; i < 4; ++i) {
            address.octets_[i] = static_cast<std::uint8_t>(host_order >> (24 - 8 * i));
        }
        return address;
    }

    [[nodiscard]] static constexpr IpAddress v6(const std::array<std::uint8_t, 16>& octets) {
        IpAddress address;
        address.family_ = Family::Ipv6;
        address.octets_ = octets;
        return address;
    }

    /// From 4 or 16 octets in network order; any other size is the caller's mistake and yields
    /// 0.0.0.0.
    [[nodiscard]] static IpAddress from_octets(std::span<const std::uint8_t> octets);

    /// Dotted quad or RFC 4291 text, no scope, no prefix length. The error says what is wrong.
    [[nodiscard]] static std::expected<IpAddress, std::string> parse(std::string_view text);

    [[nodiscard]] constexpr Family family() const { return family_; }

    [[nodiscard]] constexpr bool is_v4() const { return family_ == Family::Ipv4; }

    [[nodiscard]] constexpr bool is_v6() const { return family_ == Family::Ipv6; }

    /// 4 or 16 octets, network order; lives as long as this object.
    [[nodiscard]] constexpr std::span<const std::uint8_t> octets() const {
        return std::span(octets_).first(is_v4() ? 4U : 16U);
    }

    /// Host order value of an IPv4 address; 0 for IPv6.
    [[nodiscard]] std::uint32_t to_v4() const;

    [[nodiscard]] bool is_unspecified() const;
    [[nodiscard]] bool is_loopback() const;   ///< 127/8 or ::1
    [[nodiscard]] bool is_multicast() const;  ///< 224/4 or ff00::/8
    [[nodiscard]] bool is_link_local() const; ///< 169.254/16 or fe80::/10
    [[nodiscard]] bool is_v4_mapped() const;  ///< ::ffff:0:0/96
    [[nodiscard]] bool is_class_e() const;    ///< 240/4, the limited broadcast address included

    friend constexpr auto operator<=>(const IpAddress&, const IpAddress&) = default;

  private:
    Family family_ = Family::Ipv4;
    std::array<std::uint8_t, 16> octets_{}; // IPv4 uses the first four, the rest stays zero
};

/// Dotted quad, or RFC 5952 text.
[[nodiscard]] std::string to_string(const IpAddress& address);

/// Length in bits of a host route of this family: 32 or 128.
[[nodiscard]] constexpr std::uint8_t host_length(Family family) {
    return family == Family::Ipv4 ? 32 : 128;
}

/// Address and length; invariant: length fits the family and the host bits are zero.
class Prefix {
  public:
    /// 0.0.0.0/0
    constexpr Prefix() = default;

    /// Host bits are cleared; a length beyond the family's is cut to it.
    [[nodiscard]] static Prefix of(const IpAddress& address, std::uint8_t length_bits);

    /// The /32 or /128 of an address.
    [[nodiscard]] static Prefix host(const IpAddress& address);

    /// "A", "A/L". Without a length a host prefix. Host bits that are not zero are an error.
    [[nodiscard]] static std::expected<Prefix, std::string> parse(std::string_view text);

    [[nodiscard]] constexpr const IpAddress& address() const { return address_; }

    [[nodiscard]] constexpr std::uint8_t length_bits() const { return length_bits_; }

    [[nodiscard]] constexpr Family family() const { return address_.family(); }

    [[nodiscard]] constexpr bool is_host() const { return length_bits_ == host_length(family()); }

    [[nodiscard]] bool contains(const IpAddress& address) const;

    friend constexpr auto operator<=>(const Prefix&, const Prefix&) = default;

  private:
    IpAddress address_;
    std::uint8_t length_bits_ = 0;
};

/// "203.0.113.10/32"
[[nodiscard]] std::string to_string(const Prefix& prefix);

} // namespace anyvip
