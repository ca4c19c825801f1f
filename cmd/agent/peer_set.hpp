// SPDX-License-Identifier: Apache-2.0
// The configured routers: their protocol machines, whether each is in use, and the resets that a
// reload needs, one after the other.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <ranges>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cmd/agent/deadlines.hpp"
#include "cmd/agent/outbox.hpp"
#include "cmd/agent/track.hpp"
#include "vip/decision.hpp"

namespace anyvip::cmd {

struct PeerRecord {
    PeerRecord(PeerEntry configured,
               bgp::PeerConfig session,
               bgp::Speaker speaker,
               std::uint64_t seed,
               Instant now)
        : entry(std::move(configured)), peer(std::move(session), speaker, seed, now) {}

    PeerEntry entry;
    bgp::Peer peer;
    bool is_up = false;
    bool is_held = false; ///< `drain --peer`
    PeerUse use = PeerUse::Open;
    std::optional<Instant> use_until; ///< end of GRACEFUL_SHUTDOWN
    BfdState bfd = BfdState::Off;
    bool is_bfd_admin_down = false; ///< at the router
    bool bfd_was_up = false;        ///< in this BGP session
    std::string refused;
    Track use_track;
    std::array<Track, 2> offer_tracks; ///< by Family: of the default route that it is to send

    /// What goes over at an upgrade in place.
    template <class Archive> void transfer(Archive& archive) {
        archive.field(1, peer);
        archive.field(2, is_up);
        archive.field(3, is_held);
        archive.choice(4, use, PeerUse::Withdrawn);
        archive.field(5, use_until);
        archive.choice(6, bfd, BfdState::Up);
        archive.field(7, is_bfd_admin_down);
        archive.field(8, bfd_was_up);
        archive.field(9, refused);
        archive.field(10, use_track);
        archive.field(11, offer_tracks);
    }
};

/// What is announced to a router that is being taken out of use.
[[nodiscard]] vip::RouteMode limited(vip::RouteMode mode, PeerUse use);

/// One that is held and in use: the next step takes its routes away.
[[nodiscard]] bool
is_leaving(const PeerRecord& record, std::chrono::milliseconds gshut, Instant now);

/// The keys of which a change costs the session (CONTRACT section 5).
[[nodiscard]] std::vector<std::string> reset_keys(const PeerEntry& before, const PeerEntry& after);

/// The key of [node] of which a change costs a session that knows us as another; `router_id` is
/// fixed.
[[nodiscard]] std::vector<std::string> reset_keys(const bgp::Speaker& before,
                                                  const bgp::Speaker& after);

/// What would have to change for this family to be announced to an Established router.
[[nodiscard]] std::string
family_remedy(const PeerEntry& entry, const bgp::PeerStatus& status, Family family);

/// With `bfd.strict` there is no session before BFD is up, unless the router has switched it off.
[[nodiscard]] bool waits_for_bfd(const PeerRecord& record);

class PeerSet {
  public:
    PeerSet(Outbox& outbox, std::uint64_t seed) : outbox_(outbox), seed_(seed) {}

    /// First configuration, or the difference to the one before.
    void replace(const Config& config, Instant now);
    void gone(std::string_view name);

    void bfd_state(std::string_view name, BfdState state, std::string_view diagnostic, Instant now);
    void bfd_admin_down(std::string_view name, bool is_admin_down, Instant now);
    void refused(std::string_view name, std::string_view reason, Instant now);

    /// Peers taken out of use by these holders; the steps of that and of resets.
    void hold(const std::set<std::string>& names);
    void advance(std::chrono::milliseconds gshut, Instant now);
    void collect_events(Instant now);
    void allow_end_of_rib(Instant now);
    void watch(const std::set<Prefix>& prefixes);
    void flush(Instant now);
    void tick(Instant now);
    void stop_all(std::string_view message, Instant now);

    /// Peers came into use or went out of it: routes have to change.
    [[nodiscard]] bool take_use_changed() { return std::exchange(is_use_changed_, false); }

    /// Sessions went up or down: only what is shown changes, the peers know their routes.
    [[nodiscard]] bool take_session_changed() { return std::exchange(is_session_changed_, false); }

    [[nodiscard]] bool all_acknowledged() const;
    [[nodiscard]] bool has_established() const;
    [[nodiscard]] std::optional<Instant> next_deadline() const;

    /// Its session is up, and has yet to be reset for a new configuration.
    [[nodiscard]] bool is_reset_pending(std::string_view name) const;

    [[nodiscard]] PeerRecord* find(std::string_view name);
    [[nodiscard]] bgp::Peer* find_peer(std::string_view name); ///< removed ones too

    [[nodiscard]] const std::vector<std::unique_ptr<PeerRecord>>& all() const { return peers_; }

    /// What goes over at an upgrade in place. Removed peers have gone when a turn has ended.
    template <class Archive> void transfer(Archive& archive) {
        archive.table(
            1,
            peers_ | std::views::transform([](const auto& record) { return record.get(); }),
            [](const PeerRecord& record) { return record.entry.session.name; },
            [&](const std::string& name) {
                PeerRecord* record = find(name);
                archive.require(record != nullptr, "a peer that the configuration lacks");
                return record;
            });
        archive.field(2, is_end_of_rib_allowed_);
        archive.field(3, resets_);
    }

  private:
    struct Reset {
        std::string peer;
        std::string keys;
        std::optional<Instant> give_up_at; ///< waiting for it to be Established again

        template <class Archive> void transfer(Archive& archive) {
            archive.field(1, peer);
            archive.field(2, keys);
            archive.field(3, give_up_at);
        }
    };

    void start(PeerRecord& record, Instant now);
    void bfd_state(PeerRecord& record, BfdState state, std::string_view diagnostic, Instant now);
    void bfd_down(PeerRecord& record, BfdState before, Instant now);
    void remove(std::unique_ptr<PeerRecord> record, Instant now);
    void reconfigure(PeerRecord& record, const PeerEntry& entry, Instant now);
    void collect(PeerRecord& record, Instant now);
    void session_up(PeerRecord& record, const bgp::PeerUp& up, Instant now);
    void advance_use(PeerRecord& record, std::chrono::milliseconds gshut, Instant now);
    void advance_resets(Instant now);
    [[nodiscard]] bool is_needless(const Reset& reset, const PeerRecord& record) const;
    void drop_needless_reset(const PeerRecord& record);
    [[nodiscard]] bgp::PeerConfig session_config(const PeerEntry& entry) const;

    Outbox& outbox_;
    std::uint64_t seed_;
    std::uint64_t last_id_ = 0;
    bool has_node_mark_ = false;
    bool is_end_of_rib_allowed_ = false;
    bool is_use_changed_ = false;
    bool is_session_changed_ = false;
    bgp::Speaker speaker_;
    std::vector<std::unique_ptr<PeerRecord>> peers_; // in the order of the configuration
    std::vector<std::unique_ptr<PeerRecord>> removed_;
    std::deque<Reset> resets_;
};

} // namespace anyvip::cmd
