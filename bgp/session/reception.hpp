// SPDX-License-Identifier: Apache-2.0
// The receiving half of a peer: routes are counted and dropped, paths of our own VIPs kept.
#pragma once

#include <array>
#include <cstdint>
#include <set>
#include <utility>

#include "bgp/rib/paths.hpp"
#include "bgp/session/peer.hpp"
#include "bgp/wire/update.hpp"

namespace anyvip::bgp {

class Reception {
  public:
    /// Takes one judged UPDATE whose verdict is not Reset. With a limit (not 0) each prefix is
    /// known by itself, as far as that takes to see that they are too many. Returns true when paths
    /// have changed.
    bool update(const wire::Update& update, bool four_octet_asn, std::uint32_t max_received);

    /// All routes of the family come once more: none is counted twice.
    void begin_again(Family family);

    /// The same between the router's BoRR and EoRR (RFC 7313 §4): whatever does not come again is
    /// gone at the end. Returns true when paths were forgotten.
    void begin_refresh(Family family);

    [[nodiscard]] bool end_refresh(Family family) { return paths_.end_refresh(family); }

    /// A limit was set: counting begins at nothing.
    void forget_counts();

    /// A limit was lifted: the count goes on from what it is.
    void forget_known() { known_.clear(); }

    /// The session has ended. Returns true when paths were forgotten.
    bool end();

    [[nodiscard]] Paths& paths() { return paths_; }

    [[nodiscard]] const Paths& paths() const { return paths_; }

    [[nodiscard]] bool has_end_of_rib(Family family) const {
        return end_of_rib_[std::to_underlying(family)];
    }

    [[nodiscard]] std::uint64_t prefixes() const { return announced_[0] + announced_[1]; }

    template <class Archive> void transfer(Archive& archive) {
        std::uint64_t both_families = prefixes();
        archive.field(1, paths_);
        archive.field(2, end_of_rib_);
        archive.field(3, both_families);
        archive.field(4, known_);
        archive.field(5, announced_);
        if (both_families != prefixes()) { // of a version that did not tell them apart
            announced_ = {both_families, 0};
            count_known();
        }
    }

  private:
    void count(const wire::NlriRange& routes, bool is_announced);
    void remember(wire::NlriRange routes, std::uint32_t max_received);
    void forget(wire::NlriRange routes);
    void forget(Family family);
    void count_known();

    Paths paths_;
    std::array<bool, 2> end_of_rib_{};
    std::array<std::uint64_t, 2> announced_{}; ///< by Family; minus withdrawn, never below 0
    /// Makes the count exact for `max_received`, which bounds it; empty without that limit.
    std::set<wire::Nlri> known_;
};

} // namespace anyvip::bgp
