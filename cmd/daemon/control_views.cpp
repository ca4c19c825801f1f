// SPDX-License-Identifier: Apache-2.0
// GET of the API: what is, in pieces between which the loop does its work.
#include "cmd/daemon/control.hpp"
#include "cmd/daemon/doctor.hpp"
#include "cmd/daemon/json_values.hpp"
#include "cmd/daemon/limits.hpp"
#include "cmd/daemon/wall_time.hpp"
#include "cmd/units/duration.hpp"

namespace anyvip::cmd {

namespace json = boost::json;

namespace {

std::string_view query_value(const HttpRequest& request, std::string_view key) {
    const auto found = request.query.find(key);
    return found == request.query.end() ? std::string_view{} : std::string_view(found->second);
}

} // namespace

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
    } else if (resource_at(path) == Resource::Change) {
        fail(responder, 405, request.path + " changes something: it is asked for with POST");
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
        document = check_answer(name);
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

json::object Control::check_answer(const std::string& name) const {
    json::object document = check_document(host_.agent, name);
    if (document.empty()) {
        return document;
    }
    json::value* instances = document.if_contains("instances");
    std::set<std::string> all;
    std::size_t index = 0;
    for (const CheckView& view : host_.agent.checks()) {
        const bool is_instance = instances != nullptr && view.check->config().name == name;
        if (view.label != name && !is_instance) {
            continue;
        }
        const std::vector<std::string> armed = host_.armed_tripwires(view.id);
        all.insert(armed.begin(), armed.end());
        if (is_instance) {
            instances->as_array().at(index++).as_object()["tripwires"] = to_array(armed);
        }
    }
    document["tripwires"] = to_array({all.begin(), all.end()});
    return document;
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

} // namespace anyvip::cmd
