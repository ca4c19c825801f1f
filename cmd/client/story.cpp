// SPDX-License-Identifier: Apache-2.0
// Documents that tell something rather than list it: explain, events, drain, reload, doctor.
#include "cmd/client/fields.hpp"
#include "cmd/client/view.hpp"

namespace anyvip::client {

namespace {

namespace json = boost::json;

[[nodiscard]] std::string lines_of(const json::array& array) {
    std::string out;
    for (const json::value& line : array) {
        out += text(line) + '\n';
    }
    return out;
}

/// " 12 flows, 3 packets, 250s left", what of it is known.
[[nodiscard]] std::string remainder(const json::value& step) {
    std::string out;
    const auto add = [&](std::string_view key, std::string_view unit) {
        const json::value& value = member(step, key);
        if (value.is_number()) {
            const auto whole = static_cast<long long>(value.to_number<double>());
            out += (out.empty() ? "" : ", ") + std::to_string(whole) + std::string(unit);
        }
    };
    add("flows", " flows");
    add("packets", " packets");
    add("left_s", "s left");
    return out;
}

} // namespace

std::string show_explain(const json::value& document, const Canvas& canvas) {
    const Cell state = state_cell(document, "state");
    std::string out = text(document, "vip") + " is " +
                      paint(state.text, state.colour, canvas.style) + " since " +
                      text(document, "since") + ": " + text(document, "reason") + "\n\n";
    TextTable table({"", "CONDITION", "VALUE", "SINCE", "LAST CHANGED BY"});
    std::string remedies;
    for (const json::value& condition : list(member(document, "conditions"), "")) {
        const bool is_met = member(condition, "met") == json::value(true);
        table.add({{.text = is_met ? "ok" : "NO", .colour = is_met ? Colour::Good : Colour::Bad},
                   {text(condition, "name")},
                   {text(condition, "value")},
                   {age(text(condition, "since"), canvas.now)},
                   {text(condition, "last_event")}});
        const std::string remedy = text(condition, "remedy");
        if (!is_met && remedy != "-") {
            remedies += text(condition, "name") + ": " + remedy + '\n';
        }
    }
    out += table.is_empty() ? "" : table.render(canvas.style);
    return remedies.empty() ? out : out + "\nWhat would change it:\n" + remedies;
}

std::string show_event(const json::value& event, const Canvas& canvas) {
    std::string line = paint(text(event, "at"), Colour::Faint, canvas.style) + ' ' +
                       text(event, "event") + ' ' + text(event, "name");
    if (const std::string reason = text(event, "reason"); reason != "-") {
        line += ": " + reason;
    }
    if (const json::object* object = event.if_object()) {
        for (const auto& [key, value] : *object) {
            if (key != "at" && key != "event" && key != "name" && key != "reason") {
                line += ' ' + printable(key) + '=' + text(value);
            }
        }
    }
    return line + '\n';
}

std::string show_changed(const json::value& document, std::string_view verb) {
    std::string out;
    for (const json::value& name : list(document, "changed")) {
        out += std::string(verb) + ": " + text(name) + '\n';
    }
    return out.empty() ? "nothing changed\n" : out;
}

std::string show_reload(const json::value& document) {
    const std::string changes = lines_of(list(document, "changes"));
    if (const json::value& upgraded = member(document, "upgraded"); upgraded.is_object()) {
        return "upgraded: anyvipd " + text(upgraded, "from") + " to " + text(upgraded, "to") +
               '\n' + changes;
    }
    return changes.empty() ? "nothing changes\n" : changes;
}

std::string show_doctor(const json::value& document, const Canvas& canvas) {
    const json::array& findings = list(document, "findings");
    std::string out;
    for (const json::value& finding : findings) {
        if (!finding.is_object()) {
            out += text(finding) + "\n\n";
            continue;
        }
        const std::string severity = text(finding, "severity");
        const Colour colour = severity == "error"     ? Colour::Bad
                              : severity == "warning" ? Colour::Warning
                                                      : Colour::Faint;
        out += paint(severity, colour, canvas.style) + ' ' + text(finding, "check") + ": " +
               text(finding, "finding") + "\n    " + text(finding, "remedy") + '\n';
    }
    return findings.empty() ? "nothing found\n" : out;
}

std::string show_step(const json::value& step) {
    const std::string peer = text(step, "peer");
    const std::string name = peer == "-" ? text(step, "vip") : peer;
    const std::string message = text(step, "message");
    const std::string line = name + ": " + (message == "-" ? text(step, "step") : message);
    const std::string left = remainder(step);
    return left.empty() ? line : line + " (" + left + ')';
}

} // namespace anyvip::client
