// SPDX-License-Identifier: Apache-2.0
// Paths that appear, vanish or are written, over one inotify descriptor.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

namespace anyvip::health {

/// Watches the directory of each path, or the nearest one above it that exists, and those of the
/// symbolic links on the way.
class PathWatch {
  public:
    using OnChange = std::function<void(const std::string& path)>;

    PathWatch(boost::asio::io_context& io, OnChange on_change);

    /// The whole wanted set.
    void watch(std::set<std::string> paths);
    [[nodiscard]] bool is_armed(const std::string& path) const;
    /// One more; also one that could not be armed: no descriptor, no watch, no right to read.
    void add(const std::string& path);

  private:
    struct Spot {
        int descriptor = -1; ///< of the watch; shared by all paths in one directory
        std::string entry;   ///< the name in it that leads to the path
    };

    struct Place {
        std::vector<Spot> spots; ///< symbolic links on the way; the last is the path's own
        bool is_armed = false;   ///< all of them are watched
    };

    void open();
    void arm(const std::string& path, Place& place);
    void release(const std::vector<Spot>& spots);
    void read();
    void on_events(std::size_t octets);

    boost::asio::posix::stream_descriptor inotify_;
    OnChange on_change_;
    std::map<std::string, Place> places_;
    alignas(8) std::array<char, 4096> buffer_{};
    /// Waits that are over may still be queued when we are destroyed.
    std::shared_ptr<int> alive_ = std::make_shared<int>();
};

} // namespace anyvip::health
