// SPDX-License-Identifier: Apache-2.0
// exec: runs a program; its exit status is the verdict, a line "weight=NN" the weight.
#include <charconv>
#include <csignal>
#include <cstring>
#include <utility>

#include "health/probe/child.hpp"
#include "health/probe/run.hpp"

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

/// Instances of one check for several addresses differ in their arguments.
std::string owner_of(const CheckConfig& check, const Command& command) {
    std::string owner = check.name;
    for (const std::string& argument : command.argv) {
        owner.append(1, '\0').append(argument);
    }
    return owner;
}

Result lost() {
    return {.outcome = Outcome::Error,
            .detail = "its exit status is lost: somebody else took it",
            .is_our_fault = true};
}

class ExecRun : public Run {
  public:
    ExecRun(const ExecTarget& target, RunContext& context)
        : Run(context),
          command_{.argv = target.command, .env = target.env, .user = context.check.user} {
        command_.env.emplace("ANYVIP_CHECK", context.check.name);
        owner_ = owner_of(context.check, command_);
    }

  private:
    void begin() override {
        if (command_.argv.empty()) {
            finish({.outcome = Outcome::Error, .detail = "no command"});
            return;
        }
        if (!dying_child(owner_)) {
            spawn();
            return;
        }
        // As a rule it ends within a moment. If not, a new one at every run would be one more that
        // does not.
        when_reaped(owner_, [weak = weak_from_this()] {
            const auto self = std::static_pointer_cast<ExecRun>(weak.lock());
            if (self && !self->is_over()) {
                self->spawn();
            }
        });
    }

    void spawn() {
        enter("exec");
        auto child = Child::spawn(io(), command_, owner_);
        if (!child) {
            if (child.error() == std::errc::no_child_process) {
                finish(lost());
            } else if (unreaped_children() >= max_unreaped) {
                finish({.outcome = Outcome::Error,
                        .detail = "too many killed check processes do not end",
                        .is_our_fault = true});
            } else {
                fail_to_run("cannot run " + command_.argv.front(), child.error());
            }
            return;
        }
        child_ = std::move(*child);
        child_->async_end(
            [self = std::static_pointer_cast<ExecRun>(shared_from_this())](Ending ending) {
                if (!self->is_over()) {
                    self->on_end(ending);
                }
            });
    }

    void close() override { child_.reset(); }

    void on_end(Ending ending) {
        Result result{.output = child_->output()};
        if (ending.is_unknown) {
            finish(lost());
            return;
        }
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

    Result timed_out() override {
        if (!child_) {
            return former_remains();
        }
        Result result = Run::timed_out();
        result.output = child_->output();
        if (child_->is_flooding()) {
            result.detail += ", and it printed more than 1 MiB";
        }
        return result;
    }

    [[nodiscard]] Result former_remains() const {
        const std::error_code kill_error = dying_child(owner_).value_or(std::error_code());
        if (kill_error) {
            return {.outcome = Outcome::Error,
                    .detail = "cannot kill its former process: " + kill_error.message(),
                    .is_our_fault = true};
        }
        return {.outcome = Outcome::Timeout,
                .detail = "its former process was killed and does not end, " + timeout_text()};
    }

    Command command_;
    std::string owner_;
    std::unique_ptr<Child> child_;
};

} // namespace

RunPointer make_run(const ExecTarget& target, RunContext context) {
    return std::make_shared<ExecRun>(target, context);
}

} // namespace anyvip::health
