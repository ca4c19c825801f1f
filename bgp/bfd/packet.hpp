// SPDX-License-Identifier: Apache-2.0
// The BFD Control packet (RFC 5880 §4.1): octets to values and back, and the checks that need
// nothing but the octets.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <string_view>

namespace anyvip::bgp::bfd {

/// RFC 5880 §4.1, field Sta.
enum class State : std::uint8_t { AdminDown = 0, Down = 1, Init = 2, Up = 3 };

/// RFC 5880 §4.1, field Diag.
enum class Diagnostic : std::uint8_t {
    None = 0,
    DetectionTimeExpired = 1,
    EchoFailed = 2,
    NeighborSignaledDown = 3,
    ForwardingPlaneReset = 4,
    PathDown = 5,
    ConcatenatedPathDown = 6,
    AdministrativelyDown = 7,
    ReverseConcatenatedPathDown = 8,
};

/// Why a received packet was dropped, in the order of the checks (RFC 5880 §6.8.6).
enum class Drop : std::uint8_t {
    Version,
    Length,
    Multiplier,
    Multipoint,
    MyDiscriminator,
    NoSession,
    State, ///< Your Discriminator is zero, and the state is neither Down nor AdminDown
    Ttl,   ///< RFC 5881 §5, or too many hops (RFC 5883 §4)
    Authentication,
};

inline constexpr std::size_t drop_reasons = 9;

using Interval = std::chrono::duration<std::uint32_t, std::micro>;

inline constexpr std::size_t packet_octets = 24;
/// UDP payloads are read up to here: the longest packet with authentication (RFC 5880 §4.4), and
/// some more that a later version may add.
inline constexpr std::size_t max_packet_octets = 128;

/// Every field of a packet that passed `decode`. Version and length are not kept.
struct Packet {
    Diagnostic diagnostic = Diagnostic::None; ///< any of 0..31 when received
    State state = State::Down;
    bool poll = false;
    bool final = false;
    bool control_plane_independent = false;
    bool authentication = false;
    bool demand = false;
    std::uint8_t multiplier = 0; ///< 1..255
    std::uint32_t my_discriminator = 0;
    std::uint32_t your_discriminator = 0;
    Interval desired_min_tx{0};
    Interval required_min_rx{0};
    Interval required_min_echo_rx{0};
    friend bool operator==(const Packet&, const Packet&) = default;
};

/// The checks of RFC 5880 §6.8.6 down to My Discriminator. What follows the packet is ignored.
[[nodiscard]] std::expected<Packet, Drop> decode(std::span<const std::uint8_t> payload);

/// Never with authentication.
[[nodiscard]] std::array<std::uint8_t, packet_octets> encode(const Packet& packet);

/// "down", "admin_down"…
[[nodiscard]] std::string_view to_string(State state);
/// "control detection time expired"…; "unknown diagnostic" for numbers without a name.
[[nodiscard]] std::string_view to_string(Diagnostic diagnostic);
/// "ttl", "no_session"…
[[nodiscard]] std::string_view to_string(Drop drop);

} // namespace anyvip::bgp::bfd
