// SPDX-License-Identifier: Apache-2.0
// A run that is a program: started when the former one of its check is gone, killed at the timeout.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "health/probe/child.hpp"
#include "health/probe/run.hpp"

namespace anyvip::health {

class ChildRun : public Run {
  protected:
    /// `layer` is a literal. Of a check with these arguments there is one killed child at most.
    ChildRun(RunContext& context, std::string_view layer, Command command);

    void run_program();

    /// It has ended; `output` is complete.
    virtual void on_end(Ending ending) = 0;

    [[nodiscard]] const std::string& output() const { return child_->output(); }

    void close() override { child_.reset(); }

    Result timed_out() override;

  private:
    void spawn();
    [[nodiscard]] Result former_remains() const;
    std::shared_ptr<ChildRun> self();

    std::string_view program_layer_;
    Command command_;
    std::string owner_;
    std::unique_ptr<Child> child_;
};

} // namespace anyvip::health
