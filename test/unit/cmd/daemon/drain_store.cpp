// SPDX-License-Identifier: Apache-2.0
#include "cmd/daemon/drain_store.hpp"

#include <fstream>
#include <iterator>

#include <doctest/doctest.h>
#include <stdlib.h>

namespace anyvip::cmd {

namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

struct Directory {
    Directory() {
        std::string name = (fs::temp_directory_path() / "anyvip-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        path = name;
    }

    ~Directory() {
        std::error_code ignored;
        fs::remove_all(path, ignored);
    }

    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;

    void write(std::string_view text) const {
        std::ofstream(path / "drains.json", std::ios::trunc) << text;
    }

    [[nodiscard]] std::string read() const {
        std::ifstream file(path / "drains.json");
        return {std::istreambuf_iterator<char>(file), {}};
    }

    fs::path path;
};

vip::DrainState full_state() {
    const vip::WallTime since(1'767'323'045'678ms);
    vip::DrainState state;
    state.node = vip::Hold{since, since + 30min, "kernel \"6.1\"\n", "root (uid 0, pid 4711)"};
    state.vips["www"] = {{since, std::nullopt, "", "al\xFF"},
                         {"203.0.113.10/32", "2001:db8::10/128"}};
    state.vips[""] = {{since, std::nullopt, "", ""}, {}};
    state.peers["tor1"] = {since, std::nullopt, "maintenance", "bob"};
    return state;
}

} // namespace

TEST_CASE("what was saved is loaded") {
    const Directory directory;
    for (const vip::DrainState& state : {full_state(), vip::DrainState{}}) {
        CHECK(save_drains(directory.path, state) == "");
        const LoadedDrains loaded = load_drains(directory.path);
        CHECK(loaded.state == state);
        CHECK(loaded.warnings.empty());
    }
    CHECK(std::distance(fs::directory_iterator(directory.path), {}) == 1); // nothing left beside it
}

TEST_CASE("a missing file or directory means no drains; a missing directory is made") {
    const Directory directory;
    CHECK(load_drains(directory.path).state == vip::DrainState{});
    const fs::path deep = directory.path / "a" / "b";
    CHECK(load_drains(deep).state == vip::DrainState{});
    CHECK(save_drains(deep, full_state()) == "");
    CHECK(load_drains(deep).state == full_state());
}

TEST_CASE("a file torn at any length drains everything with the reason") {
    const Directory directory;
    REQUIRE(save_drains(directory.path, full_state()) == "");
    const std::string whole = directory.read();
    for (std::size_t length = 0; length + 1 < whole.size();
         ++length) { // the last octet is the newline
        CAPTURE(length);
        directory.write(whole.substr(0, length));
        const LoadedDrains loaded = load_drains(directory.path);
        CHECK(loaded.state.unreadable.find("cannot be read: it is damaged") != std::string::npos);
        CHECK(loaded.warnings.size() == 1);
    }
    CHECK(fs::exists(directory.path / "drains.json")); // kept for whoever wants to look at it
}

TEST_CASE("a file that is JSON but not ours drains everything") {
    const Directory directory;
    for (
        const auto* text : {
            "null",
            "{}",
            R"({"version":2,"machine_id":"","unreadable":"","node":null,"vips":{},"peers":{}})",
            R"({"version":1,"machine_id":7,"unreadable":"","node":null,"vips":{},"peers":{}})",
            R"({"version":1,"machine_id":"","unreadable":"","vips":{},"peers":{}})",
            R"({"version":1,"machine_id":"","unreadable":"","node":[],"vips":{},"peers":{}})",
            R"({"version":1,"machine_id":"","unreadable":"","node":{},"vips":{},"peers":{}})",
            R"({"version":1,"machine_id":"","unreadable":"","node":null,"vips":[],"peers":{}})",
            R"({"version":1,"machine_id":"","unreadable":"","node":null,"vips":{"a":1},"peers":{}})",
            R"({"version":1,"machine_id":"","unreadable":"","node":null,"vips":{},"peers":{"a":
                {"since_ms":9223372036854775807,"until_ms":null,"reason":"","author":""}}})",
        }) {
        CAPTURE(text);
        directory.write(text);
        CHECK(load_drains(directory.path).state.unreadable != "");
    }
    directory.write(std::string(65UL * 1024 * 1024, ' '));
    CHECK(load_drains(directory.path).state.unreadable.ends_with("larger than 64 MiB"));
}

TEST_CASE("what could not be read stays so over further saves, until undrain") {
    const Directory directory;
    directory.write("{");
    vip::DrainState state = load_drains(directory.path).state;
    state.peers = full_state().peers;
    REQUIRE(save_drains(directory.path, state) == "");
    CHECK(load_drains(directory.path).state == state);
}

TEST_CASE("a file of another machine is set aside with a warning") {
    const Directory directory;
    REQUIRE(save_drains(directory.path, full_state(), "aaaa") == "");
    CHECK(load_drains(directory.path, "").state == full_state()); // not known to be another one
    const LoadedDrains loaded = load_drains(directory.path, "bbbb");
    CHECK(loaded.state == vip::DrainState{});
    REQUIRE(loaded.warnings.size() == 1);
    CHECK(loaded.warnings[0].find("another machine (aaaa)") != std::string::npos);
    CHECK_FALSE(fs::exists(directory.path / "drains.json"));
    CHECK(fs::exists(directory.path / "drains.json.foreign"));
}

TEST_CASE("what cannot be written is said and leaves the old file") {
    const Directory directory;
    SUBCASE("a file in place of the directory") {
        const fs::path path = directory.path / "file";
        std::ofstream(path) << "x";
        CHECK(save_drains(path, full_state()) != "");
        CHECK(load_drains(path).state.unreadable != "");
    }
    SUBCASE("a directory in place of the file") {
        fs::create_directory(directory.path / "drains.json");
        CHECK(save_drains(directory.path, full_state()).starts_with("cannot write"));
        CHECK_FALSE(fs::exists(directory.path / "drains.json.new"));
        CHECK(load_drains(directory.path).state.unreadable != "");
    }
    SUBCASE("a directory in place of the temporary file") {
        REQUIRE(save_drains(directory.path, full_state()) == "");
        fs::create_directory(directory.path / "drains.json.new");
        CHECK(save_drains(directory.path, {}).starts_with("cannot write"));
        CHECK(load_drains(directory.path).state == full_state());
    }
}

} // namespace anyvip::cmd
