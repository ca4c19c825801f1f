// SPDX-License-Identifier: Apache-2.0
#include "cmd/daemon/log.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "bgp/wire/printable.hpp"
#include "cmd/daemon/limits.hpp"
#include "cmd/daemon/wall_time.hpp"

namespace anyvip::cmd {
namespace {

constexpr std::size_t longest_field_octets = 256;

std::string_view level_name(LogLevel level) {
    switch (level) {
    case LogLevel::Error:
        return "error";
    case LogLevel::Warning:
        return "warning";
    case LogLevel::Info:
        return "info";
    case LogLevel::Debug:
        return "debug";
    }
    return "error";
}

// sd-daemon(3): the priority that the journal takes from the start of a line.
std::string_view journal_prefix(LogLevel level) {
    switch (level) {
    case LogLevel::Error:
        return "<3>";
    case LogLevel::Warning:
        return "<4>";
    case LogLevel::Info:
        return "<6>";
    case LogLevel::Debug:
        return "<7>";
    }
    return "<3>";
}

// The journal adds its own time stamp; JOURNAL_STREAM names the device and inode of the stream it
// reads (systemd.exec(5)).
bool is_journal_stream(int descriptor) {
    const char* stream = std::getenv("JOURNAL_STREAM");
    struct stat info{};
    if (stream == nullptr || fstat(descriptor, &info) != 0) {
        return false;
    }
    return std::to_string(info.st_dev) + ":" + std::to_string(info.st_ino) == stream;
}

/// Cut before, for the work, and after: replaced octets can make it three times as long.
std::string printable(std::string_view text) {
    constexpr std::size_t limit = limits::log_line_octets - 128;
    const std::string start = bgp::wire::cut_utf8(std::string(text.substr(0, limit + 1)), limit);
    const auto* octets = reinterpret_cast<const std::uint8_t*>(start.data());
    return bgp::wire::cut_utf8(bgp::wire::printable({octets, start.size()}), limit);
}

} // namespace

Log::Log(int descriptor) : descriptor_(descriptor), is_journal_(is_journal_stream(descriptor)) {}

void Log::configure(LogLevel level, LogFormat format) {
    level_ = level;
    format_ = format;
}

void Log::write(LogLevel level, std::string_view text, Fields fields) {
    if (level <= level_) {
        record(level, text, fields);
    }
}

void Log::record(LogLevel level, std::string_view text, Fields fields) {
    if (dropped_unreported_ > 0) {
        const std::string note = std::to_string(dropped_unreported_) +
                                 " log lines were dropped: the reader was too slow";
        if (put(line(LogLevel::Warning, note))) {
            dropped_unreported_ = 0;
        }
    }
    if (!put(line(level, text, fields))) {
        ++dropped_;
        ++dropped_unreported_;
    }
}

std::string Log::line(LogLevel level, std::string_view text, Fields fields) const {
    const std::string clean = printable(text);
    if (format_ == LogFormat::Json) {
        boost::json::object entry{{"at", to_rfc3339(std::chrono::system_clock::now())},
                                  {"level", level_name(level)}};
        for (const auto& [key, value] : fields) {
            entry[key] = value.substr(0, longest_field_octets);
        }
        entry["message"] = clean;
        std::string text_of_entry = boost::json::serialize(entry);
        if (text_of_entry.size() > limits::log_line_octets) {
            // Escapes have made it longer; cut the message, not the JSON.
            const std::size_t excess = text_of_entry.size() - limits::log_line_octets;
            entry["message"] = clean.substr(0, clean.size() - std::min(clean.size(), excess));
            text_of_entry = boost::json::serialize(entry);
        }
        return text_of_entry + "\n";
    }
    if (is_journal_) {
        return std::string(journal_prefix(level)) + clean + "\n";
    }
    return to_rfc3339(std::chrono::system_clock::now()) + " " + std::string(level_name(level)) +
           ": " + clean + "\n";
}

bool Log::put(std::string_view octets) const {
    const ssize_t sent =
        ::send(descriptor_, octets.data(), octets.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent >= 0 || errno != ENOTSOCK) {
        return sent == static_cast<ssize_t>(octets.size());
    }
    // A pipe that polls as writable has room for PIPE_BUF octets, more than a line has, so that
    // this write cannot wait.
    pollfd ready{descriptor_, POLLOUT, 0};
    if (::poll(&ready, 1, 0) != 1 || (ready.revents & POLLOUT) == 0) {
        return false;
    }
    return ::write(descriptor_, octets.data(), octets.size()) ==
           static_cast<ssize_t>(octets.size());
}

} // namespace anyvip::cmd
