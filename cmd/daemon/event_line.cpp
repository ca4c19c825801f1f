// SPDX-License-Identifier: Apache-2.0
#include "cmd/daemon/event_line.hpp"

#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace anyvip::cmd {
namespace {

LogLevel level_of(const Event& event) {
    static const std::set<std::string_view> warnings{"vip.withdrawn",
                                                     "vip.backup",
                                                     "check.down",
                                                     "peer.down",
                                                     "bfd.down",
                                                     "address.removed",
                                                     "default_route.removed",
                                                     "default_route.problem",
                                                     "drain.refused"};
    const auto level =
        std::ranges::find(event.details, "level", &std::pair<std::string, std::string>::first);
    if (event.event == "config.rejected" ||
        (level != event.details.end() && level->second == "error")) {
        return LogLevel::Error;
    }
    const bool is_warning = warnings.contains(event.event) ||
                            (level != event.details.end() && level->second == "warning");
    return is_warning ? LogLevel::Warning : LogLevel::Info;
}

} // namespace

void write_event(Log& log, const Event& event) {
    const std::size_t dot = event.event.find('.');
    const std::string kind = event.event.substr(0, dot);
    const std::string what = dot == std::string::npos ? std::string() : event.event.substr(dot + 1);
    log.write(level_of(event),
              kind + " " + event.name + ": " + what +
                  (event.reason.empty() ? std::string() : ": " + event.reason),
              {{"event", event.event}, {"name", event.name}});
}

} // namespace anyvip::cmd
