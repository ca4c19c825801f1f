// SPDX-License-Identifier: Apache-2.0
// What is on which interface, as the kernel told it, and what has changed for somebody who thinks
// in VIPs. Pure: no socket in here.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bgp/ip.hpp"

namespace anyvip::vip::kernel {

/// An address as the kernel keeps it. Unlike a Prefix it may have host bits: 10.0.0.1/24.
struct InterfaceAddress {
    IpAddress address;
    std::uint8_t length_bits = 0;
    friend constexpr auto operator<=>(const InterfaceAddress&, const InterfaceAddress&) = default;
};

struct AddressEntry {
    bool is_usable = true; ///< false: duplicate address detection runs or has failed
    bool is_owned = false;
    friend bool operator==(const AddressEntry&, const AddressEntry&) = default;
};

struct Link {
    std::string name; ///< empty: not told yet
    bool is_up = false;
    std::map<InterfaceAddress, AddressEntry> addresses;
};

/// Whether a prefix works on an interface: it is there, the interface is up. `is_owned`: exactly
/// this prefix is there with our mark, whether it works or not.
struct AddressState {
    bool is_present = false;
    bool is_owned = false;
    friend bool operator==(const AddressState&, const AddressState&) = default;
};

/// A change, or an answer. A host prefix is present when its address is there with any length: an
/// address 10.0.0.1/24 serves the VIP 10.0.0.1/32 too. A shorter prefix has to be there exactly.
struct Observation {
    Prefix prefix;
    std::string interface;
    AddressState state;
    friend bool operator==(const Observation&, const Observation&) = default;
};

/// Interfaces by index, because that survives a rename; everybody else knows them by name. Each
/// change costs O(log n) of the interface's addresses, changes of a whole link O(n).
class AddressTable {
  public:
    void set_link(int index, std::string_view name, bool is_up);
    void remove_link(int index);
    void set_address(int index, const InterfaceAddress& address, AddressEntry entry);
    void remove_address(int index, const InterfaceAddress& address);

    /// Becomes the links and addresses of `other`, with the difference as changes.
    void replace(AddressTable other);

    [[nodiscard]] std::optional<int> index_of(std::string_view interface) const;
    [[nodiscard]] const Link* find_link(std::string_view interface) const;

    [[nodiscard]] const std::map<int, Link>& links() const { return links_; }

    [[nodiscard]] AddressState state_of(const Prefix& prefix, std::string_view interface) const;

    /// What has changed since the last call, in order.
    [[nodiscard]] std::vector<Observation> take_changes();

  private:
    std::map<int, Link> links_;
    std::map<std::string, int, std::less<>> names_;
    std::vector<Observation> changes_;
};

/// The exact address that a VIP's prefix is on an interface.
[[nodiscard]] InterfaceAddress interface_address(const Prefix& prefix);

} // namespace anyvip::vip::kernel
