// SPDX-License-Identifier: Apache-2.0
// What the agent's parts have to say to the shell, in order.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "cmd/agent/agent.hpp"
#include "cmd/agent/event_name.hpp"

namespace anyvip::cmd {

struct Outbox {
    std::vector<Output> outputs;
    std::vector<Event> events;

    void event(Instant at,
               EventName event,
               std::string name,
               std::string reason,
               std::vector<std::pair<std::string, std::string>> details = {}) {
        events.push_back(
            {at, event.text(), std::move(name), std::move(reason), std::move(details)});
    }
};

} // namespace anyvip::cmd
