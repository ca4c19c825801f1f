// SPDX-License-Identifier: Apache-2.0
// The addresses of all VIPs, and those that are left over: of removed VIPs, of a run before.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cmd/agent/deadlines.hpp"
#include "cmd/agent/outbox.hpp"
#include "cmd/agent/track.hpp"
#include "vip/address.hpp"
#include "vip/traffic_end.hpp"

namespace anyvip::cmd {

/// One address on one interface. References stay valid until it is erased.
struct AddressSlot {
    Prefix prefix;
    std::string interface;
    vip::HeldAddress held;
    std::uint64_t vip = 0; ///< owner; 0: left over, to be taken off
    bool is_external = false;
    vip::TrafficWatch leaving; ///< left over: its traffic has to end first
    Track track;               ///< of its presence

    template <class Archive> void transfer(Archive& archive) {
        archive.field(1, held);
        archive.field(2, leaving);
        archive.field(3, track);
    }
};

class AddressSet {
  public:
    using Key = std::pair<Prefix, std::string>;

    explicit AddressSet(Outbox& outbox) : outbox_(outbox) {}

    /// The slot of a VIP's address, which is now its owner. Whether it is there already is known
    /// when it was observed before.
    AddressSlot& claim(const Key& key, std::uint64_t vip, bool is_external, Instant now);
    /// The VIP does not have this address any more; it goes when this traffic has ended.
    void abandon(AddressSlot& slot, const vip::TrafficWatch& leaving);

    /// Returns the VIP concerned; 0: none.
    std::uint64_t observed(const Key& key, bool is_present, bool is_owned, Instant now);
    std::uint64_t failed(const Key& key, std::string_view reason, Instant now);

    /// Asks the kernel for what is missing or too much at this address.
    void step(AddressSlot& slot, Instant now);
    /// Left-over ones whose traffic has ended are taken off.
    void tick(const vip::LingerLimits& limits, bool at_once, Instant now);
    [[nodiscard]] std::optional<Instant> next_deadline(const vip::LingerLimits& limits,
                                                       Instant now) const;
    /// An address that this program put somewhere is still there.
    [[nodiscard]] bool has_owned() const;
    /// All that were there when last heard of.
    [[nodiscard]] std::vector<Key> present() const;

    /// What goes over at an upgrade in place.
    template <class Archive> void transfer(Archive& archive) {
        std::vector<AddressSlot*> slots;
        for (auto& [key, slot] : slots_) {
            slots.push_back(&slot);
        }
        archive.table(
            1,
            slots,
            [](const AddressSlot& slot) { return Key{slot.prefix, slot.interface}; },
            [&](const Key& key) { return &left_over_unless_claimed(key); });
        archive.field(2, foreign_);
    }

  private:
    AddressSlot& left_over_unless_claimed(const Key& key);

    Outbox& outbox_;
    std::map<Key, AddressSlot> slots_;
    std::set<Key> left_over_;
    std::set<Key> foreign_; // there, but of no VIP and not ours: a reload may make it one's
};

} // namespace anyvip::cmd
