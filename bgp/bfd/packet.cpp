// SPDX-License-Identifier: Apache-2.0
#include "bgp/bfd/packet.hpp"

namespace anyvip::bgp::bfd {

namespace {

// RFC 5880 §4.1:
//
//     0                   1                   2                   3
//     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//    +-----+---------+---+-+-+-+-+-+-+---------------+---------------+
//    |Vers |  Diag   |Sta|P|F|C|A|D|M|  Detect Mult  |    Length     |
//    +-----+---------+---+-+-+-+-+-+-+---------------+---------------+
//    |                       My Discriminator                        |
//    |                      Your Discriminator                       |
//    |                    Desired Min TX Interval                    |
//    |                   Required Min RX Interval                    |
//    |                 Required Min Echo RX Interval                 |
//    +---------------------------------------------------------------+
constexpr unsigned version = 1;
constexpr unsigned poll_bit = 0x20;
constexpr unsigned final_bit = 0x10;
constexpr unsigned control_plane_bit = 0x08;
constexpr unsigned authentication_bit = 0x04;
constexpr unsigned demand_bit = 0x02;
constexpr unsigned multipoint_bit = 0x01;
constexpr std::size_t authenticated_octets = 26; // the least that has an authentication section

[[nodiscard]] std::uint32_t read_word(std::span<const std::uint8_t> payload, std::size_t at) {
    std::uint32_t value = 0;
    for (const std::uint8_t octet : payload.subspan(at, 4)) {
        value = value << 8U | octet;
    }
    return value;
}

void write_word(std::span<std::uint8_t> octets, std::size_t at, std::uint32_t value) {
    for (std::size_t i = 0; i < 4; ++i) {
        octets[at + i] = static_cast<std::uint8_t>(value >> (24 - 8 * i));
    }
}

} // namespace

std::expected<Packet, Drop> decode(std::span<const std::uint8_t> payload) {
    if (payload.size() < packet_octets) {
        // Without a first octet there is no version to be wrong.
        const bool is_other = !payload.empty() && payload[0] >> 5U != version;
        return std::unexpected(is_other ? Drop::Version : Drop::Length);
    }
    if (payload[0] >> 5U != version) {
        return std::unexpected(Drop::Version);
    }
    const unsigned flags = payload[1];
    const bool has_authentication = (flags & authentication_bit) != 0;
    const std::size_t length = payload[3];
    if (length < (has_authentication ? authenticated_octets : packet_octets) ||
        length > payload.size()) {
        return std::unexpected(Drop::Length);
    }
    if (payload[2] == 0) {
        return std::unexpected(Drop::Multiplier);
    }
    if ((flags & multipoint_bit) != 0) {
        return std::unexpected(Drop::Multipoint);
    }
    Packet packet;
    packet.my_discriminator = read_word(payload, 4);
    if (packet.my_discriminator == 0) {
        return std::unexpected(Drop::MyDiscriminator);
    }
    packet.diagnostic = static_cast<Diagnostic>(payload[0] & 0x1FU);
    packet.state = static_cast<State>(flags >> 6U);
    packet.poll = (flags & poll_bit) != 0;
    packet.final = (flags & final_bit) != 0;
    packet.control_plane_independent = (flags & control_plane_bit) != 0;
    packet.authentication = has_authentication;
    packet.demand = (flags & demand_bit) != 0;
    packet.multiplier = payload[2];
    packet.your_discriminator = read_word(payload, 8);
    packet.desired_min_tx = Interval{read_word(payload, 12)};
    packet.required_min_rx = Interval{read_word(payload, 16)};
    packet.required_min_echo_rx = Interval{read_word(payload, 20)};
    return packet;
}

std::array<std::uint8_t, packet_octets> encode(const Packet& packet) {
    std::array<std::uint8_t, packet_octets> octets{};
    const auto bit = [](bool is_set, unsigned value) { return is_set ? value : 0U; };
    octets[0] = static_cast<std::uint8_t>(version << 5U |
                                          (static_cast<unsigned>(packet.diagnostic) & 0x1FU));
    octets[1] = static_cast<std::uint8_t>(
        static_cast<unsigned>(packet.state) << 6U | bit(packet.poll, poll_bit) |
        bit(packet.final, final_bit) | bit(packet.control_plane_independent, control_plane_bit) |
        bit(packet.demand, demand_bit));
    octets[2] = packet.multiplier;
    octets[3] = packet_octets;
    write_word(octets, 4, packet.my_discriminator);
    write_word(octets, 8, packet.your_discriminator);
    write_word(octets, 12, packet.desired_min_tx.count());
    write_word(octets, 16, packet.required_min_rx.count());
    write_word(octets, 20, packet.required_min_echo_rx.count());
    return octets;
}

std::string_view to_string(State state) {
    switch (state) {
    case State::AdminDown:
        return "admin_down";
    case State::Down:
        return "down";
    case State::Init:
        return "init";
    case State::Up:
        return "up";
    }
    return "";
}

std::string_view to_string(Diagnostic diagnostic) {
    switch (diagnostic) {
    case Diagnostic::None:
        return "none";
    case Diagnostic::DetectionTimeExpired:
        return "control detection time expired";
    case Diagnostic::EchoFailed:
        return "echo function failed";
    case Diagnostic::NeighborSignaledDown:
        return "neighbor signaled session down";
    case Diagnostic::ForwardingPlaneReset:
        return "forwarding plane reset";
    case Diagnostic::PathDown:
        return "path down";
    case Diagnostic::ConcatenatedPathDown:
        return "concatenated path down";
    case Diagnostic::AdministrativelyDown:
        return "administratively down";
    case Diagnostic::ReverseConcatenatedPathDown:
        return "reverse concatenated path down";
    }
    return "unknown diagnostic";
}

std::string_view to_string(Drop drop) {
    switch (drop) {
    case Drop::Version:
        return "version";
    case Drop::Length:
        return "length";
    case Drop::Multiplier:
        return "multiplier";
    case Drop::Multipoint:
        return "multipoint";
    case Drop::MyDiscriminator:
        return "my_discriminator";
    case Drop::NoSession:
        return "no_session";
    case Drop::State:
        return "state";
    case Drop::Ttl:
        return "ttl";
    case Drop::Authentication:
        return "authentication";
    }
    return "";
}

} // namespace anyvip::bgp::bfd
