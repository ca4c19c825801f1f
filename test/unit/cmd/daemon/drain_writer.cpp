// SPDX-License-Identifier: Apache-2.0
#include "cmd/daemon/drain_writer.hpp"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

namespace anyvip::test {
namespace {

using cmd::DrainWriter;

vip::DrainState drained_for(const std::string& reason) {
    vip::DrainState state;
    state.node = vip::Hold{};
    state.node->reason = reason;
    return state;
}

/// A disk that the test can hold.
class Disk {
  public:
    DrainWriter::Save save() {
        return [this](const vip::DrainState& state) {
            std::unique_lock lock(mutex_);
            changed_.wait(lock, [this] { return !is_held_ || let_through_ > 0; });
            let_through_ -= is_held_ ? 1 : 0;
            written_.push_back(state.node->reason);
            return problem_;
        };
    }

    void hold(bool is_held) {
        const std::lock_guard lock(mutex_);
        is_held_ = is_held;
        changed_.notify_all();
    }

    /// One write of a held disk.
    void let_one_through() {
        const std::lock_guard lock(mutex_);
        ++let_through_;
        changed_.notify_all();
    }

    void fail(std::string problem) {
        const std::lock_guard lock(mutex_);
        problem_ = std::move(problem);
    }

    std::vector<std::string> written() {
        const std::lock_guard lock(mutex_);
        return written_;
    }

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool is_held_ = false;
    int let_through_ = 0;
    std::string problem_;
    std::vector<std::string> written_;
};

/// A writer on such a disk, and what it has answered.
struct Bench {
    explicit Bench(std::chrono::milliseconds disk_time = std::chrono::hours(1))
        : patience(disk_time) {}

    std::chrono::milliseconds patience;
    Disk disk;
    boost::asio::io_context io;
    std::vector<std::string> answers;
    std::size_t idle_at = 0; ///< in which answer it said that it was idle
    std::string save_again;  ///< in the next answer
    DrainWriter writer{io,
                       disk.save(),
                       [this](const std::string& problem) {
                           answers.push_back(problem);
                           if (!save_again.empty()) {
                               writer.save(drained_for(std::exchange(save_again, {})));
                           }
                           if (writer.is_idle() && idle_at == 0) {
                               idle_at = answers.size();
                           }
                       },
                       patience};

    template <typename Condition> void run_until(Condition condition) {
        while (!condition()) {
            io.restart();
            io.run_one();
        }
    }

    void run_until_idle() {
        run_until([this] { return writer.is_idle(); });
    }

    void run_one() {
        io.restart();
        while (io.run_one() == 0) {
            io.restart();
        }
    }
};

} // namespace

TEST_CASE("each state is answered once, and the newest is the last one on the disk") {
    Bench bench;
    bench.disk.hold(true);
    for (int i = 0; i < 20; ++i) {
        bench.writer.save(drained_for(std::to_string(i)));
    }
    CHECK(bench.answers.empty()); // never from within the call
    CHECK_FALSE(bench.writer.is_idle());
    bench.disk.hold(false);
    bench.run_until_idle();
    CHECK(bench.answers == std::vector<std::string>(20));
    CHECK(bench.idle_at == 20); // not before the last answer
    CHECK(bench.disk.written() == std::vector<std::string>{"0", "19"});
}

TEST_CASE("a state that cannot be written is answered with the reason") {
    Bench bench;
    bench.disk.fail("no space left on device");
    bench.writer.save(drained_for("x"));
    bench.run_until_idle();
    CHECK(bench.answers == std::vector<std::string>{"no space left on device"});
}

TEST_CASE("a disk that hangs fails everybody after its time, and gets the newest when it is back") {
    Bench bench(std::chrono::milliseconds(1));
    bench.disk.hold(true);
    bench.writer.save(drained_for("first"));
    bench.writer.save(drained_for("second"));
    bench.run_until_idle();
    CHECK(bench.writer.is_writing()); // the thread is still in its call
    CHECK(bench.answers == std::vector<std::string>(2, "the disk does not answer"));
    bench.writer.save(drained_for("third"));
    bench.run_until_idle(); // at once
    CHECK(bench.answers.size() == 3);
    bench.disk.hold(false);
    bench.run_until([&] { return bench.disk.written().size() == 2; });
    CHECK(bench.disk.written() == std::vector<std::string>{"first", "third"});
    CHECK(bench.answers.size() == 3);
}

TEST_CASE("a state saved while a write that nobody waits for is under way waits for its end") {
    Bench bench(std::chrono::milliseconds(1));
    bench.disk.hold(true);
    bench.writer.save(drained_for("first"));
    bench.run_until_idle();
    bench.writer.save(drained_for("second"));
    bench.run_until_idle(); // given up with the first, and still to be written
    CHECK(bench.answers == std::vector<std::string>(2, "the disk does not answer"));
    bench.disk.let_one_through();
    bench.run_one(); // the first has been written, the second is under way
    REQUIRE(bench.writer.is_writing());
    bench.writer.save(drained_for("third"));
    bench.disk.hold(false);
    bench.run_until([&] { return bench.writer.is_idle() && !bench.writer.is_writing(); });
    CHECK(bench.disk.written() == std::vector<std::string>{"first", "second", "third"});
    CHECK(bench.answers.size() == 3);
}

TEST_CASE("a state saved while the disk is overdue, and back before that is said, is written") {
    Bench bench(std::chrono::milliseconds(1));
    bench.disk.hold(true);
    bench.writer.save(drained_for("first"));
    bench.run_until_idle();
    bench.disk.let_one_through();
    while (bench.disk.written().empty()) {
        std::this_thread::yield();
    }
    // Either may be the first to come to the loop: the end of the write, or the news that it was
    // overdue.
    bench.writer.save(drained_for("second"));
    bench.run_one();
    bench.run_one();
    bench.writer.save(drained_for("third"));
    bench.disk.hold(false);
    bench.run_until([&] { return bench.writer.is_idle() && !bench.writer.is_writing(); });
    CHECK(bench.disk.written().back() == "third");
    CHECK(bench.answers.size() == 3);
}

TEST_CASE("a state saved from within an answer is answered once, and the others are too") {
    Bench bench;
    bench.disk.hold(true);
    for (const char* reason : {"first", "second", "third"}) {
        bench.writer.save(drained_for(reason));
    }
    bench.disk.let_one_through();
    bench.run_one();
    REQUIRE(bench.answers.size() == 1);
    bench.save_again = "fourth"; // in the answer to the second
    bench.disk.hold(false);
    bench.run_until_idle();
    CHECK(bench.disk.written() == std::vector<std::string>{"first", "third", "fourth"});
    CHECK(bench.answers == std::vector<std::string>(4));
    CHECK(bench.idle_at == 4);
}

TEST_CASE("a writer that ends has finished its write, and waits for no disk that hangs") {
    Disk disk;
    boost::asio::io_context io;
    {
        DrainWriter writer(io, disk.save(), [](const std::string&) {});
        writer.save(drained_for("last"));
    }
    CHECK(disk.written() == std::vector<std::string>{"last"});
    disk.hold(true);
    {
        DrainWriter writer(
            io, disk.save(), [](const std::string&) {}, std::chrono::milliseconds(1));
        writer.save(drained_for("stuck"));
        while (!writer.is_idle()) {
            io.restart();
            io.run_one();
        }
    }
    CHECK(disk.written().size() == 1);
    disk.hold(false);
    while (disk.written().size() < 2) {
        std::this_thread::yield(); // its thread still uses the disk
    }
}

} // namespace anyvip::test
