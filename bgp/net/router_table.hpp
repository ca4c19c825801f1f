// SPDX-License-Identifier: Apache-2.0
// The routers of one unnumbered link, and which of them has been replaced. Pure.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <string>

#include "bgp/ip.hpp"
#include "bgp/types.hpp"

namespace anyvip::bgp::net {

/// Nobody is forgotten because of silence alone: a lone router is remembered, its session tells
/// whether it is alive. But when another one speaks, a router goes that has said goodbye, was cut
/// off with the link, has been silent for three of its own intervals or, heard only once, has
/// outlived its lifetime.
class RouterTable {
  public:
    /// An advertisement. Lifetime 0 is as good as any other, unless it was greater before: that is
    /// how a router says goodbye (RFC 4861 §6.2.5).
    void heard(const IpAddress& router, std::chrono::seconds lifetime, Instant now);

    /// The link was down: who is there now has to be heard again.
    void link_lost();

    void clear() { routers_.clear(); }

    /// The only one; nullopt while there are none or several.
    [[nodiscard]] std::optional<IpAddress> lone() const;

    [[nodiscard]] std::size_t size() const { return routers_.size(); }

    /// Nobody is known to be there now.
    [[nodiscard]] bool is_in_doubt() const;

    /// "fe80::1, fe80::2"
    [[nodiscard]] std::string names() const;

    /// Until when each counts: what goes over at an upgrade in place.
    [[nodiscard]] std::map<IpAddress, Instant> lifetimes() const;
    void restore(const std::map<IpAddress, Instant>& lifetimes, Instant now);

  private:
    struct Router {
        Instant until;
        Instant last;
        Duration interval{};              ///< the longest so far between two advertisements
        int gaps = 0;                     ///< so many were looked at
        std::chrono::seconds lifetime{0}; ///< the longest so far
        bool is_in_doubt = false;
    };

    [[nodiscard]] static bool is_gone(const Router& router, Instant now);

    std::map<IpAddress, Router> routers_;
};

} // namespace anyvip::bgp::net
