// SPDX-License-Identifier: Apache-2.0
// The answer in its form: one document, or lines as they come.
#include "cmd/client/run.hpp"

#include <thread>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "cmd/client/drain_progress.hpp"
#include "cmd/client/fields.hpp"
#include "cmd/client/view.hpp"

namespace anyvip::client {

namespace {

namespace json = boost::json;

/// A probe and a reload may take their time; a daemon that is silent for longer is stuck.
constexpr std::chrono::seconds usual_patience{120};
constexpr std::chrono::seconds endless{0};
constexpr std::chrono::seconds watch_interval{1};

class Run {
  public:
    Run(const Invocation& invocation,
        const Console& console,
        const Ask& ask_daemon,
        const Outside& outside)
        : invocation_(invocation), console_(console), ask_(ask_daemon), outside_(outside) {}

    [[nodiscard]] Exit document();
    [[nodiscard]] Exit doctor();
    [[nodiscard]] Exit events();
    [[nodiscard]] Exit drain_progress();
    [[nodiscard]] Exit watch();
    [[nodiscard]] Exit version();

  private:
    [[nodiscard]] std::expected<Response, Unreachable> ask(std::chrono::seconds patience,
                                                           const Sink& sink = {}) const {
        return ask_(invocation_.socket, invocation_.request, patience, sink);
    }

    [[nodiscard]] Canvas canvas() const {
        return {.style = console_.style, .now = std::chrono::system_clock::now()};
    }

    [[nodiscard]] Exit unreachable(const Unreachable& why) const {
        complain("the daemon cannot be reached: " + why.reason);
        return Exit::Unreachable;
    }

    [[nodiscard]] Exit refused(const Response& response) const;
    [[nodiscard]] std::string render(const json::value& document) const;
    [[nodiscard]] Exit show(const json::value& document) const;
    [[nodiscard]] Exit show_flows_of(const json::value& document) const;

    void complain(std::string_view message) const {
        console_.err("anyvip: " + std::string(message) + '\n');
    }

    const Invocation& invocation_;
    const Console& console_;
    const Ask& ask_;
    const Outside& outside_;
};

[[nodiscard]] bool is_success(const Response& response) {
    return response.status >= 200 && response.status < 300;
}

[[nodiscard]] std::string with_line_end(std::string text) {
    return text.ends_with('\n') ? text : text + '\n';
}

Exit Run::refused(const Response& response) const {
    boost::system::error_code error;
    const json::value document = json::parse(response.body, error);
    // A reload, or an upgrade and its reload, of which something could not be applied.
    if (!error && member(document, "changes").is_array()) {
        if (invocation_.is_json) {
            console_.out(with_line_end(response.body));
        } else if (!list(document, "changes").empty() || member(document, "upgraded").is_object()) {
            console_.out(show_reload(document));
        }
    }
    const std::string reason = error ? std::string() : text(document, "error");
    complain(reason.empty() || reason == "-"
                 ? "the daemon answers with status " + std::to_string(response.status)
                 : reason);
    return Exit::Refused;
}

Exit Run::document() {
    const auto response = ask(usual_patience);
    if (!response) {
        return unreachable(response.error());
    }
    if (!is_success(*response)) {
        return refused(*response);
    }
    const bool is_one_of_flows = invocation_.view == View::Flows && !invocation_.subject.empty();
    if (invocation_.is_json && !is_one_of_flows) {
        console_.out(with_line_end(response->body));
        return Exit::Done;
    }
    boost::system::error_code error;
    const json::value document = json::parse(response->body, error);
    if (error) {
        complain("the daemon's answer is not JSON: " + error.message());
        return Exit::Refused;
    }
    return is_one_of_flows ? show_flows_of(document) : show(document);
}

// Without a daemon there is something to be said all the same: why there is none, before all. The
// clock the daemon may not ask for (ProtectClock of its unit), but we may.
Exit Run::doctor() {
    const auto response = ask(usual_patience);
    std::optional<std::string> body;
    if (response) {
        if (!is_success(*response)) {
            return refused(*response);
        }
        body = response->body;
    } else if (response.error().is_absent && outside_.doctor_alone) {
        body = outside_.doctor_alone(invocation_.config);
    }
    Exit exit = Exit::Done;
    if (!response) {
        exit = unreachable(response.error());
    }
    if (!body) {
        return exit;
    }
    boost::system::error_code error;
    json::value document = json::parse(*body, error);
    if (error || !document.is_object()) {
        complain("the daemon's answer is not JSON: " + error.message());
        return exit == Exit::Done ? Exit::Refused : exit;
    }
    json::object& fields = document.get_object();
    if (const json::value* finding = fields.if_contains("if_clock_is_unsynchronized")) {
        json::value* findings = fields.if_contains("findings");
        if (findings != nullptr && findings->is_array() && outside_.is_clock_synchronized &&
            !outside_.is_clock_synchronized()) {
            findings->get_array().push_back(*finding);
        }
        fields.erase("if_clock_is_unsynchronized");
    }
    console_.out(invocation_.is_json ? json::serialize(document) + '\n'
                                     : show_doctor(document, canvas()));
    return exit;
}

Exit Run::show_flows_of(const json::value& document) const {
    for (const json::value& entry : list(document, "flows")) {
        if (text(entry, "vip") == printable(invocation_.subject)) {
            console_.out(invocation_.is_json
                             ? json::serialize(json::object{{"flows", json::array{entry}}}) + "\n"
                             : show_flows(json::array{entry}, canvas()));
            return Exit::Done;
        }
    }
    complain("no VIP named " + printable(invocation_.subject));
    return Exit::Refused;
}

Exit Run::show(const json::value& document) const {
    console_.out(render(document));
    for (const json::value& note : list(member(document, "notes"), "")) {
        complain(text(note));
    }
    return Exit::Done;
}

std::string Run::render(const json::value& document) const {
    switch (invocation_.view) {
    case View::Status:
    case View::Watch:
        return show_status(document, canvas());
    case View::Vips:
        return show_vips(document, canvas());
    case View::Peers:
        return show_peers(document, canvas());
    case View::Checks:
        return show_checks(document, canvas());
    case View::Routes:
        return show_routes(document, canvas());
    case View::Explain:
        return show_explain(document, canvas());
    case View::Flows:
        return show_flows(document, canvas());
    case View::Changed:
        return show_changed(document, invocation_.request.target.substr(4));
    case View::Reload:
        return show_reload(document);
    case View::Doctor:
        return show_doctor(document, canvas());
    case View::Details:
    case View::Events:
    case View::DrainProgress:
    case View::Version:
    case View::Help:
        return show_details(document, canvas());
    }
    return {};
}

Exit Run::events() {
    LineSplitter splitter;
    const auto show_line = [&](const std::string& line) {
        boost::system::error_code error;
        const json::value event = json::parse(line, error);
        console_.out(invocation_.is_json || error ? line + '\n' : show_event(event, canvas()));
    };
    const auto response = ask(endless, [&](std::string_view portion) {
        splitter.feed(portion, show_line);
        return true;
    });
    if (!response) {
        return unreachable(response.error());
    }
    return is_success(*response) ? Exit::Done : refused(*response);
}

Exit Run::drain_progress() {
    DrainProgress progress(console_, invocation_.is_json);
    const auto response = ask(endless, [&](std::string_view portion) {
        progress.feed(portion);
        return !progress.exit();
    });
    if (progress.exit()) {
        return *progress.exit();
    }
    if (response && !is_success(*response)) {
        return refused(*response);
    }
    return unreachable(response ? Unreachable{"it ended while the drain went on"}
                                : response.error());
}

Exit Run::watch() {
    if (!console_.is_terminal || invocation_.is_json) {
        return document();
    }
    for (;;) {
        const auto response = ask(usual_patience);
        std::string screen;
        boost::system::error_code error;
        if (!response) {
            screen = "the daemon cannot be reached: " + response.error().reason + '\n';
        } else if (const json::value status = json::parse(response->body, error); !error) {
            screen = show_status(status, canvas());
        }
        // Written over the former screen and cleared behind: nothing flickers.
        std::string drawn = "\x1b[H";
        for (const char c : screen) {
            drawn += c == '\n' ? "\x1b[K\n" : std::string(1, c);
        }
        console_.out(drawn + "\x1b[J");
        std::this_thread::sleep_for(watch_interval);
    }
}

Exit Run::version() {
    const auto response = ask(usual_patience);
    boost::system::error_code error;
    std::string daemon;
    if (response && is_success(*response)) {
        const json::value document = json::parse(response->body, error);
        daemon = error ? std::string() : text(document, "version");
    }
    if (invocation_.is_json) {
        console_.out(R"({"command":)" + quote_json(ANYVIP_VERSION) + R"(,"daemon":)" +
                     (daemon.empty() ? "null" : quote_json(daemon)) + "}\n");
    } else {
        console_.out("anyvip " ANYVIP_VERSION "\n" +
                     (daemon.empty() ? std::string() : "anyvipd " + daemon + '\n'));
    }
    if (!response) {
        return unreachable(response.error());
    }
    return is_success(*response) ? Exit::Done : refused(*response);
}

} // namespace

Exit run(const Invocation& invocation,
         const Console& console,
         const Ask& ask_daemon,
         const Outside& outside) {
    Run running(invocation, console, ask_daemon, outside);
    switch (invocation.view) {
    case View::Help:
        console.out(help_text(invocation.subject));
        return Exit::Done;
    case View::Version:
        return running.version();
    case View::Events:
        return running.events();
    case View::DrainProgress:
        return running.drain_progress();
    case View::Watch:
        return running.watch();
    case View::Status:
    case View::Vips:
    case View::Peers:
    case View::Checks:
    case View::Details:
    case View::Routes:
    case View::Explain:
    case View::Flows:
    case View::Changed:
    case View::Reload:
        return running.document();
    case View::Doctor:
        return running.doctor();
    }
    return Exit::Refused;
}

} // namespace anyvip::client
