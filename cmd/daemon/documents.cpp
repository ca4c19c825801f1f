// SPDX-License-Identifier: Apache-2.0
#include "cmd/daemon/documents.hpp"

#include <algorithm>
#include <array>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "bgp/wire/printable.hpp"
#include "cmd/daemon/json_values.hpp"
#include "cmd/daemon/wall_time.hpp"

namespace anyvip::cmd {
namespace {

namespace json = boost::json;

// A check may print anything; JSON is UTF-8.
std::string printable_lines(std::string_view text) {
    std::string lines;
    while (!text.empty()) {
        const std::string_view line = text.substr(0, text.find('\n'));
        const auto* octets = reinterpret_cast<const std::uint8_t*>(line.data());
        lines += bgp::wire::printable({octets, line.size()});
        if (line.size() < text.size()) {
            lines += '\n';
        }
        text.remove_prefix(std::min(text.size(), line.size() + 1));
    }
    return lines;
}

json::array conditions_document(const VipView& view) {
    json::array conditions;
    for (const vip::Condition& condition : view.conditions) {
        conditions.push_back(json::object{{"name", condition.name},
                                          {"value", condition.value},
                                          {"met", condition.is_met},
                                          {"since", to_rfc3339(condition.since)},
                                          {"last_event", null_or(condition.last_event)},
                                          {"remedy", null_or(condition.remedy)}});
    }
    return conditions;
}

json::object run_document(const health::Check::LastRun& run) {
    json::object document{{"ok", run.result.outcome == health::Outcome::Pass},
                          {"at", to_rfc3339(run.at)},
                          {"ms", milliseconds(run.result.took)},
                          {"detail", run.result.detail},
                          {"result", health::to_string(run.result.outcome)}};
    if (!run.result.output.empty()) {
        document["output"] = printable_lines(run.result.output);
    }
    return document;
}

void add_check_details(json::object& document, const health::Check& check) {
    const health::Schedule& schedule = check.config().schedule;
    document["reason"] = check.reason();
    document["scope"] = check.config().scope == health::Scope::Shared ? "shared" : "local";
    document["interval_ms"] = schedule.interval.count();
    document["timeout_ms"] = schedule.timeout.count();
    document["rise"] = schedule.rise;
    document["fall"] = schedule.fall;
    document["successes_in_row"] = check.successes_in_row();
    document["failures_in_row"] = check.failures_in_row();
    json::array transitions;
    for (const health::Transition& transition : check.transitions()) {
        transitions.push_back(json::object{{"at", to_rfc3339(transition.at)},
                                           {"to", health::to_string(transition.to)},
                                           {"reason", transition.reason}});
    }
    document["transitions"] = std::move(transitions);
    json::array history;
    for (const health::Check::LastRun& run : check.history()) {
        history.push_back(run_document(run));
    }
    document["history"] = std::move(history);
}

} // namespace

json::object vip_summary(const VipView& view) {
    json::object vip;
    vip["name"] = view.config->name;
    vip["state"] = vip::to_string(view.state);
    vip["since"] = to_rfc3339(view.since);
    vip["reason"] = view.reason;
    vip["health"] = health::to_string(view.health);
    vip["drained"] = view.is_drained;
    vip["weight"] = view.weight;
    vip["flows"] = view.flows ? json::value(*view.flows) : json::value(nullptr);
    vip["checks"] = to_array(view.config->checks);
    json::array addresses;
    for (const AddressView& address : view.addresses) {
        json::object entry{{"prefix", to_string(address.prefix)},
                           {"interface", address.interface},
                           {"present", address.is_present},
                           {"owned", address.is_owned}};
        if (!address.problem.empty()) {
            entry["problem"] = address.problem;
        }
        addresses.push_back(std::move(entry));
    }
    vip["addresses"] = std::move(addresses);
    vip["announced_to"] = to_array(view.announced_to);
    return vip;
}

json::object check_summary(const CheckView& view) {
    const health::Check& check = *view.check;
    json::object document;
    document["name"] = view.label;
    document["type"] = health::type_name(check.config().target);
    document["state"] = health::to_string(check.state());
    document["since"] = to_rfc3339(check.since());
    document["weight"] = check.shown_weight();
    document["last"] =
        check.last() ? json::value(run_document(*check.last())) : json::value(nullptr);
    return document;
}

namespace {

void append_vips(Pieces& pieces, const Agent& agent) {
    pieces.array(agent.vip_count(),
                 [&agent](std::size_t index) { return vip_summary(agent.vip_at(index)); });
}

void append_peers(Pieces& pieces, Agent& agent) {
    std::vector<std::string> names = agent.peer_names();
    const std::size_t count = names.size();
    pieces.array(count, [&agent, names = std::move(names)](std::size_t index) {
        const bgp::Peer* peer = agent.find_peer(names[index]);
        return peer == nullptr ? json::object() : peer_summary(agent, *peer);
    });
}

void append_checks(Pieces& pieces, const Agent& agent) {
    pieces.lists(agent.config().checks.size(), [&agent](std::size_t index) {
        json::array checks;
        for (const CheckView& view : agent.checks_at(index)) {
            checks.push_back(check_summary(view));
        }
        return checks;
    });
}

} // namespace

std::string_view to_string(NodeState state) {
    switch (state) {
    case NodeState::Running:
        return "running";
    case NodeState::Draining:
        return "draining";
    case NodeState::Drained:
        return "drained";
    case NodeState::Stopping:
        return "stopping";
    }
    return "running";
}

json::object node_document(Agent& agent, const ProcessFacts& facts) {
    const NodeConfig& node = agent.config().node;
    const Now now = read_clocks();
    return {{"name", node.name},
            {"asn", node.asn.value},
            {"router_id", node.router_id ? bgp::to_string(*node.router_id) : std::string()},
            {"version", ANYVIP_VERSION},
            {"pid", facts.pid},
            {"uptime_s", milliseconds(now.monotonic - facts.started) / 1000},
            {"state", to_string(agent.node_state())}};
}

Pieces status_document(Agent& agent, const ProcessFacts& facts) {
    Pieces pieces;
    pieces.text("{\"node\":" + json::serialize(node_document(agent, facts)) + ",\"vips\":");
    append_vips(pieces, agent);
    pieces.text(",\"peers\":");
    append_peers(pieces, agent);
    pieces.text(",\"checks\":");
    append_checks(pieces, agent);
    pieces.text(",\"default_routes\":" + json::serialize(default_routes_document(agent)) + "}");
    return pieces;
}

json::array default_routes_document(const Agent& agent) {
    json::array routes;
    for (const DefaultRouteView& view : agent.default_routes()) {
        json::array next_hops;
        for (const DefaultRouteView::Hop& hop : view.next_hops) {
            next_hops.push_back(json::object{{"address", to_string(hop.next_hop.address)},
                                             {"interface", hop.next_hop.interface},
                                             {"peer", null_or(hop.peer)},
                                             {"installed", hop.is_installed}});
        }
        routes.push_back(json::object{{"prefix", to_string(vip::default_prefix(view.key.family))},
                                      {"metric", view.key.metric},
                                      {"since", to_rfc3339(view.since)},
                                      {"next_hops", std::move(next_hops)},
                                      {"last", view.is_last},
                                      {"problem", null_or(view.problem)},
                                      {"hidden_by", null_or(view.hidden_by)}});
    }
    return routes;
}

Pieces vips_document(const Agent& agent) {
    Pieces pieces;
    append_vips(pieces, agent);
    return pieces;
}

Pieces peers_document(Agent& agent) {
    Pieces pieces;
    append_peers(pieces, agent);
    return pieces;
}

Pieces checks_document(const Agent& agent) {
    Pieces pieces;
    append_checks(pieces, agent);
    return pieces;
}

json::object vip_document(const Agent& agent, std::string_view name) {
    const std::optional<VipView> view = agent.vip(name);
    if (!view) {
        return {};
    }
    json::object document = vip_summary(*view);
    document["conditions"] = conditions_document(*view);
    return document;
}

namespace {

/// Worst last, as health::conjunction_of has it.
int badness(health::State state) {
    switch (state) {
    case health::State::Up:
        return 0;
    case health::State::Down:
        return 1;
    case health::State::Unknown:
        return 2;
    }
    return 2;
}

/// NAME of a check with {vip}: the conjunction of its instances NAME@ADDRESS. `last` is the latest
/// run of those in the worst state, `weight` the lowest, and it is down since the first of them is,
/// up since the last of them is. Without an address nothing is known.
json::object conjunction_document(const health::CheckConfig& config,
                                  const std::vector<CheckView>& views) {
    health::State state = views.empty() ? health::State::Unknown : health::State::Up;
    for (const CheckView& view : views) {
        state = badness(view.check->state()) > badness(state) ? view.check->state() : state;
    }
    std::optional<Instant> since;
    std::optional<health::Check::LastRun> last;
    std::uint32_t weight = views.empty() ? 100 : views.front().check->shown_weight();
    json::array instances;
    for (const CheckView& view : views) {
        const health::Check& check = *view.check;
        weight = std::min(weight, check.shown_weight());
        instances.push_back(check_summary(view));
        if (check.state() != state) {
            continue;
        }
        const bool is_later = since && check.since() > *since;
        if (!since || is_later == (state == health::State::Up)) {
            since = check.since();
        }
        if (check.last() && (!last || check.last()->at > last->at)) {
            last = check.last();
        }
    }
    return {{"name", config.name},
            {"type", health::type_name(config.target)},
            {"state", health::to_string(state)},
            {"since", since ? json::value(to_rfc3339(*since)) : json::value(nullptr)},
            {"weight", weight},
            {"last", last ? json::value(run_document(*last)) : json::value(nullptr)},
            {"instances", std::move(instances)}};
}

} // namespace

json::object check_document(const Agent& agent, std::string_view name) {
    const auto& checks = agent.config().checks;
    for (std::size_t index = 0; index < checks.size(); ++index) {
        const std::vector<CheckView> views = agent.checks_at(index);
        for (const CheckView& view : views) {
            if (view.label == name) {
                json::object document = check_summary(view);
                add_check_details(document, *view.check);
                return document;
            }
        }
        if (checks[index].name == name) {
            return conjunction_document(checks[index], views);
        }
    }
    return {};
}

json::object explain_document(const Agent& agent, std::string_view name) {
    const std::optional<VipView> view = agent.vip(name);
    if (!view) {
        return {};
    }
    return {{"vip", view->config->name},
            {"state", vip::to_string(view->state)},
            {"since", to_rfc3339(view->since)},
            {"reason", view->reason},
            {"conditions", conditions_document(*view)}};
}

Pieces flows_document(const Agent& agent) {
    Pieces pieces;
    pieces.text("{\"flows\":")
        .array(agent.vip_count(),
               [&agent](std::size_t index) {
                   const VipView view = agent.vip_at(index);
                   return json::object{
                       {"vip", view.config->name},
                       {"flows", view.flows ? json::value(*view.flows) : json::value(nullptr)}};
               })
        .text("}");
    return pieces;
}

} // namespace anyvip::cmd
