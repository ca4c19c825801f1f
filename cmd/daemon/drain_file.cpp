// SPDX-License-Identifier: Apache-2.0
// inotify tells at once; a look every second covers what it cannot see (a directory that comes
// later, a network file system).
#include "cmd/daemon/drain_file.hpp"

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <system_error>
#include <utility>

#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/buffer.hpp>

namespace anyvip::cmd {

DrainFile::DrainFile(boost::asio::io_context& io, std::function<void()> on_change)
    : on_change_(std::move(on_change)), notifications_(io), timer_(io) {}

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
    if (!path_.empty()) {
        update();
        open_notifications();
        wait_for_time();
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
                                   [this](boost::system::error_code error, std::size_t) {
                                       if (!error) {
                                           wait_for_notification();
                                           look();
                                       }
                                   });
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
    update();
    if (exists_ != existed || problem_ != problem_before) {
        on_change_();
    }
}

// A file system that does not answer has not said that the file is gone: an error changes nothing,
// or it would put a node back into service that is being worked at.
void DrainFile::update() {
    struct stat status{};
    const int error = ::lstat(path_.c_str(), &status) == 0 ? 0 : errno;
    const bool is_absent = error == ENOENT || error == ENOTDIR;
    if (error == 0 || is_absent) {
        exists_ = !is_absent;
        problem_.clear();
    } else {
        problem_ = std::system_category().message(error);
    }
}

} // namespace anyvip::cmd
