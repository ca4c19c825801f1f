// SPDX-License-Identifier: Apache-2.0
// Steps of a drain, drawn in place.
#include "cmd/client/drain_progress.hpp"

#include <algorithm>

#include <boost/json/parse.hpp>

#include "cmd/client/fields.hpp"
#include "cmd/client/view.hpp"

namespace anyvip::client {

namespace {

[[nodiscard]] Exit to_exit(const boost::json::value& status) {
    if (status == boost::json::value(0)) {
        return Exit::Done;
    }
    return status == boost::json::value(4) ? Exit::Deadline : Exit::Refused;
}

} // namespace

void LineSplitter::feed(std::string_view portion,
                        const std::function<void(const std::string&)>& line) {
    rest_ += portion;
    std::size_t start = 0;
    for (std::size_t end = rest_.find('\n'); end != std::string::npos;
         end = rest_.find('\n', start)) {
        if (end > start) {
            line(rest_.substr(start, end - start));
        }
        start = end + 1;
    }
    rest_.erase(0, start);
}

void DrainProgress::step(const std::string& line) {
    boost::system::error_code error;
    const boost::json::value document = boost::json::parse(line, error);
    if (!is_drawn_) {
        console_.out(line + '\n');
    }
    if (error) {
        return;
    }
    if (member(document, "done") == boost::json::value(true)) {
        exit_ = to_exit(member(document, "exit"));
        const std::string message = text(document, "message");
        if (*exit_ != Exit::Done) {
            console_.err("anyvip: " + message + '\n');
        } else if (is_drawn_) {
            console_.out(message + '\n');
        }
    } else if (is_drawn_) {
        const std::string peer = text(document, "peer");
        draw(peer == "-" ? text(document, "vip") : peer, show_step(document));
    }
}

void DrainProgress::draw(std::string vip, std::string text) {
    const std::size_t before = lines_.size();
    const auto known = std::ranges::find(lines_, vip, &std::pair<std::string, std::string>::first);
    if (known == lines_.end()) {
        lines_.emplace_back(std::move(vip), std::move(text));
    } else {
        known->second = std::move(text);
    }
    std::string drawn = before == 0 ? "" : "\x1b[" + std::to_string(before) + 'A';
    for (const auto& [name, line] : lines_) {
        drawn += '\r' + line + "\x1b[K\n";
    }
    console_.out(drawn);
}

} // namespace anyvip::client
