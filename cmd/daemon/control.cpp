// SPDX-License-Identifier: Apache-2.0
#include "cmd/daemon/control.hpp"

#include <algorithm>

#include "cmd/daemon/status_page.hpp"

namespace anyvip::cmd {
namespace {

char to_lower(char character) {
    return character >= 'A' && character <= 'Z' ? static_cast<char>(character - 'A' + 'a')
                                                : character;
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

void Control::hand_over(ApiHandedOver& api) const {
    const auto add = [](std::vector<ApiClient>& clients,
                        const Responder& responder,
                        std::vector<std::string> names) {
        if (const int descriptor = responder->descriptor(); descriptor >= 0) {
            clients.push_back({descriptor, std::move(names), {}, {}, {}, {}});
        }
    };
    for (const Responder& follower : host_.events.followers()) {
        add(api.event_followers, follower, {});
    }
    for (const CheckWaiter& waiter : check_waiters_) {
        if (const int descriptor = waiter.responder->descriptor(); descriptor >= 0) {
            api.check_waiters.push_back({descriptor,
                                         {waiter.labels.begin(), waiter.labels.end()},
                                         {},
                                         waiter.asked_at,
                                         waiter.name,
                                         {}});
        }
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
            // A program of before asks for one instance, and for any run of it.
            check_waiters_.push_back(
                {client.asked_for.empty() ? client.names.front() : client.asked_for,
                 {client.names.begin(), client.names.end()},
                 client.asked_at.value_or(Instant::min()),
                 std::move(responder)});
        }
    });
    adopt(api.upgrade_waiters, BeforeAnswer, [this](const ApiClient&, Responder responder) {
        upgrade_waiters_.push_back(std::move(responder));
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
