// SPDX-License-Identifier: Apache-2.0
#include "cmd/daemon/metrics.hpp"

#include <algorithm>
#include <functional>
#include <set>
#include <string>

#include "bgp/session/peer.hpp"

namespace anyvip::cmd {
namespace {

constexpr std::array<Family, 2> families{Family::Ipv4, Family::Ipv6};
constexpr std::array<vip::VipState, 6> states{vip::VipState::Starting,
                                              vip::VipState::Announced,
                                              vip::VipState::Backup,
                                              vip::VipState::Withdrawn,
                                              vip::VipState::Draining,
                                              vip::VipState::Drained};
constexpr std::array<health::Outcome, 4> outcomes{
    health::Outcome::Pass, health::Outcome::Fail, health::Outcome::Timeout, health::Outcome::Error};

void add_family(Pieces& page, std::string_view name, std::string_view type, std::string_view help) {
    std::string text;
    Exposition(text).family(name, type, help);
    page.text(text);
}

void write_sessions(Exposition& out, Agent& agent) {
    std::vector<std::pair<std::string, bgp::PeerStatus>> peers;
    for (const std::string& name : agent.peer_names()) {
        if (const bgp::Peer* peer = agent.find_peer(name)) {
            peers.emplace_back(name, peer->status());
        }
    }
    out.family("anyvip_bgp_session_up", "gauge", "Whether the BGP session is Established.");
    for (const auto& [name, status] : peers) {
        const bool is_up = status.state == bgp::SessionState::Established;
        out.sample("anyvip_bgp_session_up", {{"peer", name}}, std::uint64_t{is_up});
    }
    out.family(
        "anyvip_bgp_session_resets_total", "counter", "Sessions that were Established and ended.");
    for (const auto& [name, status] : peers) {
        out.sample("anyvip_bgp_session_resets_total", {{"peer", name}}, status.resets);
    }
    out.family("anyvip_bfd_session_up", "gauge", "Whether the peer's BFD session is up.");
    for (const auto& [name, status] : peers) {
        const std::optional<PeerView> view = agent.peer(name);
        if (view && view->bfd != BfdState::Off) {
            out.sample("anyvip_bfd_session_up",
                       {{"peer", name}},
                       std::uint64_t{view->bfd == BfdState::Up});
        }
    }
    constexpr std::array<std::string_view, 6> types{
        "", "open", "update", "notification", "keepalive", "route_refresh"};
    out.family("anyvip_bgp_messages_total", "counter", "BGP messages by direction and type.");
    for (const auto& [name, status] : peers) {
        for (std::size_t type = 1; type < types.size(); ++type) {
            out.sample("anyvip_bgp_messages_total",
                       {{"peer", name}, {"direction", "sent"}, {"type", types.at(type)}},
                       status.messages.sent.at(type));
            out.sample("anyvip_bgp_messages_total",
                       {{"peer", name}, {"direction", "received"}, {"type", types.at(type)}},
                       status.messages.received.at(type));
        }
    }
    out.family("anyvip_bgp_routes_advertised", "gauge", "Prefixes that the peer has from us.");
    for (const auto& [name, status] : peers) {
        for (const Family family : families) {
            out.sample("anyvip_bgp_routes_advertised",
                       {{"peer", name}, {"family", to_string(family)}},
                       std::uint64_t{status.advertised.at(static_cast<std::size_t>(family))});
        }
    }
    out.family(
        "anyvip_bgp_update_errors_total", "counter", "Rules that received messages have broken.");
    for (const auto& [name, status] : peers) {
        for (const auto& [rule, count] : status.rule_counters) {
            out.sample("anyvip_bgp_update_errors_total", {{"peer", name}, {"rule", rule}}, count);
        }
    }
}

} // namespace

void Metrics::observe_event(const Event& event) {
    // Not each event of a VIP is a change of its state: vip.undrained, vip.stray.
    const bool is_transition = std::ranges::any_of(states, [&](vip::VipState state) {
        return event.event == "vip." + std::string(vip::to_string(state));
    });
    if (is_transition) {
        ++counts_.vip_transitions[{event.name, event.event.substr(4)}];
    }
}

void Metrics::forget_missing(const Agent& agent) {
    std::set<std::string, std::less<>> checks;
    for (const CheckView& view : agent.checks()) {
        checks.insert(view.label);
    }
    std::erase_if(counts_.checks, [&](const auto& entry) { return !checks.contains(entry.first); });
    std::set<std::string, std::less<>> vips;
    for (const vip::VipConfig& config : agent.config().vips) {
        vips.insert(config.name);
    }
    std::erase_if(counts_.vip_transitions,
                  [&](const auto& entry) { return !vips.contains(entry.first.first); });
}

void Metrics::observe_check(const std::string& label, const health::Result& result) {
    CheckCounters& counters = counts_.checks[label];
    ++counters.results.at(static_cast<std::size_t>(result.outcome));
    counters.duration.observe(result.took);
}

void Metrics::append_vips(Pieces& page, const Agent& agent) const {
    const std::size_t count = agent.vip_count();
    add_family(page,
               "anyvip_vip_announced",
               "gauge",
               "Whether the prefix is announced to at least one peer.");
    page.each(count, [&agent](std::size_t index, std::string& text) {
        const VipView view = agent.vip_at(index);
        for (const AddressView& address : view.addresses) {
            Exposition(text).sample(
                "anyvip_vip_announced",
                {{"vip", view.config->name}, {"prefix", to_string(address.prefix)}},
                std::uint64_t{address.is_announced});
        }
    });
    add_family(
        page, "anyvip_vip_state", "gauge", "1 for the state that the VIP is in, 0 for the others.");
    page.each(count, [&agent](std::size_t index, std::string& text) {
        const VipView view = agent.vip_at(index);
        for (const vip::VipState state : states) {
            Exposition(text).sample("anyvip_vip_state",
                                    {{"vip", view.config->name}, {"state", vip::to_string(state)}},
                                    std::uint64_t{view.state == state});
        }
    });
    add_family(
        page, "anyvip_vip_transitions_total", "counter", "Changes of state by the state entered.");
    page.each(count, [this, &agent](std::size_t index, std::string& text) {
        const std::string& name = agent.config().vips.at(index).name;
        for (auto found = counts_.vip_transitions.lower_bound({name, ""});
             found != counts_.vip_transitions.end() && found->first.first == name;
             ++found) {
            Exposition(text).sample("anyvip_vip_transitions_total",
                                    {{"vip", name}, {"to", found->first.second}},
                                    found->second);
        }
    });
    add_family(page, "anyvip_vip_flows", "gauge", "Live TCP flows to the VIP, when counted.");
    page.each(count, [&agent](std::size_t index, std::string& text) {
        const VipView view = agent.vip_at(index);
        if (view.flows) {
            Exposition(text).sample("anyvip_vip_flows", {{"vip", view.config->name}}, *view.flows);
        }
    });
    add_family(page, "anyvip_drained", "gauge", "Whether a drain holds at least one VIP.");
    page.each(1, [&agent](std::size_t, std::string& text) {
        Exposition(text).sample("anyvip_drained", {}, std::uint64_t{agent.is_any_vip_drained()});
    });
}

void Metrics::append_checks(Pieces& page, const Agent& agent) const {
    const std::size_t count = agent.config().checks.size();
    add_family(page, "anyvip_check_up", "gauge", "Whether the check is up.");
    page.each(count, [&agent](std::size_t index, std::string& text) {
        for (const CheckView& view : agent.checks_at(index)) {
            Exposition(text).sample("anyvip_check_up",
                                    {{"check", view.label}},
                                    std::uint64_t{view.check->state() == health::State::Up});
        }
    });
    const auto each_counted = [&](auto write) {
        page.each(count, [this, &agent, write](std::size_t index, std::string& text) {
            Exposition out(text);
            for (const CheckView& view : agent.checks_at(index)) {
                if (const auto found = counts_.checks.find(view.label);
                    found != counts_.checks.end()) {
                    write(out, view.label, found->second);
                }
            }
        });
    };
    add_family(page, "anyvip_check_results_total", "counter", "Results of the check's runs.");
    each_counted([](Exposition& out, std::string_view label, const CheckCounters& counters) {
        for (const health::Outcome outcome : outcomes) {
            out.sample("anyvip_check_results_total",
                       {{"check", label}, {"result", health::to_string(outcome)}},
                       counters.results.at(static_cast<std::size_t>(outcome)));
        }
    });
    add_family(
        page, "anyvip_check_duration_seconds", "histogram", "How long a run of the check took.");
    each_counted([](Exposition& out, std::string_view label, const CheckCounters& counters) {
        out.histogram("anyvip_check_duration_seconds", {{"check", label}}, counters.duration);
    });
}

Pieces Metrics::page(Agent& agent, std::uint64_t log_lines_dropped) const {
    Pieces page;
    add_family(page, "anyvip_build_info", "gauge", "Constant 1, labelled with the version.");
    page.each(1, [](std::size_t, std::string& text) {
        Exposition(text).sample(
            "anyvip_build_info", {{"version", ANYVIP_VERSION}}, std::uint64_t{1});
    });
    append_vips(page, agent);
    append_checks(page, agent);
    page.each(1, [this, &agent, log_lines_dropped](std::size_t, std::string& text) {
        Exposition out(text);
        write_sessions(out, agent);
        out.family("anyvip_default_route_next_hops",
                   "gauge",
                   "Next hops of the learnt default route that are in the kernel.");
        for (const DefaultRouteView& view : agent.default_routes()) {
            const auto installed =
                std::ranges::count_if(view.next_hops, &DefaultRouteView::Hop::is_installed);
            out.sample("anyvip_default_route_next_hops",
                       {{"family", to_string(view.key.family)},
                        {"metric", std::to_string(view.key.metric)}},
                       static_cast<std::uint64_t>(installed));
        }
        out.family("anyvip_withdraw_latency_seconds",
                   "histogram",
                   "From the cause of a withdraw to its last octet handed to the kernel.");
        out.histogram("anyvip_withdraw_latency_seconds", {}, counts_.withdraw_latency);
        out.family("anyvip_loop_longest_delay_seconds",
                   "gauge",
                   "Longest time by which the daemon was late, since the start of this program.");
        out.sample("anyvip_loop_longest_delay_seconds",
                   {},
                   std::chrono::duration<double>(longest_pause_).count());
        out.family("anyvip_config_last_reload_successful",
                   "gauge",
                   "Whether the last reload was applied.");
        out.sample("anyvip_config_last_reload_successful",
                   {},
                   std::uint64_t{counts_.is_reload_successful});
        out.family(
            "anyvip_log_lines_dropped_total", "counter", "Log lines that could not be written.");
        out.sample("anyvip_log_lines_dropped_total", {}, log_lines_dropped);
    });
    return page;
}

} // namespace anyvip::cmd
