// SPDX-License-Identifier: Apache-2.0
#include "cmd/daemon/event_log.hpp"

#include <boost/json/parse.hpp>
#include <doctest/doctest.h>

#include "cmd/daemon/limits.hpp"

namespace anyvip::cmd {

TEST_CASE("the event log keeps the latest events, of each as much as can be read") {
    EventLog log;
    const std::string endless(1'000'000, 'x');
    for (std::size_t i = 0; i <= limits::events; ++i) {
        log.add({Instant{}, "config.rejected", std::to_string(i), endless, {}});
    }
    CHECK(log.all().size() == limits::events);
    CHECK(log.total() == limits::events + 1);
    CHECK(log.all().front().name == "1");
    const LoggedEvent& last = log.all().back();
    CHECK(last.reason.size() < limits::event_reason_octets + 64);
    CHECK(last.reason.ends_with(" … and 995904 octets more"));
    CHECK(boost::json::parse(last.json).at("reason").as_string() == last.reason);
}

} // namespace anyvip::cmd
