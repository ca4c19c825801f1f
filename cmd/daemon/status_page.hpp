// SPDX-License-Identifier: Apache-2.0
// The status page of the TCP listener: one self-contained HTML page, no scripts, no outside
// resources.
#pragma once

#include <string>

#include <boost/json/object.hpp>

#include "cmd/daemon/event_log.hpp"

namespace anyvip::cmd {

/// From the status document and the newest events. Everything from outside is escaped.
[[nodiscard]] std::string status_page(const boost::json::object& status, const EventLog& events);

} // namespace anyvip::cmd
