// SPDX-License-Identifier: Apache-2.0
#include "health/probe/path_watch.hpp"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <utility>
#include <vector>

#include <sys/inotify.h>
#include <unistd.h>

#include <boost/asio/buffer.hpp>

namespace anyvip::health {

namespace {

constexpr std::uint32_t events_of_interest = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO |
                                             IN_CLOSE_WRITE | IN_DELETE_SELF | IN_MOVE_SELF |
                                             IN_ONLYDIR;
/// The directory itself is no more, or events were lost: look at everything again.
constexpr std::uint32_t gone = IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED | IN_Q_OVERFLOW;

} // namespace

PathWatch::PathWatch(boost::asio::io_context& io, OnChange on_change)
    : inotify_(io), on_change_(std::move(on_change)) {}

void PathWatch::watch(std::set<std::string> paths) {
    for (auto place = places_.begin(); place != places_.end();) {
        if (paths.contains(place->first)) {
            ++place;
            continue;
        }
        const int descriptor = place->second.descriptor;
        place = places_.erase(place);
        release(descriptor);
    }
    if (!paths.empty() && !inotify_.is_open()) {
        open();
    }
    for (const std::string& path : paths) {
        Place& place = places_[path];
        if (place.descriptor < 0) {
            arm(path, place);
        }
    }
}

bool PathWatch::is_armed(const std::string& path) const {
    const auto found = places_.find(path);
    return found != places_.end() && found->second.descriptor >= 0;
}

void PathWatch::open() {
    const int descriptor = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    boost::system::error_code error;
    if (descriptor >= 0) {
        inotify_.assign(descriptor, error);
        if (error) {
            ::close(descriptor);
        } else {
            read();
        }
    }
}

void PathWatch::arm(const std::string& path, Place& place) {
    place.descriptor = -1;
    if (!inotify_.is_open()) {
        return;
    }
    std::filesystem::path entry = path;
    while (entry.has_parent_path() && entry.has_relative_path()) {
        const std::filesystem::path directory = entry.parent_path();
        place.descriptor =
            ::inotify_add_watch(inotify_.native_handle(), directory.c_str(), events_of_interest);
        if (place.descriptor >= 0) {
            place.entry = entry.filename().string();
            return;
        }
        entry = directory;
    }
}

void PathWatch::release(int descriptor) {
    const bool is_used = std::ranges::any_of(
        places_, [&](const auto& place) { return place.second.descriptor == descriptor; });
    if (descriptor >= 0 && !is_used) {
        ::inotify_rm_watch(inotify_.native_handle(), descriptor);
    }
}

void PathWatch::read() {
    inotify_.async_read_some(boost::asio::buffer(buffer_),
                             [this, alive = std::weak_ptr(alive_)](
                                 const boost::system::error_code& error, std::size_t octets) {
                                 if (!error && !alive.expired()) {
                                     on_events(octets);
                                 }
                             });
}

void PathWatch::on_events(std::size_t octets) {
    std::set<std::string> changed;
    for (std::size_t at = 0; at + sizeof(inotify_event) <= octets;) {
        inotify_event event{};
        std::memcpy(&event, buffer_.data() + at, sizeof event);
        const char* const name = event.len == 0 ? "" : buffer_.data() + at + sizeof event;
        for (const auto& [path, place] : places_) {
            const bool is_all = (event.mask & IN_Q_OVERFLOW) != 0;
            const bool is_here = event.wd == place.descriptor;
            if (is_all || (is_here && ((event.mask & gone) != 0 || place.entry == name))) {
                changed.insert(path);
            }
        }
        at += sizeof event + event.len;
    }
    read();
    for (const std::string& path : changed) {
        // A directory on the way may have come or gone: stand as near as possible again.
        Place& place = places_[path];
        const int before = place.descriptor;
        arm(path, place);
        if (before != place.descriptor) {
            release(before);
        }
    }
    for (const std::string& path : changed) {
        on_change_(path);
    }
}

} // namespace anyvip::health
