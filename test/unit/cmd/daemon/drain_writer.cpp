// SPDX-License-Identifier: Apache-2.0
#include "cmd/daemon/drain_writer.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "cmd/daemon/drain_store.hpp"

namespace anyvip::test {
namespace {

using cmd::DrainWriter;

class Directory {
  public:
    Directory() {
        std::string pattern = (std::filesystem::temp_directory_path() / "anyvip-XXXXXX").string();
        REQUIRE(::mkdtemp(pattern.data()) != nullptr);
        path = pattern;
    }

    ~Directory() { std::filesystem::remove_all(path); }

    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;

    std::filesystem::path path;
};

vip::DrainState drained_for(const std::string& reason) {
    vip::DrainState state;
    state.node = vip::Hold{};
    state.node->reason = reason;
    return state;
}

} // namespace

TEST_CASE("each state is answered once, and the newest is what stays on disk") {
    const Directory directory;
    boost::asio::io_context io;
    std::vector<std::string> answers;
    DrainWriter writer(
        io, directory.path, [&](const std::string& problem) { answers.push_back(problem); });
    for (int i = 0; i < 20; ++i) {
        writer.save(drained_for(std::to_string(i)));
    }
    CHECK(answers.empty()); // never from within the call
    CHECK_FALSE(writer.is_idle());
    while (!writer.is_idle()) {
        io.restart();
        io.run_one();
    }
    CHECK(answers == std::vector<std::string>(20));
    const auto loaded = cmd::load_drains(directory.path);
    REQUIRE(loaded.state.node);
    CHECK(loaded.state.node->reason == "19");
}

TEST_CASE("a state that cannot be written is answered with the reason") {
    const Directory directory;
    boost::asio::io_context io;
    std::vector<std::string> answers;
    std::ofstream(directory.path / "file") << "no directory";
    DrainWriter writer(io, directory.path / "file" / "below", [&](const std::string& why) {
        answers.push_back(why);
    });
    writer.save(drained_for("x"));
    while (!writer.is_idle()) {
        io.restart();
        io.run_one();
    }
    REQUIRE(answers.size() == 1);
    CHECK_FALSE(answers[0].empty());
}

TEST_CASE("a writer that ends has finished its write") {
    const Directory directory;
    boost::asio::io_context io;
    {
        DrainWriter writer(io, directory.path, [](const std::string&) {});
        writer.save(drained_for("last"));
    }
    const auto loaded = cmd::load_drains(directory.path);
    REQUIRE(loaded.state.node);
    CHECK(loaded.state.node->reason == "last");
}

} // namespace anyvip::test
