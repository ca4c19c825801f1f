// SPDX-License-Identifier: Apache-2.0
// Saves drains without keeping the loop waiting: a disk may take seconds, and keepalives,
// withdrawals and the operator do not.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "vip/drain.hpp"

namespace anyvip::cmd {

class DrainWriter {
  public:
    /// Writes a state; the reason why it could not, empty: it is on disk. Called from a thread.
    using Save = std::function<std::string(const vip::DrainState&)>;
    using Done = std::function<void(const std::string& problem)>;

    DrainWriter(boost::asio::io_context& io, Save save, Done done);
    /// Waits for the write in progress, unless the disk has proved that it does not answer.
    ~DrainWriter();
    DrainWriter(const DrainWriter&) = delete;
    DrainWriter& operator=(const DrainWriter&) = delete;

    /// `done` is called from the loop once for each call, in order. Of states that wait for the
    /// disk only the newest is written, for all of them. After limits::save_time without an answer
    /// of the disk they have failed; the newest is still written when it answers again.
    void save(vip::DrainState state);

    /// Everything has been answered, in the last of the calls of `done`.
    [[nodiscard]] bool is_idle() const { return unanswered_ == 0; }

  private:
    struct Mailbox;

    void write(std::size_t saves);
    void written(const std::string& problem);
    void answer(std::size_t count, const std::string& problem);
    void give_up();

    boost::asio::io_context& io_;
    Save save_;
    Done done_;
    boost::asio::steady_timer timer_;
    std::optional<vip::DrainState> next_; // to be written after the write in progress
    std::size_t unanswered_ = 0;
    std::size_t writing_for_ = 0; // how many of them the write in progress answers
    bool is_overdue_ = false;     // the write in progress is late, and counts as failed
    std::thread thread_;          // only while it writes
    std::shared_ptr<Mailbox> mailbox_;
};

} // namespace anyvip::cmd
