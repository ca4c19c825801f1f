// SPDX-License-Identifier: Apache-2.0
// A default route that shall be in the kernel: what to ask of it next, and what to do when somebody
// else takes it away. The sibling of HeldAddress.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "bgp/types.hpp"
#include "vip/insistence.hpp"

namespace anyvip::vip {

/// A router on a connected link. An IPv4 route may have an IPv6 one (RFC 8950).
struct NextHop {
    IpAddress address;
    std::string interface;

    template <class Archive> void transfer(Archive& archive) {
        archive.field(1, address);
        archive.field(2, interface);
    }

    friend auto operator<=>(const NextHop&, const NextHop&) = default;
};

/// The next hops of one route; a set so that equal routes compare equal.
using NextHops = std::set<NextHop>;

/// Which of our default routes: one for each family and metric.
struct DefaultRouteKey {
    Family family = Family::Ipv4;
    std::uint32_t metric = 0;

    template <class Archive> void transfer(Archive& archive) {
        archive.choice(1, family, Family::Ipv6);
        archive.field(2, metric);
    }

    friend auto operator<=>(const DefaultRouteKey&, const DefaultRouteKey&) = default;
};

/// 0.0.0.0/0 or ::/0
[[nodiscard]] Prefix default_prefix(Family family);
/// "10.0.0.1 dev eth0"
[[nodiscard]] std::string to_string(const NextHop& next_hop);
/// "via 10.0.0.1 dev eth0, 10.0.1.1 dev eth1"; "none" when empty.
[[nodiscard]] std::string to_string(const NextHops& next_hops);
/// "0.0.0.0/0 metric 512"
[[nodiscard]] std::string to_string(const DefaultRouteKey& key);

/// Level-triggered: `want` says which next hops it shall have (none: no route), `next_step` what to
/// ask of the kernel now.
class HeldRoute {
  public:
    enum class Change : std::uint8_t {
        Nothing,
        Changed,
        TakenAway, ///< next hops that are wanted are gone, by nobody's order
    };

    void want(NextHops next_hops);

    /// What of ours is in the kernel now.
    [[nodiscard]] Change observed(NextHops present, Instant now);
    /// The kernel refused the last step, or a part of it.
    void failed(std::string_view reason, Instant now);
    /// The next hops to be put there, none for "remove it"; nullopt: nothing to do now.
    [[nodiscard]] std::optional<NextHops> next_step(Instant now);
    void tick(Instant now);
    [[nodiscard]] std::optional<Instant> next_deadline() const;

    [[nodiscard]] const NextHops& wanted() const { return wanted_; }

    [[nodiscard]] const NextHops& present() const { return present_; }

    /// Empty: nothing is wrong.
    [[nodiscard]] const std::string& problem() const { return problem_; }

    /// What goes over at an upgrade in place (cmd/handover).
    template <class Archive> void transfer(Archive& archive) {
        archive.field(1, wanted_);
        archive.field(2, present_);
        archive.field(3, asked_);
        insistence_.transfer(archive, 4);
        archive.field(8, is_contested_);
        archive.field(9, problem_);
    }

  private:
    void taken_away(Instant now);

    NextHops wanted_;
    NextHops present_;
    std::optional<NextHops> asked_;
    Insistence insistence_;
    bool is_contested_ = false;
    std::string problem_;
};

} // namespace anyvip::vip
