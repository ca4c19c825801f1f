// SPDX-License-Identifier: Apache-2.0
// IANA numbers of BGP that several files here need, and their names.
#pragma once

#include <cstdint>
#include <string>

namespace anyvip::bgp::wire {

/// NOTIFICATION error codes (RFC 4271 §4.5, RFC 7313, RFC 9687).
enum class ErrorCode : std::uint8_t {
    MessageHeader = 1,
    OpenMessage = 2,
    UpdateMessage = 3,
    HoldTimerExpired = 4,
    FiniteStateMachine = 5,
    Cease = 6,
    RouteRefreshMessage = 7,
    SendHoldTimerExpired = 8,
};

/// Path attributes that are understood or at least named.
enum class AttributeType : std::uint8_t {
    Origin = 1,
    AsPath = 2,
    NextHop = 3,
    MultiExitDisc = 4,
    LocalPref = 5,
    AtomicAggregate = 6,
    Aggregator = 7,
    Communities = 8,
    OriginatorId = 9,
    ClusterList = 10,
    MpReachNlri = 14,
    MpUnreachNlri = 15,
    ExtendedCommunities = 16,
    As4Path = 17,
    As4Aggregator = 18,
    LargeCommunities = 32,
    OnlyToCustomer = 35,
};

/// Attribute flags (RFC 4271 §4.3).
inline constexpr std::uint8_t flag_optional = 0x80;
inline constexpr std::uint8_t flag_transitive = 0x40;
inline constexpr std::uint8_t flag_extended_length = 0x10;
inline constexpr std::uint8_t flags_of_type = flag_optional | flag_transitive;

/// AS_PATH segment types (RFC 4271 §4.3, RFC 5065 §3).
enum class SegmentType : std::uint8_t { Set = 1, Sequence = 2, ConfedSequence = 3, ConfedSet = 4 };

/// Values of the role capability (RFC 9234 §4.1) that are treated differently.
inline constexpr std::uint8_t role_provider = 0;
inline constexpr std::uint8_t role_route_server = 1;
inline constexpr std::uint8_t role_peer = 4;

/// Capability codes that this program understands.
enum class CapabilityCode : std::uint8_t {
    Multiprotocol = 1,
    RouteRefresh = 2,
    ExtendedNextHop = 5,
    Role = 9,
    GracefulRestart = 64,
    FourOctetAsn = 65,
    AddPath = 69,
    EnhancedRouteRefresh = 70,
};

/// "ORIGIN", "MP_REACH_NLRI", "attribute 99"
[[nodiscard]] std::string attribute_name(std::uint8_t type);

} // namespace anyvip::bgp::wire
