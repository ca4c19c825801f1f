// SPDX-License-Identifier: Apache-2.0
#include "health/probe/path_watch.hpp"

#include <algorithm>
#include <cstring>
#include <deque>
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

/// As many symbolic links as the kernel follows.
constexpr int links_limit = 40;

/// A directory, and the name in it on which the way goes on.
struct Step {
    std::filesystem::path directory;
    std::string entry;
};

/// Where a change can make the path lead to something else: every symbolic link on the way, and the
/// path's own entry, or the first one that is missing.
std::vector<Step> steps_to(const std::string& path) {
    namespace fs = std::filesystem;
    std::vector<Step> steps;
    std::error_code error;
    fs::path directory = fs::path(path).root_path();
    const fs::path relative = fs::path(path).relative_path();
    std::deque<fs::path> names(relative.begin(), relative.end());
    for (int links = 0; !names.empty() && links < links_limit;) {
        const fs::path name = names.front();
        names.pop_front();
        if (name.empty() || name == ".") {
            continue;
        }
        const fs::path next = directory / name;
        if (fs::is_symlink(fs::symlink_status(next, error))) {
            ++links;
            steps.push_back({directory, name.string()});
            const fs::path target = fs::read_symlink(next, error);
            const fs::path rest = target.relative_path();
            names.insert(names.begin(), rest.begin(), rest.end());
            directory = target.is_absolute() ? target.root_path() : directory;
        } else if (names.empty() || !fs::is_directory(next, error)) {
            steps.push_back({directory, name.string()});
            break;
        } else {
            directory = next;
        }
    }
    return steps;
}

} // namespace

PathWatch::PathWatch(boost::asio::io_context& io, OnChange on_change)
    : inotify_(io), on_change_(std::move(on_change)) {}

void PathWatch::watch(std::set<std::string> paths) {
    for (auto place = places_.begin(); place != places_.end();) {
        if (paths.contains(place->first)) {
            ++place;
            continue;
        }
        const std::vector<Spot> spots = std::move(place->second.spots);
        place = places_.erase(place);
        release(spots);
    }
    for (const std::string& path : paths) {
        Place& place = places_[path];
        if (!place.is_armed) {
            arm(path, place);
        }
    }
}

void PathWatch::add(const std::string& path) {
    arm(path, places_[path]);
}

bool PathWatch::is_armed(const std::string& path) const {
    const auto found = places_.find(path);
    return found != places_.end() && found->second.is_armed;
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
    if (!inotify_.is_open()) {
        open();
    }
    if (!inotify_.is_open()) {
        return;
    }
    const std::vector<Spot> before = std::exchange(place.spots, {});
    place.is_armed = true;
    for (const Step& step : steps_to(path)) {
        const int descriptor = ::inotify_add_watch(
            inotify_.native_handle(), step.directory.c_str(), events_of_interest);
        place.is_armed = place.is_armed && descriptor >= 0;
        place.spots.push_back({descriptor, step.entry});
    }
    release(before);
}

/// Those of them that nobody uses any more.
void PathWatch::release(const std::vector<Spot>& spots) {
    for (const Spot& spot : spots) {
        const bool is_used = std::ranges::any_of(places_, [&](const auto& place) {
            return std::ranges::find(place.second.spots, spot.descriptor, &Spot::descriptor) !=
                   place.second.spots.end();
        });
        if (spot.descriptor >= 0 && !is_used) {
            ::inotify_rm_watch(inotify_.native_handle(), spot.descriptor);
        }
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
            const bool is_gone = (event.mask & gone) != 0;
            const bool is_concerned =
                std::ranges::any_of(place.spots, [&, watch = event.wd](const Spot& spot) {
                    return watch == spot.descriptor && (is_gone || spot.entry == name);
                });
            if (is_all || is_concerned) {
                changed.insert(path);
            }
        }
        at += sizeof event + event.len;
    }
    read();
    for (const std::string& path : changed) {
        // A directory on the way may have come or gone: stand as near as possible again.
        arm(path, places_[path]);
    }
    for (const std::string& path : changed) {
        on_change_(path);
    }
}

} // namespace anyvip::health
