// SPDX-License-Identifier: Apache-2.0
// The agent's parts and how they hang together; one .cpp for each group of functions.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "cmd/agent/address_set.hpp"
#include "cmd/agent/agent.hpp"
#include "cmd/agent/check_set.hpp"
#include "cmd/agent/deadlines.hpp"
#include "cmd/agent/default_routes.hpp"
#include "cmd/agent/keep_last.hpp"
#include "cmd/agent/outbox.hpp"
#include "cmd/agent/peer_set.hpp"
#include "cmd/agent/predecessors.hpp"
#include "cmd/agent/vip_record.hpp"
#include "cmd/agent/withdraw_watch.hpp"

namespace anyvip::cmd {

/// Who keeps VIPs out of service: the key of a drain that runs.
struct HolderKey {
    enum class Kind : std::uint8_t { Node, File, Unreadable, Vip };
    Kind kind = Kind::Node;
    std::string vip; ///< Kind::Vip

    template <class Archive> void transfer(Archive& archive) {
        archive.choice(1, kind, Kind::Vip);
        archive.field(2, vip);
    }

    friend auto operator<=>(const HolderKey&, const HolderKey&) = default;
};

/// A holder's drain under way; what a restart need not remember.
struct HolderRun {
    std::optional<std::chrono::milliseconds> deadline; ///< of `drain --deadline`
    bool is_forced = false;
    bool is_confirmed = false;          ///< `keep_last` has been asked for the second time
    std::optional<Instant> gshut_until; ///< since its first VIP is announced so

    template <class Archive> void transfer(Archive& archive) {
        archive.field(1, deadline);
        archive.field(2, is_forced);
        archive.field(3, is_confirmed);
        archive.field(4, gshut_until);
    }
};

/// A VIP of the new configuration, and what it was before the reload; a new one: the same.
struct Succession {
    vip::VipConfig before;
    VipRecord* record = nullptr;
    bool is_new = false;
};

/// "a, b, c"
[[nodiscard]] std::string joined(const std::vector<std::string>& items);
/// Gives the keys that need a restart the values that they have; a sentence for each section that
/// would have changed some.
[[nodiscard]] std::vector<std::string> keep_until_next_start(const Config& running, Config& next);

using VipHolds = std::map<std::string, vip::DrainState::VipHold>;

/// As a hold on disk has them.
[[nodiscard]] std::vector<std::string> addresses_of(const vip::VipConfig& config);
/// A VIP drain follows name and addresses: the hold of this name, or of the same addresses in
/// whatever order.
[[nodiscard]] VipHolds::const_iterator find_hold(const VipHolds& holds,
                                                 const vip::VipConfig& config);
/// A second drain joins the first: it keeps since when and by whom, takes a new reason, and the
/// later end counts, because neither operator wants it back before.
void join(vip::Hold& hold, const vip::Hold& later);

struct Refusal {
    std::string vip;
    std::string reason;
};

/// A drain file that was refused is asked about again this often.
inline constexpr std::chrono::seconds file_retry_pause{10};

struct Agent::Impl {
    Impl(Config configured, vip::DrainState restored, std::uint64_t seed, Now now);

    // ---- agent.cpp: the turn ----
    void settle(Now now);
    void tick(Now now);
    [[nodiscard]] std::optional<Instant> next_deadline() const;

    // ---- vip_control.cpp: one VIP ----
    void mark(VipRecord& record);
    void mark_all();
    void mark_all_stale();
    void refresh_marked(Instant now);
    void refresh_stale(Instant now);
    void mark_users_of_changed_checks();
    void refresh(VipRecord& record, Instant now);
    void update_health(VipRecord& record, Instant now);
    [[nodiscard]] vip::Conditions conditions_of(const VipRecord& record, Instant now) const;
    void apply_addresses(VipRecord& record, Instant now);
    void apply_routes(VipRecord& record, Instant now);
    [[nodiscard]] const bgp::RouteIntentPtr& intent_of(VipRecord& record, vip::RouteMode mode);
    /// `was_known`: a router in use had one of the routes of the last decision.
    void note_exposure(VipRecord& record, bool was_known, Instant now);
    void note_state(VipRecord& record, vip::Decision decision, Instant now);
    void report_states();
    void schedule(VipRecord& record, Instant now);

    // ---- tracks.cpp ----
    void note_tracks(VipRecord& record, Instant now);
    void note_drain_file(Instant now);

    // ---- explain.cpp ----
    /// What the check that stands in the way says by now; empty: nothing but its reason.
    [[nodiscard]] std::string latest_evidence(const VipRecord& record) const;

    // ---- session_problem.cpp ----
    /// Why no router can have its routes; each router with its cause.
    [[nodiscard]] std::string session_problem(const VipRecord& record) const;

    // ---- traffic.cpp: what still arrives ----
    void packets_seen(const std::map<IpAddress, std::uint64_t>& packets, Instant now);
    void flows_counted(const std::map<IpAddress, vip::FlowCount>& flows, Instant now);
    void note_acknowledgements(Instant now);
    void update_measures(VipRecord& record, Instant now);
    void clear_measures(VipRecord& record);
    void
    measure(VipRecord& record, std::set<IpAddress>& measured, bool& is_measured, bool is_wanted);
    [[nodiscard]] std::optional<Instant> measure_end(const VipRecord& record, Instant now) const;
    void emit_measure();
    [[nodiscard]] bool is_all_traffic_over(Instant now) const;
    [[nodiscard]] vip::LingerLimits limits() const;

    // ---- drain_requests.cpp: what operators ask ----
    [[nodiscard]] vip::DrainReply drain(const vip::DrainRequest& request, Now now);
    void forget_drains(const std::vector<std::string>& names);
    void hold(const vip::DrainRequest& request, const vip::Hold& hold);
    [[nodiscard]] vip::DrainReply drain_peer(const vip::DrainRequest& request, Now now);
    [[nodiscard]] std::vector<const VipRecord*> only_at(const std::string& peer) const;
    [[nodiscard]] vip::DrainReply undrain(const vip::UndrainRequest& request, Now now);
    [[nodiscard]] vip::DrainReply undrain_peer(const vip::UndrainRequest& request);
    void name_drain_file(vip::DrainReply& reply) const;
    void undrain_all(vip::DrainReply& reply);
    void undrain_vips(const vip::UndrainRequest& request, vip::DrainReply& reply);
    void persist();

    // ---- drain_control.cpp: what drains do ----
    void persisted(Instant now);
    [[nodiscard]] bool begins_with_gshut(const VipRecord& record, const HolderKey& holder) const;
    void expire_holds(Now now);
    void advance_drain_file(Instant now);
    void drain_file_problem(std::string_view problem, Instant now);
    [[nodiscard]] std::optional<HolderKey> holder_of(const vip::VipConfig& config,
                                                     const vip::DrainState& state) const;
    [[nodiscard]] std::string describe(const HolderKey& key) const;
    [[nodiscard]] bool is_held(const HolderKey& key) const;
    void advance_drain(VipRecord& record, Instant now);
    void begin_drain(VipRecord& record, const HolderKey& holder, Instant now);
    void leave_service(VipRecord& record, Instant now);
    void look_for_end(VipRecord& record, Instant now);
    void
    wait_again(VipRecord& record, std::optional<std::chrono::milliseconds> deadline, Instant now);
    void enter(VipRecord& record, vip::DrainStep step, Instant now);
    [[nodiscard]] std::optional<Instant> drain_deadline(const VipRecord& record) const;

    // ---- drain_guard.cpp: `keep_last` ----
    [[nodiscard]] std::optional<std::string> refuses(const VipRecord& record, bool is_second) const;
    [[nodiscard]] std::optional<Refusal> refuses_any(const std::vector<std::string>& vips) const;
    [[nodiscard]] std::optional<Refusal> refuses_peer(const std::string& peer,
                                                      bool is_second) const;
    void advance_holders(Now now);
    void ask_again(const std::function<bool(VipRecord&, const HolderKey&)>& leaves_now,
                   Instant now);
    void ask_again_for_peers(Instant now);
    void cancel(const HolderKey& key, const Refusal& refusal, Instant now);
    void cancel_peer(const std::string& name, const Refusal& refusal, Instant now);

    // ---- stop_control.cpp ----
    void stop(Instant now);
    void advance_stop(Instant now);

    // ---- reload.cpp ----
    void reload(Config next, Now now, std::string_view exception);
    /// `names`: of all VIPs of the new configuration.
    [[nodiscard]] health::State verdict_before(const vip::VipConfig& next,
                                               const std::set<std::string_view>& names) const;
    void configure_checks(const std::map<std::string, std::string>& renamed, Instant now);
    void configure_vips(const std::map<std::string, std::string>& renamed_checks, Instant now);
    void inherit(const Succession& succession,
                 const std::map<std::string, std::string>& renamed_checks);
    void configure_vip(VipRecord& record, const vip::VipConfig& next, Instant now);
    void bind(VipRecord& record, Instant now);
    void remove_vip(VipRecord& record, Instant now);
    void withdraw(const Prefix& prefix);

    // ---- describe_reload.cpp ----
    void describe_vips(const Config& after, std::vector<std::string>& lines) const;

    // ---- drain_reload.cpp: holds follow what they hold ----
    void rename_holds(const std::string& from, const std::string& to);
    void follow_vips(const std::vector<Succession>& successions);
    void follow_runs(const std::map<std::string, std::string>& names);

    // ---- views.cpp, explain.cpp ----
    [[nodiscard]] VipView view_of(const VipRecord& record, Instant now) const;
    [[nodiscard]] std::vector<vip::Condition> explain(const VipRecord& record) const;
    [[nodiscard]] NodeState node_state() const;
    [[nodiscard]] DrainProgress progress_of(const VipRecord& record) const;

    // ---- handover.cpp: an upgrade in place ----
    template <class Archive> void transfer(Archive& archive);

    [[nodiscard]] VipRecord* find_vip(std::string_view name);

    Config config;
    Outbox outbox;
    CheckSet checks;
    AddressSet addresses;
    PeerSet peers;
    DefaultRoutes default_routes;
    WithdrawWatch withdraws;

    std::uint64_t last_vip_id = 0;
    std::map<std::uint64_t, std::unique_ptr<VipRecord>> vips;
    std::vector<VipRecord*> order;                        // as configured
    std::map<std::string, std::vector<VipRecord*>> users; // of each check
    std::map<std::string, VipRecord*, std::less<>> by_name;
    std::map<IpAddress, VipRecord*> by_address;
    std::vector<std::uint64_t> dirty;       // a condition has changed: decided in this turn
    std::set<std::uint64_t> stale;          // only what is shown may have changed: in slices
    std::set<std::uint64_t> unsent;         // wanted, not yet sent to all
    std::set<std::uint64_t> unreported;     // the state has changed since the last event
    std::set<std::uint64_t> unacknowledged; // withdrawn, not yet known to all routers
    Deadlines deadlines;
    bgp::RouteIntentPtr last_intent; // VIPs of equal attributes share one

    vip::DrainState drains;                // as wanted
    vip::DrainState effective;             // on disk
    std::deque<vip::DrainState> unwritten; // Persist outputs without an answer
    std::map<HolderKey, HolderRun> runs;
    std::set<std::string> forced_peers;               // `drain --peer --force`
    std::map<std::string, std::string> peer_refusals; // of the second question, for who waits
    std::optional<Instant> next_expiry;
    std::set<std::pair<std::string, vip::WallTime>> told_ending; ///< drains that end soon
    bool file_exists = false;
    bool file_holds = false;
    std::optional<Instant> file_retry_at;
    std::string file_refusal;
    std::string file_problem; // why it cannot be looked at
    Track drain_file_refused;
    Track drain_file_hidden;

    enum class Stop : std::uint8_t { None, Lingering, Removing, Done };
    Stop stopping = Stop::None;
    std::optional<Instant> stop_give_up_at;

    Instant end_of_rib_at;
    bool end_of_rib_allowed = false;
    std::set<IpAddress> measured_flows;
    std::set<IpAddress> measured_packets;
    std::map<IpAddress, std::uint64_t> packet_counts; // of the measured ones, as told last
    bool measure_changed = false;
    Instant last_turn; // of the last settle: what views call now
    std::uint64_t reload_count = 0;
};

} // namespace anyvip::cmd
