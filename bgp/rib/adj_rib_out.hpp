// SPDX-License-Identifier: Apache-2.0
// Adj-RIB-Out of one peer: what is wanted against what was last sent, and the fewest UPDATEs
// between the two.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "bgp/types.hpp"
#include "bgp/wire/attributes.hpp"
#include "bgp/wire/update.hpp"

namespace anyvip::bgp {

using AttributesPtr = std::shared_ptr<const wire::PathAttributes>;

/// Level-triggered: `want` says how it shall be, `flush` writes what is missing. However often a
/// prefix changes between two flushes, only its last state is sent, and nothing when that is what
/// the peer has. Withdrawals are written first. (The private part is the implementer's; the names
/// below are what session/ uses.)
class AdjRibOut {
  public:
    /// Wanted state of one prefix; nullptr: not announced. Idempotent, O(log n).
    void want(const Prefix& prefix, AttributesPtr attributes);

    /// True when `flush` would write something for these families.
    [[nodiscard]] bool has_pending() const;

    /// True when withdrawals are waiting to be written.
    [[nodiscard]] bool has_pending_withdrawals() const;

    struct Flushed {
        std::size_t withdrawn = 0;
        std::size_t announced = 0;
        std::size_t messages = 0;
    };

    /// Appends UPDATEs to `out` until it holds at least `limit_octets` or nothing is left; call
    /// again for the rest.
    Flushed flush(const wire::EncodeContext& context,
                  std::size_t limit_octets,
                  std::vector<std::uint8_t>& out);

    /// The session is gone: nothing is advertised any more. The wanted set stays.
    void forget_advertised();

    /// ROUTE-REFRESH: everything wanted of this family is sent again by the next flushes.
    void resend(Family family);

    /// What the peer has now (bytes handed over by `flush`), by prefix.
    [[nodiscard]] const std::map<Prefix, AttributesPtr>& advertised() const;

  private:
    // To be chosen by the implementer.
};

} // namespace anyvip::bgp
