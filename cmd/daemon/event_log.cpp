// SPDX-License-Identifier: Apache-2.0
#include "cmd/daemon/event_log.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "bgp/wire/printable.hpp"
#include "cmd/daemon/limits.hpp"
#include "cmd/daemon/wall_time.hpp"

namespace anyvip::cmd {

namespace {

std::string shortened(const std::string& text) {
    std::string start = bgp::wire::cut_utf8(text, limits::event_reason_octets);
    const std::size_t left_out = text.size() - start.size();
    return left_out == 0 ? start : start + " … and " + std::to_string(left_out) + " octets more";
}

} // namespace

LoggedEvent to_logged(const Event& event) {
    LoggedEvent logged{to_wall(event.at), event.event, event.name, shortened(event.reason), {}};
    boost::json::object document;
    document["at"] = to_rfc3339(logged.at);
    document["event"] = event.event;
    document["name"] = event.name;
    document["reason"] = logged.reason;
    for (const auto& [key, value] : event.details) {
        document[key] = shortened(value);
    }
    logged.json = boost::json::serialize(document);
    return logged;
}

void EventLog::add(const Event& event) {
    events_.push_back(to_logged(event));
    ++total_;
    if (events_.size() > limits::events) {
        events_.pop_front();
    }
    followers_.remove_if(
        [this](const Follower& follower) { return !follower->write(events_.back().json + "\n"); });
}

} // namespace anyvip::cmd
