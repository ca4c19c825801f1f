// SPDX-License-Identifier: Apache-2.0
// Events of the state machine with their numbers of RFC 4271 §8.1. Left out are the optional ones
// that this speaker has no use for: 1 and 4 (a start is always automatic), 6, 7 and 13 (damping is
// the peer's idle hold, which issues event 3), 12 and 20 (DelayOpen), 14 and 15 (the listener
// filters).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "bgp/wire/framer.hpp"
#include "bgp/wire/notification.hpp"

namespace anyvip::bgp {

enum class Event : std::uint8_t {
    ManualStop = 2,
    AutomaticStart = 3,
    AutomaticStartPassive = 5,
    AutomaticStop = 8,
    ConnectRetryTimerExpires = 9,
    HoldTimerExpires = 10,
    KeepaliveTimerExpires = 11,
    TcpCrAcked = 16,
    TcpConnectionConfirmed = 17,
    TcpConnectionFails = 18,
    BgpOpen = 19,
    BgpHeaderErr = 21,
    BgpOpenMsgErr = 22,
    OpenCollisionDump = 23,
    NotifMsgVerErr = 24,
    NotifMsg = 25,
    KeepAliveMsg = 26,
    UpdateMsg = 27,
    UpdateMsgErr = 28,
    SendHoldTimerExpires = 29, ///< RFC 9687 §4
    RouteRefreshMsg = 30,      ///< RFC 2918 gives it no number
};

/// What an event carries.
struct Cause {
    /// To be sent for 2, 8, 21, 22, 23 and 28; received for 24 and 25.
    std::optional<wire::Notification> notification;
    std::string reason; ///< one line for the operator
    /// The peer broke a rule and is not told so: a NOTIFICATION that cannot be read.
    bool is_protocol_error = false;
};

} // namespace anyvip::bgp
