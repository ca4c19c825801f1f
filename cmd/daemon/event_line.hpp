// SPDX-License-Identifier: Apache-2.0
// Events as lines of the log.
#pragma once

#include "cmd/agent/agent.hpp"
#include "cmd/daemon/log.hpp"

namespace anyvip::cmd {

/// KIND NAME: WHAT: REASON, at the level that the event deserves.
void write_event(Log& log, const Event& event);

} // namespace anyvip::cmd
