// SPDX-License-Identifier: Apache-2.0
#include "cmd/daemon/drain_file.hpp"

#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include <doctest/doctest.h>
#include <stdlib.h>

namespace anyvip::test {
namespace {

namespace fs = std::filesystem;
using cmd::DrainFile;

/// A directory with another one in it, in which the file is.
struct Place {
    Place() {
        std::string name = (fs::temp_directory_path() / "anyvip-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        top = name;
        fs::create_directory(sub());
        std::ofstream(path()) << "x";
    }

    ~Place() {
        std::error_code ignored;
        fs::remove_all(top, ignored);
    }

    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

    [[nodiscard]] fs::path sub() const { return top / "sub"; }

    [[nodiscard]] std::string path() const { return sub() / "drain"; }

    /// Nothing below it can be looked at: a link to itself, for root may enter any directory.
    void break_off() const {
        fs::rename(sub(), top / "away");
        fs::create_symlink("sub", sub());
    }

    void mend() const {
        fs::remove(sub());
        fs::rename(top / "away", sub());
    }

    fs::path top;
};

} // namespace

TEST_CASE("the drain file is there, or not; every change is told once") {
    const Place place;
    boost::asio::io_context io;
    int changes = 0;
    DrainFile file(io, [&] { ++changes; });
    CHECK_FALSE(file.exists());
    file.watch(place.path(), false);
    CHECK(file.exists());
    file.look();
    CHECK(changes == 0);
    SUBCASE("it goes") {
        fs::remove(place.path());
    }
    SUBCASE("its directory goes") {
        fs::remove_all(place.sub());
    }
    SUBCASE("its directory becomes a file") {
        fs::remove_all(place.sub());
        std::ofstream(place.sub()) << "x";
    }
    file.look();
    CHECK_FALSE(file.exists());
    CHECK(file.problem().empty());
    CHECK(changes == 1);
    file.watch("", true);
    CHECK_FALSE(file.exists());
}

TEST_CASE("a drain file that cannot be looked at is what it was") {
    const Place place;
    boost::asio::io_context io;
    int changes = 0;
    DrainFile file(io, [&] { ++changes; });
    bool is_there = true;
    SUBCASE("there") {}
    SUBCASE("not there") {
        fs::remove(place.path());
        is_there = false;
    }
    file.watch(place.path(), !is_there);
    CHECK(file.exists() == is_there);
    place.break_off();
    file.look();
    file.look();
    CHECK(file.exists() == is_there);
    CHECK(file.problem() == "Too many levels of symbolic links");
    CHECK(changes == 1);
    place.mend();
    file.look();
    CHECK(file.exists() == is_there);
    CHECK(file.problem().empty());
    CHECK(changes == 2);
}

TEST_CASE("a file system that hangs is asked once, and holds nothing up") {
    const Place place;
    boost::asio::io_context io;
    int changes = 0;
    std::atomic<bool> hangs = false;
    std::atomic<int> asked = 0;
    DrainFile file(
        io,
        [&] { ++changes; },
        [&](const std::string& path) {
            ++asked;
            hangs.wait(true);
            return cmd::lstat_errno(path);
        });
    file.watch(place.path(), false);
    CHECK(file.exists());
    hangs = true;
    file.look();
    file.look();
    CHECK(file.exists());
    CHECK(file.problem() == "its file system does not answer");
    CHECK(changes == 1);
    CHECK(asked == 2);
    CHECK(file.is_waiting());
    fs::remove(place.path());
    hangs = false;
    hangs.notify_all();
    while (!file.problem().empty()) { // its thread has to be given the processor
        std::this_thread::yield();
        file.look();
    }
    CHECK_FALSE(file.is_waiting());
    CHECK_FALSE(file.exists());
    CHECK(changes == 2);
}

TEST_CASE("of a busy directory only what names the drain file has it looked at") {
    const Place place;
    boost::asio::io_context io;
    int asked = 0;
    int changes = 0;
    DrainFile file(
        io,
        [&] {
            ++changes;
            io.stop();
        },
        [&](const std::string& path) {
            ++asked;
            return cmd::lstat_errno(path);
        });
    file.watch(place.path(), false);
    CHECK(asked == 1);
    for (int i = 0; i < 100; ++i) {
        std::ofstream(place.sub() / ("other" + std::to_string(i))) << "x";
    }
    fs::remove(place.path());
    io.run_for(std::chrono::milliseconds(900)); // the look by time comes after a second
    CHECK(changes == 1);
    CHECK(asked == 2);
    CHECK_FALSE(file.exists());
}

TEST_CASE("a drain file that could not be looked at yet is what it was for a predecessor") {
    const Place place;
    place.break_off();
    boost::asio::io_context io;
    DrainFile file(io, [] {});
    bool existed = false;
    SUBCASE("it existed") {
        existed = true;
    }
    SUBCASE("it did not, or there was none") {}
    file.watch(place.path(), existed);
    CHECK(file.exists() == existed);
    CHECK_FALSE(file.problem().empty());
}

} // namespace anyvip::test
