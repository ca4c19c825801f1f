// SPDX-License-Identifier: Apache-2.0
#include "health/probe/child_run.hpp"

#include <string>
#include <utility>
#include <vector>

namespace anyvip::health {

namespace {

/// Instances of one check for several addresses differ in their arguments.
std::string owner_of(const std::string& check, const std::vector<std::string>& argv) {
    std::string owner = check;
    for (const std::string& argument : argv) {
        owner.append(1, '\0').append(argument);
    }
    return owner;
}

} // namespace

ChildRun::ChildRun(RunContext& context, std::string_view layer, Command command)
    : Run(context), program_layer_(layer), command_(std::move(command)),
      owner_(owner_of(context.check.name, command_.argv)) {}

void ChildRun::run_program() {
    if (!dying_child(owner_)) {
        spawn();
        return;
    }
    // As a rule it ends within a moment. If not, a new one at every run would be one more that
    // does not.
    when_reaped(owner_, [weak = weak_from_this()] {
        const auto self = std::static_pointer_cast<ChildRun>(weak.lock());
        if (self && !self->is_over()) {
            self->spawn();
        }
    });
}

void ChildRun::spawn() {
    enter(program_layer_);
    auto child = Child::spawn(io(), command_, owner_);
    const Result lost{.outcome = Outcome::Error,
                      .detail = "its exit status is lost: somebody else took it",
                      .is_our_fault = true};
    if (!child) {
        if (child.error() == std::errc::no_child_process) {
            finish(lost);
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
    child_->async_end([self = self(), lost](Ending ending) {
        if (self->is_over()) {
            return;
        }
        if (ending.is_unknown) {
            self->finish(lost);
        } else {
            self->on_end(ending);
        }
    });
}

Result ChildRun::timed_out() {
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

Result ChildRun::former_remains() const {
    const std::error_code kill_error = dying_child(owner_).value_or(std::error_code());
    if (kill_error) {
        return {.outcome = Outcome::Error,
                .detail = "cannot kill its former process: " + kill_error.message(),
                .is_our_fault = true};
    }
    return {.outcome = Outcome::Timeout,
            .detail = "its former process was killed and does not end, " + timeout_text()};
}

std::shared_ptr<ChildRun> ChildRun::self() {
    return std::static_pointer_cast<ChildRun>(shared_from_this());
}

} // namespace anyvip::health
