// SPDX-License-Identifier: Apache-2.0
// POST of the API: what changes something. The answer says what is in force, and on disk.
#include <algorithm>

#include "cmd/daemon/api_body.hpp"
#include "cmd/daemon/control.hpp"
#include "cmd/daemon/json_values.hpp"
#include "cmd/daemon/wall_time.hpp"

namespace anyvip::cmd {

namespace json = boost::json;

// Who has asked for what is in the log whatever its level.
void Control::change(const HttpRequest& request, const Responder& responder) {
    const std::string client = request.client.describe();
    const bool is_allowed =
        change_rate_.allows(request.client.user.value_or(0), read_clocks().monotonic);
    if (is_allowed) {
        host_.log.audit("api: " + client + ": POST " + request.path +
                        (request.body.empty() ? "" : " " + request.body));
        post(request, client, responder);
    } else {
        if (!is_refusing_changes_) {
            host_.log.warning("api: " + client + ": too many changes a second, refused");
        }
        fail(responder, 429, "too many changes a second; try again");
    }
    is_refusing_changes_ = !is_allowed;
}

void Control::post(const HttpRequest& request,
                   const std::string& client,
                   const Responder& responder) {
    if (request.path == "/v1/drain") {
        drain(request, client, responder);
        return;
    }
    if (request.path == "/v1/undrain") {
        undrain(request, client, responder);
        return;
    }
    if (request.path == "/v1/reload") {
        reload(request, client, responder);
        return;
    }
    const auto named = split_named(request.path);
    if (named && named->kind == "peers" && named->verb == "reset") {
        reset_peer(request, client, named->name, responder);
    } else if (named && named->kind == "checks" && named->verb == "run") {
        run_check(named->name, responder);
    } else if (resource_at(request.path) == Resource::View) {
        fail(responder, 405, request.path + " is only read: it is asked for with GET");
    } else {
        fail(responder, 404, "no such resource: " + request.path);
    }
}

void Control::drain(const HttpRequest& request,
                    const std::string& client,
                    const Responder& responder) {
    const auto body = parse_drain(request.body);
    if (!body) {
        fail(responder, 400, body.error());
        return;
    }
    vip::DrainRequest drain = body->request;
    drain.author = client;
    const vip::DrainReply outcome = host_.agent.drain(drain, read_clocks());
    if (!outcome.error.empty()) {
        fail(responder, outcome.status, outcome.error);
        return;
    }
    if (drain.dry_run) {
        reply_done(outcome, responder);
        return;
    }
    host_.turn();
    once_saved([this, responder, drain, outcome, is_waiting = body->is_waiting] {
        if (const std::string why = host_.agent.why_drain_ended(drain); !why.empty()) {
            // While the disk was written: the other node has gone, or somebody undrained.
            fail(responder, 409, why + unsaved_note());
        } else if (is_waiting && !drain.peer.empty()) {
            drain_waiters_.add_peer(host_.agent, drain.peer, host_.persist_error(), responder);
        } else if (is_waiting) {
            drain_waiters_.add(host_.agent, drain.vips, host_.persist_error(), responder);
        } else if (const std::string problem = host_.persist_error(); !problem.empty()) {
            fail(responder, 507, "drained, but it will not survive a restart: " + problem);
        } else {
            reply_done(outcome, responder);
        }
    });
}

void Control::reply_done(const vip::DrainReply& outcome, const Responder& responder) {
    reply(responder,
          json::object{{"changed", to_array(outcome.changed)}, {"notes", to_array(outcome.notes)}});
}

// For the end of an answer about holds that have changed.
std::string Control::unsaved_note() const {
    const std::string problem = host_.persist_error();
    return problem.empty() ? "" : "; and it will not survive a restart: " + problem;
}

// What was asked for is in force and on disk when the answer says so.
void Control::once_saved(std::function<void()> answer) {
    if (host_.is_saved()) {
        answer();
    } else {
        unsaved_.push_back(std::move(answer));
    }
}

void Control::after_save() {
    for (const auto& answer : std::exchange(unsaved_, {})) {
        answer();
    }
}

void Control::undrain(const HttpRequest& request,
                      const std::string& client,
                      const Responder& responder) {
    const auto body = parse_undrain(request.body);
    if (!body) {
        fail(responder, 400, body.error());
        return;
    }
    vip::UndrainRequest undrain = *body;
    undrain.author = client;
    const vip::DrainState before = host_.agent.drains();
    const vip::DrainReply outcome = host_.agent.undrain(undrain, read_clocks());
    const bool has_changed = before != host_.agent.drains();
    host_.turn();
    if (!has_changed && !outcome.error.empty()) {
        fail(responder, outcome.status, outcome.error);
        return;
    }
    once_saved([this, responder, outcome] {
        if (!outcome.error.empty()) { // one holder has gone, and another remains
            fail(responder, outcome.status, outcome.error + unsaved_note());
        } else if (const std::string problem = host_.persist_error(); !problem.empty()) {
            fail(responder, 507, "undrained, but it will not survive a restart: " + problem);
        } else {
            reply_done(outcome, responder);
        }
    });
}

void Control::reload(const HttpRequest& request,
                     const std::string& client,
                     const Responder& responder) {
    const auto body = parse_reload(request.body);
    if (!body) {
        fail(responder, 400, body.error());
        return;
    }
    if (body->is_upgrade) {
        upgrade_waiters_.push_back(responder);
        host_.upgrade(client);
        return;
    }
    const ReloadOutcome outcome = host_.reload(body->is_dry_run);
    if (!outcome.error.empty()) {
        fail(responder, 422, outcome.error);
        return;
    }
    json::object document{{"changes", to_array(outcome.changes)}};
    if (outcome.exception.empty()) {
        reply(responder, document);
    } else {
        document["error"] = outcome.exception;
        reply(responder, document, 500);
    }
}

void Control::upgrade_ended(const json::object& document, unsigned status) {
    for (const Responder& responder : std::exchange(upgrade_waiters_, {})) {
        reply(responder, document, status);
    }
}

void Control::reset_peer(const HttpRequest& request,
                         const std::string& client,
                         const std::string& name,
                         const Responder& responder) {
    bgp::Peer* peer = host_.agent.find_peer(name);
    if (peer == nullptr) {
        fail(responder, 404, "no peer named " + name);
        return;
    }
    const auto is_soft = parse_reset(request.body);
    if (!is_soft) {
        fail(responder, 400, is_soft.error());
        return;
    }
    const Instant now = read_clocks().monotonic;
    if (*is_soft) {
        peer->resend_all(now);
    } else {
        peer->reset(bgp::wire::Cease::AdministrativeReset, "reset by " + client, now);
    }
    host_.turn();
    reply(responder, json::object{{"peer", name}, {"soft", *is_soft}});
}

void Control::run_check(const std::string& name, const Responder& responder) {
    const Now now = read_clocks();
    CheckWaiter waiter{name, {}, now.monotonic, responder};
    for (const CheckView& view : host_.agent.checks()) {
        // NAME stands for all its instances NAME@ADDRESS.
        if (view.label == name || view.check->config().name == name) {
            waiter.labels.insert(view.label);
            host_.agent.demand_check(view.id, now);
        }
    }
    if (!waiter.labels.empty()) {
        check_waiters_.push_back(std::move(waiter));
        host_.turn();
        return;
    }
    const json::object document = check_answer(name);
    if (document.empty()) {
        fail(responder, 404, "no check named " + name);
    } else {
        reply(responder, document); // no VIP uses it, so there is nothing to run
    }
}

void Control::check_finished(std::string_view label) {
    check_waiters_.remove_if([&](CheckWaiter& waiter) {
        if (!has_ended(waiter, label)) {
            return false;
        }
        reply(waiter.responder, check_answer(waiter.name));
        return true;
    });
}

// A run that was under way when the question came says nothing about now.
bool Control::has_ended(CheckWaiter& waiter, std::string_view label) const {
    const auto waited_for = waiter.labels.find(label);
    if (waited_for == waiter.labels.end()) {
        return false;
    }
    for (const CheckView& view : host_.agent.checks()) {
        const auto& last = view.check->last();
        if (view.label == label && last && last->started_at >= waiter.asked_at) {
            waiter.labels.erase(waited_for);
            break;
        }
    }
    return waiter.labels.empty();
}

void Control::after_reload() {
    check_waiters_.remove_if([&](CheckWaiter& waiter) {
        if (!has_lost_its_check(waiter)) {
            return false;
        }
        const json::object document = check_answer(waiter.name);
        if (document.empty()) {
            fail(waiter.responder, 404, "a reload has removed check " + waiter.name);
        } else {
            reply(waiter.responder, document);
        }
        return true;
    });
}

// The instances that are left may have answered before.
bool Control::has_lost_its_check(CheckWaiter& waiter) const {
    const auto views = host_.agent.checks();
    std::erase_if(waiter.labels, [&](const std::string& label) {
        return std::ranges::find(views, label, &CheckView::label) == views.end();
    });
    return waiter.labels.empty();
}

} // namespace anyvip::cmd
