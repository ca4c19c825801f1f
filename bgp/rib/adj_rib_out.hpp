// SPDX-License-Identifier: Apache-2.0
// Adj-RIB-Out of one session: what is wanted against what was last sent, and the fewest UPDATEs
// between the two.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "bgp/types.hpp"
#include "bgp/wire/attributes.hpp"
#include "bgp/wire/update.hpp"

namespace anyvip::bgp {

using AttributesPtr = std::shared_ptr<const wire::PathAttributes>;

/// Level-triggered: `want` says how it shall be, `flush` writes what is missing. However often a
/// prefix changes between two flushes, only its last state is sent, and nothing when that is what
/// the peer has. Withdrawals are written first. Lives as long as one session: a new session starts
/// with an empty one.
class AdjRibOut {
  public:
    /// Wanted state of one prefix; nullptr: not announced. Idempotent; O(log n), constant when
    /// prefixes of a new table come in ascending order.
    void want(const Prefix& prefix, AttributesPtr attributes);

    /// True when `flush` would write something.
    [[nodiscard]] bool has_pending() const;

    /// True when withdrawals are waiting to be written.
    [[nodiscard]] bool has_pending_withdrawals() const;

    struct Flushed {
        std::size_t withdrawn = 0;
        std::size_t announced = 0;
        std::size_t messages = 0;
        std::size_t withdrawals_end = 0; ///< size of `out` behind the last withdrawal
    };

    /// Appends UPDATEs to `out` until it holds at least `limit_octets` or nothing is left; call
    /// again for the rest. `stream_offset` is the position of `out`'s first octet in the stream of
    /// the connection: routes remember where the message that announced them ends.
    Flushed flush(const wire::EncodeContext& context,
                  std::size_t limit_octets,
                  std::uint64_t stream_offset,
                  std::vector<std::uint8_t>& out);

    /// ROUTE-REFRESH: everything advertised of this family is sent again by the next flushes.
    void resend(Family family);

    /// Was the prefix announced by a message that ends at or before this position of the stream,
    /// and not withdrawn since?
    [[nodiscard]] bool is_advertised(const Prefix& prefix, std::uint64_t stream_offset) const;

    /// Number of prefixes that the peer has (octets handed over by `flush`), by Family.
    [[nodiscard]] const std::array<std::size_t, 2>& advertised_count() const {
        return advertised_count_;
    }

    /// What the peer has now of this prefix (octets handed over by `flush`); nullptr: nothing.
    [[nodiscard]] AttributesPtr advertised(const Prefix& prefix) const;

    /// What goes over at an upgrade in place (cmd/handover).
    template <class Archive> void transfer(Archive& archive) {
        archive.field(1, routes_);
        if constexpr (Archive::is_loading) {
            index();
        }
    }

  private:
    struct Route {
        AttributesPtr wanted;
        AttributesPtr advertised;
        std::uint64_t announced_at = 0; ///< end of the first message that announced it
        bool must_resend = false;

        template <class Archive> void transfer(Archive& archive) {
            archive.shared(1, wanted);
            archive.shared(2, advertised);
            archive.field(3, announced_at);
            archive.field(4, must_resend);
        }
    };

    struct ByValue {
        bool operator()(const AttributesPtr& a, const AttributesPtr& b) const {
            return a != b && *a < *b;
        }
    };

    /// The three forms of a withdrawal; each message has one.
    enum class Withdrawal : std::uint8_t { Ipv4, Ipv4Multiprotocol, Ipv6 };

    using Item = std::pair<const Prefix, Route>; ///< a node of `routes_`: its address is stable

    struct ByPrefix {
        bool operator()(const Item* a, const Item* b) const { return a->first < b->first; }
    };

    using Pending = std::set<Item*, ByPrefix>;

    /// Everything that follows from `routes_`.
    void index();
    void schedule(Item& item);
    void unschedule(Item& item);
    static void take_batch(const Pending& pending, std::vector<Prefix>& batch);
    void
    write_withdrawals(std::size_t limit_octets, std::vector<std::uint8_t>& out, Flushed& flushed);
    void write_announcements(const wire::EncodeContext& context,
                             std::size_t limit_octets,
                             std::uint64_t stream_offset,
                             std::vector<std::uint8_t>& out,
                             Flushed& flushed);
    [[nodiscard]] static Withdrawal form_of(const Item& item);

    std::map<Prefix, Route> routes_;
    std::array<Pending, 3> withdrawals_; ///< by Withdrawal
    /// Grouped by value, so that equal attributes share messages. Never holds an empty set.
    std::map<AttributesPtr, Pending, ByValue> announcements_;
    std::array<std::size_t, 2> advertised_count_{};
};

} // namespace anyvip::bgp
