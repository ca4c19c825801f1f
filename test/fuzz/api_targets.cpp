// SPDX-License-Identifier: Apache-2.0
// The whole way of a request without sockets: octets, HttpReader, Control, the agent, the answer.
#include "test/fuzz/api_targets.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <boost/json/parse.hpp>

#include "cmd/config/config.hpp"
#include "cmd/daemon/control.hpp"
#include "cmd/daemon/wall_time.hpp"

namespace anyvip::cmd::fuzz {
namespace {

void require(bool holds, const char* what) {
    if (!holds) {
        std::fprintf(stderr, "does not hold: %s\n", what);
        std::abort();
    }
}

constexpr std::string_view configuration = R"(
[node]
asn = 65010
router_id = "10.0.0.11"
name = "lb-a"
[drain]
gshut = "0s"
keep_last = "never"
[[peer]]
name = "tor1"
address = "10.0.0.1"
asn = 65001
[[check]]
name = "web"
type = "tcp"
target = "127.0.0.1:80"
[[check]]
name = "each"
type = "tcp"
target = "{vip}:80"
[[vip]]
name = "www"
addresses = ["203.0.113.10", "2001:db8::10"]
checks = ["web", "each"]
[[vip]]
name = "dns"
addresses = ["203.0.113.11"]
)";

const Config& config() {
    static const Config parsed = parse_config(std::string(configuration)).value();
    return parsed;
}

/// Keeps one answer and watches that it is one.
class Answer final : public HttpResponder {
  public:
    void send(unsigned status, std::string_view type, std::string_view body) override {
        require(state_ == State::Waiting, "an answer is sent once");
        state_ = State::Ended;
        require(status == 200 || (status >= 400 && status <= 507), "a known status");
        if (type == "application/json") {
            boost::system::error_code error;
            const auto document = boost::json::parse(body, error);
            require(!error, "the body is JSON");
            require(status == 200 ||
                        (document.is_object() && document.as_object().contains("error") &&
                         !document.as_object().at("error").as_string().empty()),
                    "an error says what it is");
        }
        require(!http_head(status, type, "Content-Length: 0").empty(), "it has a head");
    }

    void begin_stream(std::string_view /*type*/) override {
        require(state_ == State::Waiting, "a stream begins once");
        state_ = State::Streaming;
    }

    bool write(std::string_view octets) override {
        require(state_ == State::Streaming, "a stream is written while it is open");
        std::string_view rest = octets;
        while (!rest.empty()) {
            const std::string_view line = rest.substr(0, rest.find('\n'));
            boost::system::error_code error;
            static_cast<void>(boost::json::parse(line, error));
            require(!error && line.size() < rest.size(), "a stream is lines of JSON");
            rest.remove_prefix(line.size() + 1);
        }
        return true;
    }

    void finish() override {
        require(state_ == State::Streaming, "a stream ends once");
        state_ = State::Ended;
    }

    [[nodiscard]] int descriptor() const override { return -1; }

    [[nodiscard]] bool is_waiting() const { return state_ == State::Waiting; }

  private:
    enum class State : std::uint8_t { Waiting, Streaming, Ended };
    State state_ = State::Waiting;
};

/// The daemon around Control, without kernel, disk and network.
class Daemon {
  public:
    Daemon() { turn(); }

    void request(const HttpRequest& request, bool is_public, bool is_disk_full) {
        is_disk_full_ = is_disk_full;
        const auto answer = std::make_shared<Answer>();
        const auto before = picture();
        if (is_public) {
            control_.handle_public(request, answer);
        } else {
            control_.handle(request, answer);
        }
        const bool is_change = !is_public && request.method == "POST";
        go_on();
        require(is_change || before == picture(), "only a POST on the control socket changes");
        require(!answer->is_waiting(), "everybody is answered");
    }

  private:
    [[nodiscard]] std::string picture() {
        std::string text = std::to_string(agent_.reload_count());
        for (std::size_t i = 0; i < agent_.vip_count(); ++i) {
            text += agent_.vip_at(i).is_drained ? 'd' : '-';
        }
        return text;
    }

    void turn() {
        agent_.tick(read_clocks());
        agent_.settle(read_clocks());
        for (const Output& output : agent_.take_outputs()) {
            if (const auto* probe = std::get_if<StartProbe>(&output)) {
                probes_.emplace_back(probe->check_id, probe->label);
            }
            is_unsaved_ = is_unsaved_ || std::holds_alternative<Persist>(output);
        }
        for (const Event& event : agent_.take_events()) {
            events_.add(event);
        }
        control_.after_turn();
    }

    void go_on() {
        for (int i = 0; i < 64 && (!later_.empty() || !probes_.empty() || is_unsaved_); ++i) {
            for (const auto& work : std::exchange(later_, {})) {
                work();
            }
            if (std::exchange(is_unsaved_, false)) {
                persist_error_ = is_disk_full_ ? "disk full" : "";
                agent_.persisted(persist_error_, read_clocks());
                turn();
                control_.after_save();
            }
            for (const auto& [id, label] : std::exchange(probes_, {})) {
                agent_.probe_finished(id, {.outcome = health::Outcome::Pass}, read_clocks());
                turn();
                control_.check_finished(label);
            }
            turn();
        }
    }

    ReloadOutcome reload(bool is_dry_run) {
        ReloadOutcome outcome{{}, agent_.describe_reload(config()), {}};
        if (!is_dry_run) {
            agent_.reload(config(), read_clocks());
            turn();
            control_.after_reload();
        }
        return outcome;
    }

    std::vector<std::pair<std::uint64_t, std::string>> probes_;
    std::vector<std::function<void()>> later_;
    std::string persist_error_;
    bool is_unsaved_ = false;
    bool is_disk_full_ = false;
    Agent agent_{config(), vip::DrainState{}, 7, read_clocks()};
    EventLog events_;
    Log log_{-1};
    Control control_{{agent_,
                      events_,
                      log_,
                      {read_clocks().monotonic, 1},
                      [this] { turn(); },
                      [this](bool is_dry_run) { return reload(is_dry_run); },
                      [this] { return !is_unsaved_; },
                      [this](const std::string&) {
                          control_.upgrade_ended({{"error", "no upgrade in here"}}, 409);
                      },
                      [this] { return persist_error_; },
                      [] { return Pieces(); },
                      [this](std::function<void()> work) { later_.push_back(std::move(work)); },
                      [](std::uint64_t) { return std::vector<std::string>(); },
                      [](const std::string&) { return boost::json::object(); }}};
};

std::string_view text_of(std::span<const std::uint8_t> octets) {
    return {reinterpret_cast<const char*>(octets.data()), octets.size()};
}

/// The request is the same however it is cut into pieces.
std::optional<HttpRequest> read(std::string_view octets, HttpBodies bodies) {
    HttpReader whole(bodies);
    HttpReader slow(bodies);
    auto slow_progress = HttpReader::Progress::NeedsMore;
    for (std::size_t i = 0; i < octets.size() && slow_progress == HttpReader::Progress::NeedsMore;
         ++i) {
        slow_progress = slow.feed(octets.substr(i, 1));
    }
    const auto progress = octets.empty() ? slow_progress : whole.feed(octets);
    // Of a malformed head, Beast may see in one piece what it still hopes for in several.
    require((progress == HttpReader::Progress::Complete) ==
                (slow_progress == HttpReader::Progress::Complete),
            "whether it is a request does not depend on the pieces");
    for (const HttpReader* reader : {&whole, &slow}) {
        const auto [status, error] = reader->refusal();
        require(status == 0 ||
                    (!error.empty() && (status == 400 || status == 405 || status == 413)),
                "a refusal says why");
    }
    if (progress != HttpReader::Progress::Complete) {
        return std::nullopt;
    }
    HttpRequest request = whole.request();
    const HttpRequest other = slow.request();
    require(request.method == other.method && request.path == other.path &&
                request.query == other.query && request.body == other.body,
            "nor does the request");
    return request;
}

} // namespace

void api(std::span<const std::uint8_t> input) {
    constexpr std::string_view separator("\0\0", 2);
    constexpr std::size_t most_requests = 16;
    Daemon daemon;
    std::string_view rest = text_of(input);
    for (std::size_t i = 0; i < most_requests && !rest.empty(); ++i) {
        const std::string_view one = rest.substr(0, rest.find(separator));
        rest.remove_prefix(std::min(rest.size(), one.size() + separator.size()));
        if (one.empty()) {
            continue;
        }
        const auto flags = static_cast<std::uint8_t>(one.front());
        const bool is_public = (flags & 1U) != 0;
        auto request = read(one.substr(1), is_public ? HttpBodies::Refused : HttpBodies::Accepted);
        if (request) {
            request->client = {1, 2, {}};
            daemon.request(*request, is_public, (flags & 2U) != 0);
        }
    }
}

} // namespace anyvip::cmd::fuzz
