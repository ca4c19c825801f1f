// SPDX-License-Identifier: Apache-2.0
// What routers know of a VIP, and what they could: its routes beside the sessions that carry them.
#pragma once

#include "cmd/agent/vip_record.hpp"

namespace anyvip::cmd {

/// Some address is to be announced.
[[nodiscard]] bool is_routed(const vip::Decision& decision);

/// The router's session takes the family of one address at least.
[[nodiscard]] bool can_carry(const VipRecord& record, const PeerRecord& peer);

/// A router in use would take this address.
[[nodiscard]] bool is_carried(const VipRecord& record, const AddressSlot* slot);

/// One prefix at least has been sent to one peer, and is not being taken back from it.
[[nodiscard]] bool is_sent(const VipRecord& record);

/// Some peer has still to get something of it.
[[nodiscard]] bool is_unsent(const VipRecord& record);

/// A router in use has one of its routes, or gets it in this turn.
[[nodiscard]] bool is_with_a_router(const VipRecord& record);

/// A router is being taken out of use: the withdraw leaves in this turn, or has not been taken in
/// by the router yet.
[[nodiscard]] bool is_taken_out(const VipRecord& record);

} // namespace anyvip::cmd
