// SPDX-License-Identifier: Apache-2.0
// The sending half of a peer: intents in, UPDATEs, End-of-RIB and refresh brackets out, and which
// withdrawals the peer's TCP has acknowledged.
#pragma once

#include <array>
#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>

#include "bgp/rib/adj_rib_out.hpp"
#include "bgp/rib/route.hpp"
#include "bgp/session/negotiate.hpp"
#include "bgp/session/output.hpp"
#include "bgp/session/peer.hpp"

namespace anyvip::bgp {

/// The intents outlive sessions, everything else belongs to one: `begin` … `end`.
class Routes {
  public:
    // ---- intent ----
    void want(const Prefix& prefix, RouteIntentPtr intent);

    [[nodiscard]] bool wants(const Prefix& prefix) const { return wanted_.contains(prefix); }

    void allow_end_of_rib() { may_send_end_of_rib_ = true; }

    // ---- session ----
    /// Established. A family without next hop (an error text in its place) is not announced.
    using NextHops = std::array<std::expected<wire::NextHop, std::string>, 2>;
    void begin(const Negotiated& negotiated, const Speaker& speaker);
    /// The policy and the next hops, at the start and whenever they change: routes that differ are
    /// announced again.
    void apply(const ExportPolicy& policy, NextHops next_hops);
    void end();

    [[nodiscard]] bool can_announce(Family family) const;
    /// Why not, for a negotiated family; else empty.
    [[nodiscard]] std::string problem(Family family) const;

    /// Everything of this family is to be sent again. Requests that come while one is served are
    /// served together afterwards, so that a flood of them costs no more than the output can take.
    void request_resend(Family family);

    struct Refilled {
        std::size_t updates = 0;
        std::size_t refreshes = 0;
    };

    /// Writes what is pending, withdrawals first, as far as the limit of the output allows.
    Refilled refill(Output& output, Instant now);

    // ---- acknowledgement of withdrawals ----
    /// The peer's TCP has everything up to this position of the stream.
    void acknowledged(std::uint64_t position, Instant now);

    [[nodiscard]] bool wants_acknowledgement() const { return !unacknowledged_.empty(); }

    [[nodiscard]] bool withdrawals_acknowledged() const;
    /// A withdraw ends behind this position of the stream, or has no place in it yet.
    [[nodiscard]] bool has_withdrawals_after(std::uint64_t position) const;
    /// Since when the oldest withdraw is on its way.
    [[nodiscard]] std::optional<Instant> oldest_withdrawal() const;
    /// When to look for acknowledgements next.
    [[nodiscard]] std::optional<Instant> poll_deadline() const;
    void poll_expired(Instant now);

    // ---- observation ----
    [[nodiscard]] const AdjRibOut& rib() const { return rib_; }

    /// What goes over at an upgrade in place (cmd/handover).
    template <class Archive> void transfer(Archive& archive) {
        archive.shared_map(1, wanted_);
        archive.field(2, may_send_end_of_rib_);
        archive.field(3, is_active_);
        archive.field(4, negotiated_);
        archive.field(5, encoding_);
        archive.field(6, context_);
        archive.field(7, policy_);
        archive.field(8, next_hops_);
        archive.field(9, rib_);
        archive.field(10, end_of_rib_sent_);
        archive.field(11, resend_requested_);
        archive.choices(12, resend_, Resend::Bracketed);
        archive.field(13, unacknowledged_);
        archive.field(14, blocked_since_);
        archive.field(15, poll_interval_);
        archive.field(16, poll_);
        if constexpr (Archive::is_loading) {
            for (const auto& [prefix, intent] : wanted_) {
                archive.require(intent != nullptr, "a wanted route without attributes");
            }
        }
    }

  private:
    struct Cached {
        RouteIntentPtr intent; ///< keeps the key alive
        std::array<AttributesPtr, 2> attributes;
    };

    /// A resend of one family (RFC 7313 §4).
    enum class Resend : std::uint8_t { None, Unmarked, Bracketed };

    struct Withdrawn {
        std::uint64_t end = 0; ///< position in the stream
        Instant since;

        template <class Archive> void transfer(Archive& archive) {
            archive.field(1, end);
            archive.field(2, since);
        }
    };

    [[nodiscard]] AttributesPtr attributes_for(Family family, const RouteIntentPtr& intent);
    void drop_unused_attributes();
    void start_resends(Output& output, Refilled& refilled);
    void finish(Output& output, Refilled& refilled);
    void note_withdrawals(const AdjRibOut::Flushed& flushed, const Output& output, Instant now);

    std::map<Prefix, RouteIntentPtr> wanted_;
    bool may_send_end_of_rib_ = false;

    bool is_active_ = false;
    Negotiated negotiated_;
    wire::EncodeContext encoding_;
    ExportContext context_;
    ExportPolicy policy_;
    NextHops next_hops_;
    std::unordered_map<const RouteIntent*, Cached> cache_;
    bool has_stale_cache_ = false;
    AdjRibOut rib_;

    std::array<bool, 2> end_of_rib_sent_{};
    std::array<bool, 2> resend_requested_{};
    std::array<Resend, 2> resend_{};

    std::deque<Withdrawn> unacknowledged_;
    std::optional<Instant> blocked_since_; ///< a withdraw waits for room in the output
    Duration poll_interval_{};
    std::optional<Instant> poll_;
};

} // namespace anyvip::bgp
