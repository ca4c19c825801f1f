// SPDX-License-Identifier: Apache-2.0
#include "cmd/daemon/control.hpp"

#include <algorithm>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "cmd/daemon/api_body.hpp"
#include "cmd/daemon/doctor.hpp"
#include "cmd/daemon/limits.hpp"
#include "cmd/daemon/status_page.hpp"
#include "cmd/daemon/wall_time.hpp"
#include "cmd/units/duration.hpp"

namespace anyvip::cmd {
namespace {

namespace json = boost::json;
using Responder = std::shared_ptr<HttpResponder>;

void reply(const Responder& responder, const json::value& document, unsigned status = 200) {
    responder->send(status, "application/json", json::serialize(document) + "\n");
}

void fail(const Responder& responder, unsigned status, std::string_view error) {
    reply(responder, json::object{{"error", error}}, status);
}

json::array to_array(const std::vector<std::string>& texts) {
    json::array array;
    for (const std::string& text : texts) {
        array.emplace_back(text);
    }
    return array;
}

// "/v1/KIND/NAME" and "/v1/KIND/NAME/VERB", the name may hold anything but a slash.
struct NamedPath {
    std::string_view kind;
    std::string name;
    std::string_view verb;
};

std::optional<NamedPath> split_named(std::string_view path) {
    if (!path.starts_with("/v1/")) {
        return std::nullopt;
    }
    path.remove_prefix(4);
    const std::size_t first = path.find('/');
    if (first == std::string_view::npos) {
        return std::nullopt;
    }
    const std::size_t second = path.find('/', first + 1);
    NamedPath named{
        path.substr(0, first), std::string(path.substr(first + 1, second - first - 1)), {}};
    if (second != std::string_view::npos) {
        named.verb = path.substr(second + 1);
    }
    return named;
}

char to_lower(char character) {
    return character >= 'A' && character <= 'Z' ? static_cast<char>(character - 'A' + 'a')
                                                : character;
}

std::string_view query_value(const HttpRequest& request, std::string_view key) {
    const auto found = request.query.find(key);
    return found == request.query.end() ? std::string_view{} : std::string_view(found->second);
}

} // namespace

Control::Control(ControlHost host) : host_(std::move(host)) {}

void Control::handle(const HttpRequest& request, Responder responder) {
    if (request.method == "GET" || request.method == "HEAD") {
        get(request, responder);
    } else if (request.method == "POST") {
        change(request, responder);
    } else {
        fail(responder, 405, "only GET and POST are understood");
    }
}

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

void Control::get(const HttpRequest& request, const Responder& responder) {
    const std::string_view path = request.path;
    const std::string_view peer = query_value(request, "peer");
    if (path == "/v1/status") {
        reply_in_pieces(responder, [this] { return status_document(host_.agent, host_.facts); });
    } else if (path == "/v1/vips") {
        reply_in_pieces(responder, [this] { return vips_document(host_.agent); });
    } else if (path == "/v1/peers") {
        reply_in_pieces(responder, [this] { return peers_document(host_.agent); });
    } else if (path == "/v1/checks") {
        reply_in_pieces(responder, [this] { return checks_document(host_.agent); });
    } else if (path == "/v1/routes" && !peer.empty() && host_.agent.find_peer(peer) == nullptr) {
        fail(responder, 404, "no peer named " + std::string(peer));
    } else if (path == "/v1/routes") {
        const bool is_received = query_value(request, "received") == "1";
        reply_in_pieces(responder, [this, is_received, peer = std::string(peer)] {
            return is_received ? received_routes_document(host_.agent, peer)
                               : routes_document(host_.agent, peer);
        });
    } else if (path == "/v1/flows") {
        reply_in_pieces(responder, [this] { return flows_document(host_.agent); });
    } else if (path == "/v1/events") {
        follow_events(request, responder);
    } else if (path == "/v1/doctor") {
        reply(responder, doctor_document(host_.agent));
    } else if (path == "/v1/version") {
        reply(responder, json::object{{"version", ANYVIP_VERSION}});
    } else if (path == "/metrics") {
        send_in_pieces(responder, "text/plain; version=0.0.4; charset=utf-8", host_.metrics);
    } else if (const auto named = split_named(path); named && named->verb.empty()) {
        get_named(named->kind, named->name, responder);
    } else {
        fail(responder, 404, "no such resource: " + request.path);
    }
}

void Control::reply_in_pieces(const Responder& responder, MakePieces make) {
    send_in_pieces(responder, "application/json", [make = std::move(make)] {
        Pieces pieces = make();
        pieces.text("\n");
        return pieces;
    });
}

void Control::send_in_pieces(const Responder& responder, std::string_view type, MakePieces make) {
    Pieces pieces = make();
    texts_.push_back(
        {responder, type, std::move(make), std::move(pieces), host_.agent.reload_count()});
    if (texts_.size() == 1) {
        write_texts();
    }
}

void Control::write_texts() {
    Text& text = texts_.front();
    if (text.made_at != host_.agent.reload_count()) {
        text.pieces = text.make();
        text.made_at = host_.agent.reload_count();
    }
    if (text.pieces.advance(limits::elements_at_once)) {
        text.responder->send(200, text.type, text.pieces.take());
        texts_.pop_front();
    } else {
        texts_.splice(texts_.end(), texts_, texts_.begin());
    }
    if (!texts_.empty()) {
        host_.later([this] { write_texts(); });
    }
}

void Control::get_named(std::string_view kind,
                        const std::string& name,
                        const Responder& responder) {
    json::object document;
    if (kind == "vips") {
        document = vip_document(host_.agent, name);
    } else if (kind == "peers") {
        document = peer_document(host_.agent, name);
        if (json::object details = host_.bfd_details(name); !details.empty()) {
            document["bfd_session"] = std::move(details);
        }
    } else if (kind == "checks") {
        document = check_document(host_.agent, name);
        for (const CheckView& view : host_.agent.checks()) {
            if (view.label == name) {
                document["tripwires"] = to_array(host_.armed_tripwires(view.id));
            }
        }
    } else if (kind == "explain") {
        document = explain_document(host_.agent, name);
    }
    if (document.empty()) {
        const std::string_view what = kind == "explain" ? "vips" : kind;
        fail(responder, 404, "no such name among the " + std::string(what) + ": " + name);
        return;
    }
    reply(responder, document);
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
    } else {
        fail(responder, 404, "no such resource: " + request.path);
    }
}

void Control::follow_events(const HttpRequest& request, const Responder& responder) {
    std::chrono::system_clock::time_point since{};
    if (const std::string_view text = query_value(request, "since"); !text.empty()) {
        const auto duration = parse_duration(text);
        if (!duration) {
            fail(responder, 400, "since: " + duration.error());
            return;
        }
        since = read_clocks().wall - *duration;
    }
    std::string past;
    for (const LoggedEvent& event : host_.events.all()) {
        if (event.at >= since) {
            past += event.json + "\n";
        }
    }
    responder->begin_stream("application/x-ndjson");
    responder->write(past);
    if (query_value(request, "follow") != "1") {
        responder->finish();
        return;
    }
    host_.events.follow(responder);
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
        } else if (const std::string problem = host_.persist_error(); !problem.empty()) {
            fail(responder, 507, "drained, but it will not survive a restart: " + problem);
        } else if (is_waiting && !drain.peer.empty()) {
            drain_waiters_.add_peer(host_.agent, drain.peer, responder);
        } else if (is_waiting) {
            drain_waiters_.add(host_.agent, drain.vips, responder);
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
    reply(responder, json::object{{"changes", to_array(outcome.changes)}});
}

void Control::upgrade_ended(const std::string& problem, const json::object& document) {
    for (const Responder& responder : std::exchange(upgrade_waiters_, {})) {
        if (problem.empty()) {
            reply(responder, document);
        } else {
            fail(responder, 409, problem);
        }
    }
}

void Control::hand_over(ApiHandedOver& api) const {
    const auto add = [](std::vector<ApiClient>& clients,
                        const Responder& responder,
                        std::vector<std::string> names) {
        if (const int descriptor = responder->descriptor(); descriptor >= 0) {
            clients.push_back({descriptor, std::move(names), {}});
        }
    };
    for (const Responder& follower : host_.events.followers()) {
        add(api.event_followers, follower, {});
    }
    for (const CheckWaiter& waiter : check_waiters_) {
        add(api.check_waiters, waiter.responder, {waiter.label});
    }
    for (const Responder& waiter : upgrade_waiters_) {
        add(api.upgrade_waiters, waiter, {});
    }
    drain_waiters_.hand_over(api.drain_waiters, api.peer_waiters);
}

void Control::take_over(const ApiHandedOver& api, HttpServer& server) {
    const auto adopt = [&server](const std::vector<ApiClient>& clients,
                                 HttpServer::Adopted how,
                                 const auto& place) {
        for (const ApiClient& client : clients) {
            if (client.descriptor < 0) {
                continue;
            }
            if (Responder responder = server.adopt(client.descriptor, how)) {
                place(client, std::move(responder));
            }
        }
    };
    using enum HttpServer::Adopted;
    adopt(api.event_followers, InStream, [this](const ApiClient&, Responder responder) {
        host_.events.follow(std::move(responder));
    });
    adopt(api.drain_waiters, InStream, [this](const ApiClient& client, Responder responder) {
        drain_waiters_.take_over(client, std::move(responder));
    });
    adopt(api.peer_waiters, InStream, [this](const ApiClient& client, Responder responder) {
        drain_waiters_.take_over_peer(client, std::move(responder));
    });
    adopt(api.check_waiters, BeforeAnswer, [this](const ApiClient& client, Responder responder) {
        if (!client.names.empty()) {
            check_waiters_.push_back({client.names.front(), std::move(responder)});
        }
    });
    adopt(api.upgrade_waiters, BeforeAnswer, [this](const ApiClient&, Responder responder) {
        upgrade_waiters_.push_back(std::move(responder));
    });
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
    bool is_found = false;
    for (const CheckView& view : host_.agent.checks()) {
        // NAME stands for all its instances NAME@ADDRESS; the first one that ends answers.
        if (view.label == name || view.label.starts_with(name + "@")) {
            if (!is_found) {
                check_waiters_.push_back({view.label, responder});
            }
            is_found = true;
            host_.agent.trigger_check(view.id, read_clocks());
        }
    }
    if (!is_found) {
        fail(responder, 404, "no check named " + name);
        return;
    }
    host_.turn();
}

void Control::check_finished(std::string_view label) {
    check_waiters_.remove_if([&](const CheckWaiter& waiter) {
        if (waiter.label != label) {
            return false;
        }
        reply(waiter.responder, check_document(host_.agent, label));
        return true;
    });
}

void Control::after_reload() {
    const auto labels = host_.agent.checks();
    check_waiters_.remove_if([&](const CheckWaiter& waiter) {
        const bool is_gone =
            std::ranges::find(labels, waiter.label, &CheckView::label) == labels.end();
        if (is_gone) {
            fail(waiter.responder, 404, "a reload has removed check " + waiter.label);
        }
        return is_gone;
    });
}

// DNS rebinding: a page on another site may make a browser ask us under that site's name. Literals
// cannot be rebound.
bool Control::is_host_accepted(std::string_view host) const {
    const std::string_view bare =
        host.starts_with('[') && host.ends_with(']') ? host.substr(1, host.size() - 2) : host;
    const auto& accepted = host_.agent.config().daemon.http_hosts;
    const auto is_named = [&](const std::string& name) {
        return std::ranges::equal(name, host, {}, to_lower);
    };
    return host == "localhost" || is_named(host_.agent.config().node.name) ||
           IpAddress::parse(bare).has_value() || std::ranges::any_of(accepted, is_named);
}

void Control::handle_public(const HttpRequest& request, Responder responder) {
    if (request.method != "GET") {
        fail(responder, 405, "this listener only answers GET");
    } else if (!is_host_accepted(request.host)) {
        fail(responder, 421, "unknown Host; see daemon.http_hosts");
    } else if (request.path == "/healthz") {
        responder->send(200, "text/plain", "ok\n");
    } else if (request.path == "/readyz") {
        const bool ready = host_.agent.is_every_vip_ready();
        responder->send(ready ? 200 : 503, "text/plain", ready ? "ready\n" : "not ready\n");
    } else if (request.path == "/metrics" || request.path == "/v1/status") {
        get(request, responder);
    } else if (request.path == "/") {
        send_in_pieces(responder, "text/html; charset=utf-8", [this] {
            return status_page(host_.agent, host_.facts, host_.events);
        });
    } else {
        fail(responder, 404, "no such page");
    }
}

} // namespace anyvip::cmd
