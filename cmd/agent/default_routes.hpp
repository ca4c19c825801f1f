// SPDX-License-Identifier: Apache-2.0
// Default routes learnt from routers (`default_route` of a [[peer]]): one for each family and
// metric, with one next hop for each router that offers it.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cmd/agent/deadlines.hpp"
#include "cmd/agent/outbox.hpp"
#include "cmd/agent/peer_set.hpp"
#include "vip/default_route.hpp"

namespace anyvip::cmd {

class DefaultRoutes {
  public:
    explicit DefaultRoutes(Outbox& outbox) : outbox_(outbox) {}

    /// What of ours is in the kernel. Before the first `settle`: what a run before left, which is
    /// adopted. `hidden_by`: another program's route that the kernel prefers; empty: none.
    void observed(const vip::DefaultRouteKey& key,
                  const vip::NextHops& next_hops,
                  std::string_view hidden_by,
                  Instant now);
    void failed(const vip::DefaultRouteKey& key, std::string_view reason, Instant now);

    /// Decides and asks. `is_over`: the daemon stops, nothing is wanted any more.
    void settle(const PeerSet& peers, bool is_over, Instant now);
    [[nodiscard]] std::optional<Instant> next_deadline() const;

    /// A route of ours is still in the kernel.
    [[nodiscard]] bool has_installed() const;

    [[nodiscard]] std::vector<DefaultRouteView> routes(const PeerSet& peers) const;
    /// Of every router with `default_route`, for each family.
    [[nodiscard]] static std::vector<DefaultRouteOffer> offers(const PeerSet& peers);

    /// What is in the kernel, as told last.
    [[nodiscard]] std::vector<vip::DefaultRouteKey> present() const;

    /// What goes over at an upgrade in place; `peers` are there already.
    template <class Archive> void transfer(Archive& archive, PeerSet& peers) {
        std::array<Names, 2> offered = names();
        archive.field(20, offered);
        archive.field(21, is_last_);
        archive.field(22, slots_);
        if constexpr (Archive::is_loading) {
            take_over(offered, peers);
        }
    }

  private:
    /// By metric, then by next hop: who offers it; nullptr: adopted, nobody has offered it yet.
    using Wanted = std::map<std::uint32_t, std::map<vip::NextHop, const PeerRecord*>>;

    struct Slot {
        vip::HeldRoute held;
        std::string hidden_by;
        std::string told; ///< the last problem that was an event
        Instant since;
        std::string last_event;

        template <class Archive> void transfer(Archive& archive) {
            archive.field(1, held);
            archive.field(2, hidden_by);
            archive.field(3, told);
            archive.field(4, since);
            archive.field(5, last_event);
        }
    };

    /// Who offers which next hop, in words: a successor's peers are other objects.
    using Names = std::map<std::uint32_t, std::map<vip::NextHop, std::string>>;
    [[nodiscard]] std::array<Names, 2> names() const;
    void take_over(const std::array<Names, 2>& names, PeerSet& peers);

    [[nodiscard]] Wanted last_of(Family family, const PeerSet& peers) const;
    void step(const vip::DefaultRouteKey& key, Slot& slot, Instant now);
    void tell(const vip::DefaultRouteKey& key,
              Slot& slot,
              EventName event,
              const std::string& reason,
              Instant now);
    static void note(const DefaultRouteOffer& offer, PeerRecord& record, Instant now);
    void tell_problem(const vip::DefaultRouteKey& key, Slot& slot, Instant now);

    Outbox& outbox_;
    std::array<Wanted, 2> wanted_;  ///< by Family, as decided last
    std::array<bool, 2> is_last_{}; ///< by Family: nobody offers it any more
    std::map<vip::DefaultRouteKey, Slot> slots_;
};

} // namespace anyvip::cmd
