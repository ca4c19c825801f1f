// SPDX-License-Identifier: Apache-2.0
// The word {vip} in targets: found and replaced in the one list of every text a target has.
#include "health/config.hpp"

#include <utility>

namespace anyvip::health {

namespace {

constexpr std::string_view word = "{vip}";
constexpr std::string_view bracketed_word = "[{vip}]";

/// What may follow the address in a text, and so whether IPv6 needs brackets there.
enum class Place : std::uint8_t { Endpoint, Plain };

void replace_all(std::string& text, std::string_view from, std::string_view to) {
    for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
        text.replace(at, from.size(), to);
    }
}

/// Calls `visit(text, place)` for every text of a target in which {vip} has a meaning.
template <typename Visit> struct Texts {
    Visit visit;

    void operator()(auto& target)
        requires requires { target.send; }
    {
        visit(target.target, Place::Endpoint);
        visit(target.send, Place::Plain);
    }

    void operator()(auto& target)
        requires requires {
            target.tls.sni;
            target.target;
        }
    {
        visit(target.target, Place::Endpoint);
    }

    void operator()(auto& target)
        requires requires { target.url; }
    {
        visit(target.url, Place::Endpoint);
        visit(target.host, Place::Endpoint);
        for (auto& [name, value] : target.headers) {
            visit(value, Place::Endpoint);
        }
    }

    void operator()(auto& target)
        requires requires { target.query; }
    {
        visit(target.server, Place::Endpoint);
        visit(target.query, Place::Plain);
    }

    void operator()(auto& target)
        requires requires { target.command; }
    {
        for (auto& argument : target.command) {
            visit(argument, Place::Plain);
        }
        for (auto& [name, value] : target.env) {
            visit(value, Place::Plain);
        }
    }

    void operator()(auto& target)
        requires requires { target.backends; }
    {
        visit(target.socket, Place::Plain);
    }

    void operator()(auto& target)
        requires requires { target.pidfile; }
    {
        visit(target.pidfile, Place::Plain);
        visit(target.unit, Place::Plain);
    }

    void operator()(auto& target)
        requires requires { target.up_when_present; }
    {
        visit(target.path, Place::Plain);
    }
};

} // namespace

std::string_view type_name(const Target& target) {
    struct Names {
        std::string_view operator()(const TcpTarget&) const { return "tcp"; }

        std::string_view operator()(const TlsTarget&) const { return "tls"; }

        std::string_view operator()(const HttpTarget&) const { return "http"; }

        std::string_view operator()(const DnsTarget&) const { return "dns"; }

        std::string_view operator()(const ExecTarget&) const { return "exec"; }

        std::string_view operator()(const HaproxyTarget&) const { return "haproxy"; }

        std::string_view operator()(const ProcessTarget&) const { return "process"; }

        std::string_view operator()(const FileTarget&) const { return "file"; }
    };

    return std::visit(Names{}, target);
}

bool uses_vip(const Target& target) {
    bool found = false;
    const auto look = [&](const std::string& text, Place) { found |= text.contains(word); };
    std::visit(Texts<decltype(look)>{look}, target);
    return found;
}

Target expand_vip(const Target& target, std::string_view address, bool is_ipv6) {
    Target expanded = target;
    const std::string bracketed = is_ipv6 ? "[" + std::string(address) + "]" : std::string(address);
    const auto replace = [&](std::string& text, Place place) {
        // Who wrote the brackets himself must not get them twice, nor around IPv4.
        if (place == Place::Endpoint) {
            replace_all(text, bracketed_word, bracketed);
        }
        replace_all(text, word, place == Place::Endpoint ? std::string_view(bracketed) : address);
    };
    std::visit(Texts<decltype(replace)>{replace}, expanded);
    return expanded;
}

} // namespace anyvip::health
