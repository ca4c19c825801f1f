// SPDX-License-Identifier: Apache-2.0
// Saves drains without keeping the loop waiting: a disk may take seconds, and keepalives,
// withdrawals and the operator do not.
#pragma once

#include <deque>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>

#include <boost/asio/io_context.hpp>

#include "vip/drain.hpp"

namespace anyvip::cmd {

class DrainWriter {
  public:
    /// The reason why a state could not be saved; empty: it is on disk.
    using Done = std::function<void(const std::string& problem)>;

    DrainWriter(boost::asio::io_context& io, std::filesystem::path directory, Done done);
    /// Waits until what is being written is on disk, and leaves the rest.
    ~DrainWriter();
    DrainWriter(const DrainWriter&) = delete;
    DrainWriter& operator=(const DrainWriter&) = delete;

    /// `done` is called from the loop once for each call, in order. Of states that wait for the
    /// disk only the newest is written, for all of them.
    void save(vip::DrainState state);

    /// Everything has been answered.
    [[nodiscard]] bool is_idle() const { return waiting_.empty() && writing_ == 0; }

  private:
    void write();
    void written(const std::string& problem);

    boost::asio::io_context& io_;
    std::filesystem::path directory_;
    Done done_;
    std::deque<vip::DrainState> waiting_;
    std::size_t writing_ = 0; // how many calls the write in progress answers
    std::thread thread_;      // only while it writes
};

} // namespace anyvip::cmd
