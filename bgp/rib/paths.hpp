// SPDX-License-Identifier: Apache-2.0
// Observations: paths that a peer shows us for prefixes of interest: our own VIPs, which are never
// installed and never announced again (CONTRACT section 3), and default routes.
#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "bgp/types.hpp"
#include "bgp/wire/update.hpp"

namespace anyvip::bgp {

/// One path of a watched prefix as a peer sent it.
struct ObservedPath {
    std::uint32_t path_id = 0;
    std::optional<IpAddress> next_hop;
    std::optional<IpAddress> link_local_next_hop; ///< the second address of RFC 2545 §3
    std::vector<Asn> as_path;                     ///< at most 64
    std::uint32_t path_length = 0;
    std::optional<std::uint32_t> med;
    std::optional<std::uint32_t> local_pref;
    bool is_graceful_shutdown = false;
    std::vector<LargeCommunity> large_communities; ///< at most 64

    template <class Archive> void transfer(Archive& archive) {
        archive.field(1, path_id);
        archive.field(2, next_hop);
        archive.field(3, as_path);
        archive.field(4, path_length);
        archive.field(5, med);
        archive.field(6, local_pref);
        archive.field(7, is_graceful_shutdown);
        archive.field(8, large_communities);
        archive.field(9, link_local_next_hop);
    }

    friend bool operator==(const ObservedPath&, const ObservedPath&) = default;
};

/// Do the announced routes of this UPDATE count as withdrawn (RFC 7606 §2)? A stronger error of the
/// other family may hide that in the verdict.
[[nodiscard]] bool is_treated_as_withdraw(const wire::Update& update);

/// Bounded table of observed paths, at most 64 for each prefix, only for watched prefixes.
class Paths {
  public:
    /// Prefixes worth remembering; paths of others are dropped. Returns true when that changed
    /// what is remembered.
    bool watch(std::set<Prefix> prefixes);

    [[nodiscard]] const std::set<Prefix>& watched() const { return watched_; }

    /// Takes one judged UPDATE whose verdict is not Reset. Returns true when a watched prefix
    /// changed. Nothing watched costs nothing; otherwise one test of a bit for each NLRI, and one
    /// look-up for those of a watched length.
    bool update(const wire::Update& update, bool four_octet_asn);
    /// Both return true when there was something to forget.
    bool forget_all();
    bool forget(Family family);

    /// The peer sends its routes of this family once more (RFC 7313 §4); what has not come again by
    /// the end of that is gone. Returns true when there was such a path.
    void begin_refresh(Family family);
    bool end_refresh(Family family);

    [[nodiscard]] const std::map<Prefix, std::map<std::uint32_t, ObservedPath>>& all() const {
        return paths_;
    }

    /// What goes over at an upgrade in place (cmd/handover).
    template <class Archive> void transfer(Archive& archive) {
        archive.field(1, watched_);
        archive.field(2, paths_);
        archive.field(3, stale_);
        if constexpr (Archive::is_loading) {
            watch(std::exchange(watched_, {}));
        }
    }

  private:
    [[nodiscard]] bool is_watched(const Prefix& prefix) const;
    bool withdraw(wire::NlriRange range);
    bool announce(const wire::Update& update,
                  wire::NlriRange range,
                  const std::optional<wire::NextHop>& next_hop,
                  bool four_octet_asn);

    std::set<Prefix> watched_;
    std::array<std::bitset<129>, 2> watched_lengths_; ///< by Family: a full table has few /32
    std::map<Prefix, std::map<std::uint32_t, ObservedPath>> paths_;
    std::set<wire::Nlri> stale_; ///< of `paths_`: not sent again yet
};

} // namespace anyvip::bgp
