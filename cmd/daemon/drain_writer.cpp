// SPDX-License-Identifier: Apache-2.0
#include "cmd/daemon/drain_writer.hpp"

#include <mutex>
#include <system_error>
#include <utility>

#include <boost/asio/post.hpp>

namespace anyvip::cmd {

// Between the thread and the writer, which may be gone when a disk answers at last.
struct DrainWriter::Mailbox {
    std::mutex mutex;
    DrainWriter* writer;
};

DrainWriter::DrainWriter(boost::asio::io_context& io,
                         Save save,
                         Done done,
                         std::chrono::milliseconds patience)
    : io_(io), save_(std::move(save)), done_(std::move(done)), patience_(patience), timer_(io),
      mailbox_(std::make_shared<Mailbox>()) {
    mailbox_->writer = this;
}

DrainWriter::~DrainWriter() {
    {
        const std::lock_guard lock(mailbox_->mutex);
        mailbox_->writer = nullptr;
    }
    if (thread_.joinable()) {
        is_overdue_ ? thread_.detach() : thread_.join();
    }
}

void DrainWriter::save(vip::DrainState state) {
    next_ = std::move(state);
    ++unanswered_;
    ++waiting_;
    if (is_overdue_) {
        // By the time it runs the disk may be back, and a new write under way.
        boost::asio::post(io_, [mailbox = mailbox_] {
            if (mailbox->writer != nullptr && mailbox->writer->is_overdue_) {
                mailbox->writer->give_up();
            }
        });
    } else if (!writing_for_) {
        write();
    }
}

void DrainWriter::write() {
    writing_for_ = std::exchange(waiting_, 0);
    is_overdue_ = false;
    const auto work = [mailbox = mailbox_, save = save_, state = std::move(*next_)] {
        std::string problem = save(state);
        const std::lock_guard lock(mailbox->mutex);
        if (mailbox->writer != nullptr) {
            boost::asio::post(mailbox->writer->io_, [mailbox, problem = std::move(problem)] {
                if (mailbox->writer != nullptr) {
                    mailbox->writer->written(problem);
                }
            });
        }
    };
    next_.reset();
    timer_.expires_after(patience_);
    timer_.async_wait([mailbox = mailbox_](boost::system::error_code error) {
        if (!error && mailbox->writer != nullptr) {
            mailbox->writer->patience_is_over();
        }
    });
    try {
        thread_ = std::thread(work);
    } catch (const std::system_error&) {
        work(); // no thread to be had: better late than not at all
    }
}

// A wait that was over before it was cancelled is of a write that has ended.
void DrainWriter::patience_is_over() {
    if (writing_for_ && timer_.expiry() <= boost::asio::steady_timer::clock_type::now()) {
        is_overdue_ = true;
        give_up();
    }
}

void DrainWriter::give_up() {
    writing_for_ = 0;
    waiting_ = 0;
    answer(unanswered_, "the disk does not answer");
}

void DrainWriter::written(const std::string& problem) {
    timer_.cancel();
    if (thread_.joinable()) {
        thread_.join();
    }
    is_overdue_ = false;
    const std::size_t answered = std::exchange(writing_for_, std::nullopt).value_or(0);
    if (next_) {
        write();
    }
    answer(answered, problem);
}

void DrainWriter::answer(std::size_t count, const std::string& problem) {
    for (; count > 0; --count) {
        --unanswered_;
        done_(problem); // which may save again
    }
}

} // namespace anyvip::cmd
