// SPDX-License-Identifier: Apache-2.0
// inotify tells at once; a look every second covers what it cannot see (a directory that comes
// later, a network file system). Each look is a thread's, because a file system may not answer:
// that must not stop keepalives. The answer is there within microseconds, or it is not waited for.
#include "cmd/daemon/drain_file.hpp"

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/buffer.hpp>

namespace anyvip::cmd {

namespace {

using namespace std::chrono_literals;

/// Before anything is announced, and before a reload goes on.
constexpr auto first_patience = 1s;
constexpr auto patience = 20ms;

} // namespace

int lstat_errno(const std::string& path) {
    struct stat status{};
    return ::lstat(path.c_str(), &status) == 0 ? 0 : errno;
}

/// One question to the file system. Its thread shares nothing else, so that nobody waits for it.
struct DrainFile::Look {
    std::mutex mutex;
    std::condition_variable has_ended;
    std::optional<int> error;

    void end(int found) {
        const std::scoped_lock lock(mutex);
        error = found;
        has_ended.notify_one();
    }

    [[nodiscard]] std::optional<int> wait(std::chrono::milliseconds limit) {
        std::unique_lock lock(mutex);
        has_ended.wait_for(lock, limit, [this] { return error.has_value(); });
        return error;
    }
};

DrainFile::DrainFile(boost::asio::io_context& io, std::function<void()> on_change, LookAt look_at)
    : on_change_(std::move(on_change)), look_at_(std::move(look_at)), notifications_(io),
      timer_(io) {}

void DrainFile::watch(const std::string& path, bool existed) {
    if (path == path_) {
        return;
    }
    path_ = path;
    boost::system::error_code ignored;
    notifications_.close(ignored);
    timer_.cancel();
    exists_ = !path_.empty() && existed;
    problem_.clear();
    under_way_.reset();
    if (!path_.empty()) {
        update(first_patience);
        wait_for_time();
        if (!under_way_) { // inotify_add_watch(2) would hang, too
            open_notifications();
        }
    }
}

void DrainFile::open_notifications() {
    const int descriptor = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (descriptor < 0) {
        return;
    }
    boost::system::error_code refused;
    notifications_.assign(descriptor, refused);
    if (refused) {
        ::close(descriptor);
        return;
    }
    const std::string parent = std::filesystem::path(path_).parent_path();
    if (::inotify_add_watch(descriptor,
                            parent.c_str(),
                            IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR) >=
        0) {
        wait_for_notification();
    }
}

void DrainFile::wait_for_notification() {
    notifications_.async_read_some(boost::asio::buffer(buffer_),
                                   [this](boost::system::error_code error, std::size_t size) {
                                       if (!error) {
                                           const bool is_ours = concerns_us(size);
                                           wait_for_notification();
                                           if (is_ours) {
                                               look();
                                           }
                                       }
                                   });
}

/// The directory may be a busy one.
bool DrainFile::concerns_us(std::size_t size) const {
    const std::string name = std::filesystem::path(path_).filename();
    for (std::size_t at = 0; at + sizeof(inotify_event) <= size;) {
        inotify_event event{};
        std::memcpy(&event, &buffer_.at(at), sizeof event);
        at += sizeof event;
        // Without a name it is about the directory, or about events that were lost.
        if (event.len == 0 || name == &buffer_.at(at)) {
            return true;
        }
        at += event.len;
    }
    return false;
}

void DrainFile::wait_for_time() {
    timer_.expires_after(std::chrono::seconds(1));
    timer_.async_wait([this](boost::system::error_code error) {
        if (!error) {
            wait_for_time();
            look();
        }
    });
}

void DrainFile::look() {
    const bool existed = exists_;
    const std::string problem_before = problem_;
    update(patience);
    if (exists_ != existed || problem_ != problem_before) {
        on_change_();
    }
}

// A file system that does not answer has not said that the file is gone: that, or an error, changes
// nothing, or it would put a node back into service that is being worked at.
void DrainFile::update(std::chrono::milliseconds limit) {
    if (under_way_) {
        limit = 0ms; // waited for already
    } else {
        under_way_ = std::make_shared<Look>();
        const auto look = [under_way = under_way_, look_at = look_at_, path = path_] {
            under_way->end(look_at(path));
        };
        try {
            std::thread(look).detach();
        } catch (const std::system_error&) {
            look(); // no thread to be had
        }
    }
    const std::optional<int> error = under_way_->wait(limit);
    if (!error) {
        problem_ = "its file system does not answer";
        return;
    }
    under_way_.reset();
    const bool is_absent = *error == ENOENT || *error == ENOTDIR;
    if (*error == 0 || is_absent) {
        exists_ = !is_absent;
        problem_.clear();
    } else {
        problem_ = std::system_category().message(*error);
    }
}

} // namespace anyvip::cmd
