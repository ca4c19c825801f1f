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
    struct Outcome {
        bool paths_changed = false;
        bool is_over_limit = false; ///< more than `max_received` prefixes
    };

    /// Takes one judged UPDATE whose verdict is not Reset.
    Outcome update(const wire::Update& update, bool four_octet_asn, std::uint32_t max_received);

    /// The session has ended. Returns true when paths were forgotten.
    bool end();

    [[nodiscard]] Paths& paths() { return paths_; }

    [[nodiscard]] const Paths& paths() const { return paths_; }

    [[nodiscard]] bool has_end_of_rib(Family family) const {
        return end_of_rib_[std::to_underlying(family)];
    }

    [[nodiscard]] std::uint64_t prefixes() const { return announced_; }

    template <class Archive> void transfer(Archive& archive) {
        archive.field(1, paths_);
        archive.field(2, end_of_rib_);
        archive.field(3, announced_);
        archive.field(4, known_);
    }

  private:
    void count(const wire::Update& update);
    void remember(const wire::Update& update, std::uint32_t max_received);

    Paths paths_;
    std::array<bool, 2> end_of_rib_{};
    std::uint64_t announced_ = 0; ///< minus withdrawn, never below 0
    /// Exact count for `max_received`, which bounds it; empty without that limit.
    std::set<wire::Nlri> known_;
};

} // namespace anyvip::bgp
