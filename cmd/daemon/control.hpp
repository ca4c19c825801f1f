// SPDX-License-Identifier: Apache-2.0
// The HTTP API (CONTRACT section 4): routes requests to the agent and turns its views into answers.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>

#include "cmd/agent/agent.hpp"
#include "cmd/daemon/answer.hpp"
#include "cmd/daemon/change_rate.hpp"
#include "cmd/daemon/documents.hpp"
#include "cmd/daemon/drain_waiters.hpp"
#include "cmd/daemon/event_log.hpp"
#include "cmd/daemon/handed_over.hpp"
#include "cmd/daemon/http_server.hpp"
#include "cmd/daemon/log.hpp"

namespace anyvip::cmd {

/// What a reload did or would do.
struct ReloadOutcome {
    std::string error; ///< empty: applied (or would be)
    std::vector<std::string> changes;
    std::string exception; ///< "in force, except for …", when a part could not be applied
};

/// What the API needs of the runtime around the agent.
struct ControlHost {
    Agent& agent;
    EventLog& events;
    Log& log;
    ProcessFacts facts;
    std::function<void()> turn; ///< decide and write out what has changed, now
    std::function<ReloadOutcome(bool dry_run)> reload;
    std::function<bool()> is_saved; ///< no drain waits for the disk
    /// Begins an upgrade in place, or joins the one under way; `upgrade_ended` follows, here or in
    /// the successor.
    std::function<void(const std::string& author)> upgrade;
    std::function<std::string()> persist_error; ///< of the last Persist; empty: written
    std::function<Pieces()> metrics;
    /// Runs it in a later turn of the loop.
    std::function<void(std::function<void()>)> later;
    std::function<std::vector<std::string>(std::uint64_t check_id)> armed_tripwires;
    /// What BFD has of a peer; empty: nothing.
    std::function<boost::json::object(const std::string& peer)> bfd_details;
};

class Control {
  public:
    explicit Control(ControlHost host);

    /// The whole API, for the control socket.
    void handle(const HttpRequest& request, Responder responder);

    /// The public part, for the TCP listener: only GET of /metrics, /v1/status, /healthz, /readyz
    /// and the page.
    void handle_public(const HttpRequest& request, Responder responder);

    /// A run has ended: answers who waits for it (`anyvip check NAME`).
    void check_finished(std::string_view label);

    /// No drain waits for the disk any more: answers who has asked for one.
    void after_save();

    /// Who waits for a check that is configured no more hears so.
    void after_reload();

    // ---- upgrade in place ----
    /// Answers who asked for it. Empty problem: it is done.
    void upgrade_ended(const boost::json::object& document, unsigned status);

    /// No answer is being written.
    [[nodiscard]] bool is_settled() const { return texts_.empty(); }

    /// All clients that wait for something.
    void hand_over(ApiHandedOver& api) const;
    void take_over(const ApiHandedOver& api, HttpServer& server);

    /// After every turn: feeds `drain --wait`.
    void after_turn() { drain_waiters_.update(host_.agent); }

  private:
    /// Wants one run of each instance of a check, started after it has asked.
    struct CheckWaiter {
        std::string name;
        std::set<std::string, std::less<>> labels; ///< whose run has not ended yet
        Instant asked_at;
        Responder responder;
    };

    using MakePieces = std::function<Pieces()>;

    // ---- control_views.cpp ----
    void get(const HttpRequest& request, const Responder& responder);
    void reply_in_pieces(const Responder& responder, MakePieces make);
    /// Between two pieces the loop does its work. A reload begins the text anew.
    void send_in_pieces(const Responder& responder, std::string_view type, MakePieces make);
    void write_texts();
    void get_named(std::string_view kind, const std::string& name, const Responder& responder);
    /// With the tripwires, which the agent does not know; empty when there is no such check.
    [[nodiscard]] boost::json::object check_answer(const std::string& name) const;
    void follow_events(const HttpRequest& request, const Responder& responder);

    // ---- control_changes.cpp ----
    void change(const HttpRequest& request, const Responder& responder);
    void post(const HttpRequest& request, const std::string& client, const Responder& responder);
    void drain(const HttpRequest& request, const std::string& client, const Responder& responder);
    void undrain(const HttpRequest& request, const std::string& client, const Responder& responder);
    void once_saved(std::function<void()> answer);
    static void reply_done(const vip::DrainReply& outcome, const Responder& responder);
    [[nodiscard]] std::string unsaved_note() const;
    void reload(const HttpRequest& request, const std::string& client, const Responder& responder);
    void reset_peer(const HttpRequest& request,
                    const std::string& client,
                    const std::string& name,
                    const Responder& responder);
    void run_check(const std::string& name, const Responder& responder);
    [[nodiscard]] bool has_ended(CheckWaiter& waiter, std::string_view label) const;
    [[nodiscard]] bool has_lost_its_check(CheckWaiter& waiter) const;

    [[nodiscard]] bool is_host_accepted(std::string_view host) const;

    /// An answer that is being written.
    struct Text {
        Responder responder;
        std::string_view type;
        MakePieces make;
        Pieces pieces;
        std::uint64_t made_at; // reload_count
    };

    ControlHost host_;
    std::list<Text> texts_; // each has a few elements written in turn
    std::list<CheckWaiter> check_waiters_;
    std::vector<std::function<void()>> unsaved_; // answers that wait for the disk
    std::list<Responder> upgrade_waiters_;
    DrainWaiters drain_waiters_;
    ChangeRate change_rate_;
    bool is_refusing_changes_ = false; // said once
};

} // namespace anyvip::cmd
