// SPDX-License-Identifier: Apache-2.0
// What rtnetlink says of links and addresses, and how it is asked to add and remove an address.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "vip/kernel/address_table.hpp"
#include "vip/kernel/netlink.hpp"

namespace anyvip::vip::kernel {

/// The mark of our addresses: IFA_PROTO of Linux 5.18, shown as `proto 0xa7` by `ip address`.
inline constexpr std::uint8_t address_mark = 0xA7;

/// RTM_NEWLINK, RTM_DELLINK.
struct LinkMessage {
    int index = 0;
    std::string name;
    bool is_up = false;
    bool is_gone = false;
};

/// RTM_NEWADDR, RTM_DELADDR.
struct AddressMessage {
    int index = 0;
    InterfaceAddress address;
    bool is_usable = true;
    bool is_gone = false;
    std::optional<std::uint8_t> mark; ///< IFA_PROTO
    /// As `add_request` makes them: IPv4 of scope link, IPv6 deprecated. Others seldom do.
    bool is_like_ours = false;
};

/// Nothing when it is malformed or not of interest.
[[nodiscard]] std::optional<LinkMessage> parse_link(nlmsghdr& message);
[[nodiscard]] std::optional<AddressMessage> parse_address(nlmsghdr& message);

[[nodiscard]] Request add_request(int index, const Prefix& prefix, bool with_mark);
[[nodiscard]] Request remove_request(int index, const Prefix& prefix);

} // namespace anyvip::vip::kernel
