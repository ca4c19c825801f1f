// SPDX-License-Identifier: Apache-2.0
// The status page of the TCP listener: one self-contained HTML page, no scripts, no outside
// resources.
#pragma once

#include "cmd/agent/agent.hpp"
#include "cmd/daemon/documents.hpp"
#include "cmd/daemon/event_log.hpp"
#include "cmd/daemon/pieces.hpp"

namespace anyvip::cmd {

/// What the status document says, and the newest events. Everything from outside is escaped.
[[nodiscard]] Pieces status_page(Agent& agent, const ProcessFacts& facts, const EventLog& events);

} // namespace anyvip::cmd
