// SPDX-License-Identifier: Apache-2.0
// Key files: what is taken and what is refused.
#include "bgp/net/secret.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <doctest/doctest.h>

using namespace anyvip::bgp::net;

namespace {

/// A file of its own directory, removed with it.
class KeyFile {
  public:
    explicit KeyFile(std::string_view content, mode_t mode = 0600) {
        std::string name = (std::filesystem::temp_directory_path() / "anyvip-key-XXXXXX").string();
        directory_ = ::mkdtemp(name.data());
        std::ofstream(path()) << content;
        ::chmod(path().c_str(), mode);
    }

    ~KeyFile() { std::filesystem::remove_all(directory_); }

    KeyFile(const KeyFile&) = delete;
    KeyFile& operator=(const KeyFile&) = delete;

    [[nodiscard]] std::string path() const { return directory_ / "key"; }

  private:
    std::filesystem::path directory_;
};

std::string refusal(std::string_view content, mode_t mode = 0600) {
    const KeyFile file(content, mode);
    const auto key = read_key_file(file.path());
    REQUIRE_FALSE(key);
    return key.error().substr(key.error().rfind(": ") + 2);
}

} // namespace

TEST_CASE("the key is the first line of its file, without the line's end") {
    CHECK(read_key_file(KeyFile("secret").path()) == "secret");
    CHECK(read_key_file(KeyFile("with space \r\nsecond").path()) == "with space ");
    CHECK(read_key_file(KeyFile(std::string(80, 'k') + "\n").path()) == std::string(80, 'k'));
}

TEST_CASE("a key file that everybody may write is refused, not one that everybody may read") {
    CHECK(refusal("secret", 0602) == "everybody may write it; chmod o-w");
    CHECK(read_key_file(KeyFile("secret", 0644).path()) == "secret");
    CHECK(read_key_file(KeyFile("secret", 0640).path()) == "secret");
}

TEST_CASE("an empty or oversized key is refused, and the reason does not contain it") {
    CHECK(refusal("") == "its first line is empty");
    CHECK(refusal("\nsecret") == "its first line is empty");
    CHECK(refusal(std::string(81, 'k')) == "longer than 80 octets");
}

TEST_CASE("a missing key file or a directory is refused with its path") {
    CHECK(read_key_file("/nonexistent/key").error() ==
          "key file /nonexistent/key: No such file or directory");
    CHECK(read_key_file("/").error() == "key file /: not a regular file");
}

TEST_CASE("the file is read anew each time, and TCP-AO comes before TCP MD5") {
    NetConfig config;
    CHECK(current_key(config) == "");
    config.password = "plain";
    CHECK(current_key(config) == "plain");
    const KeyFile file("first");
    config.password_file = file.path();
    CHECK(current_key(config) == "first");
    std::ofstream(file.path()) << "second";
    CHECK(current_key(config) == "second");
    config.tcp_ao = TcpAoConfig{"/nonexistent/key", 1, 1, "hmac-sha1-96"};
    CHECK_FALSE(current_key(config));
}
