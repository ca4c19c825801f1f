// SPDX-License-Identifier: Apache-2.0
// exec: runs a program; its exit status is the verdict, a line "weight=NN" the weight.
#include <charconv>
#include <csignal>
#include <cstring>
#include <utility>

#include "health/probe/child_run.hpp"

namespace anyvip::health {

namespace {

constexpr std::string_view weight_key = "weight=";
constexpr std::size_t quoted_limit = 200;

template <typename Visit> void for_each_line(std::string_view text, Visit visit) {
    while (!text.empty()) {
        const auto end = text.find('\n');
        visit(text.substr(0, end));
        text = end == std::string_view::npos ? "" : text.substr(end + 1);
    }
}

/// The last line that is not empty.
std::string_view last_line(std::string_view output) {
    std::string_view last;
    for_each_line(output, [&](std::string_view line) { last = line.empty() ? last : line; });
    return last;
}

std::optional<std::uint32_t> weight_in(std::string_view output) {
    std::optional<std::uint32_t> weight;
    for_each_line(output, [&](std::string_view line) {
        if (!line.starts_with(weight_key)) {
            return;
        }
        const std::string_view digits = line.substr(weight_key.size());
        const char* const end = digits.data() + digits.size();
        std::uint32_t number = 0;
        const auto parsed = std::from_chars(digits.data(), end, number);
        if (parsed.ec == std::errc() && parsed.ptr == end && number <= 100) {
            weight = number;
        }
    });
    return weight;
}

Command command_of(const ExecTarget& target, const CheckConfig& check) {
    Command command{.argv = target.command, .env = target.env, .user = check.user};
    command.env.emplace("ANYVIP_CHECK", check.name);
    return command;
}

class ExecRun : public ChildRun {
  public:
    ExecRun(const ExecTarget& target, RunContext& context)
        : ChildRun(context, "exec", command_of(target, context.check)),
          has_command_(!target.command.empty()) {}

  private:
    void begin() override {
        if (has_command_) {
            run_program();
        } else {
            finish({.outcome = Outcome::Error, .detail = "no command"});
        }
    }

    void on_end(Ending ending) override {
        Result result{.output = output()};
        if (ending.signal != 0) {
            const char* const name = ::sigabbrev_np(ending.signal);
            result.outcome = Outcome::Fail;
            result.detail = "killed by signal " + std::to_string(ending.signal) +
                            (name != nullptr ? " (SIG" + std::string(name) + ")" : "");
        } else {
            result.detail = "exit status " + std::to_string(ending.exit_status);
            result.outcome = ending.exit_status == 0 ? Outcome::Pass : Outcome::Fail;
        }
        if (result.outcome == Outcome::Pass) {
            result.weight = weight_in(result.output);
        } else if (const auto line = last_line(result.output); !line.empty()) {
            result.detail += ": " + printable(line, quoted_limit);
        }
        // 255 is what a wrapper (ssh, a shell that cannot go on) returns when it ran nothing.
        if (ending.exit_status == 255) {
            result.outcome = Outcome::Error;
        }
        finish(std::move(result));
    }

    bool has_command_;
};

} // namespace

RunPointer make_run(const ExecTarget& target, RunContext context) {
    return std::make_shared<ExecRun>(target, context);
}

} // namespace anyvip::health
