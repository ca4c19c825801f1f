// SPDX-License-Identifier: Apache-2.0
// The daemon's JSON documents as text for people. Pure: the time is an argument.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include <boost/json/fwd.hpp>

#include "cmd/client/table.hpp"

namespace anyvip::client {

using WallTime = std::chrono::system_clock::time_point;

/// What a rendering depends on beside the document.
struct Canvas {
    Style style;
    WallTime now; ///< ages are relative to it
};

/// How long ago an RFC 3339 time is: "12s", "5m03s", "3h07m", "12d04h"; the text itself when it is
/// no time.
[[nodiscard]] std::string age(std::string_view rfc3339, WallTime now);

// One function a document of CONTRACT section 4. Fields that are missing are shown as "-".
[[nodiscard]] std::string show_status(const boost::json::value& document, const Canvas& canvas);
[[nodiscard]] std::string show_vips(const boost::json::value& vips, const Canvas& canvas);
[[nodiscard]] std::string show_peers(const boost::json::value& peers, const Canvas& canvas);
[[nodiscard]] std::string show_checks(const boost::json::value& checks, const Canvas& canvas);
[[nodiscard]] std::string show_routes(const boost::json::value& document, const Canvas& canvas);
[[nodiscard]] std::string show_explain(const boost::json::value& document, const Canvas& canvas);
[[nodiscard]] std::string show_flows(const boost::json::value& document, const Canvas& canvas);
/// One line of the event log.
[[nodiscard]] std::string show_event(const boost::json::value& event, const Canvas& canvas);
/// What drain or undrain changed; notes are for stderr and not in it.
[[nodiscard]] std::string show_changed(const boost::json::value& document, std::string_view verb);
[[nodiscard]] std::string show_reload(const boost::json::value& document);
[[nodiscard]] std::string show_doctor(const boost::json::value& document, const Canvas& canvas);
/// One step of `drain --wait`, without a line end.
[[nodiscard]] std::string show_step(const boost::json::value& step);
/// Any document: fields one a line, lists of objects as tables when they are narrow enough.
[[nodiscard]] std::string show_details(const boost::json::value& document, const Canvas& canvas);

} // namespace anyvip::client
