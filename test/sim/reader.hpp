// SPDX-License-Identifier: Apache-2.0
// Reads what an agent sends, octet by octet and strictly: whatever is not as the RFCs say ends the
// run. Shares no code with bgp/wire, so that one mistake cannot cancel out.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "bgp/ip.hpp"
#include "test/sim/scheduler.hpp"
#include "test/support/raw_bgp.hpp"

namespace anyvip::sim {

using test::raw::Octets;

/// One path as it was told.
struct Route {
    Octets attributes; ///< all but the prefixes, as sent: equal octets are the same state
    std::size_t path_length = 0;
    std::optional<std::uint32_t> local_pref;
    std::set<std::uint32_t> communities;
    std::vector<Octets> large_communities; ///< 12 octets each

    [[nodiscard]] bool is_graceful_shutdown() const { return communities.contains(0xFFFF0000U); }
};

using Table = std::map<Prefix, Route>;

struct Update {
    std::vector<Prefix> withdrawn;
    std::vector<Prefix> announced;
    Route route;
    std::optional<Family> end_of_rib;
};

/// Throws `Violation` when the body of an UPDATE is malformed.
[[nodiscard]] Update read_update(std::span<const std::uint8_t> body);

/// Cuts a stream into messages; throws `Violation` at a bad header.
class Framer {
  public:
    [[nodiscard]] std::vector<test::raw::Message> take(std::span<const std::uint8_t> octets);

  private:
    Octets rest_;
};

} // namespace anyvip::sim
