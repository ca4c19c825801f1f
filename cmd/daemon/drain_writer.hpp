// SPDX-License-Identifier: Apache-2.0
// Saves drains without keeping the loop waiting: a disk may take seconds, and keepalives,
// withdrawals and the operator do not.
#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "cmd/daemon/limits.hpp"
#include "vip/drain.hpp"

namespace anyvip::cmd {

class DrainWriter {
  public:
    /// Writes a state; the reason why it could not, empty: it is on disk. Called from a thread.
    using Save = std::function<std::string(const vip::DrainState&)>;
    using Done = std::function<void(const std::string& problem)>;

    /// `patience`: how long the disk may take.
    DrainWriter(boost::asio::io_context& io,
                Save save,
                Done done,
                std::chrono::milliseconds patience = limits::save_time);
    /// Waits for the write in progress, unless the disk has proved that it does not answer.
    ~DrainWriter();
    DrainWriter(const DrainWriter&) = delete;
    DrainWriter& operator=(const DrainWriter&) = delete;

    /// `done` is called from the loop once for each call, in order. Of states that wait for the
    /// disk only the newest is written, for all of them. After `patience` without an answer
    /// of the disk they have failed; the newest is still written when it answers again.
    void save(vip::DrainState state);

    /// Everything has been answered, in the last of the calls of `done`.
    [[nodiscard]] bool is_idle() const { return unanswered_ == 0; }

    /// A thread is in a call of the disk, overdue or not. The program cannot be replaced then: exec
    /// waits for the thread, and a disk that hangs would hang us.
    [[nodiscard]] bool is_writing() const { return thread_.joinable(); }

  private:
    struct Mailbox;

    void write();
    void written(const std::string& problem);
    void answer(std::size_t count, const std::string& problem);
    void patience_is_over();
    void give_up();

    boost::asio::io_context& io_;
    Save save_;
    Done done_;
    std::chrono::milliseconds patience_;
    boost::asio::steady_timer timer_;
    std::optional<vip::DrainState> next_; // to be written after the write in progress
    std::size_t unanswered_ = 0;
    std::size_t waiting_ = 0; // those of them that next_ answers
    /// … and that the write in progress answers; 0: they have been given up.
    std::optional<std::size_t> writing_for_;
    bool is_overdue_ = false; // the write in progress is late, and counts as failed
    std::thread thread_;      // only while it writes
    std::shared_ptr<Mailbox> mailbox_;
};

} // namespace anyvip::cmd
