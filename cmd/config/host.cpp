// SPDX-License-Identifier: Apache-2.0
// What the parser asks of the machine: the file itself, programs, secret files, users.
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>

#include <sys/stat.h>

#include "cmd/config/config.hpp"
#include "health/account/account.hpp"

namespace anyvip::cmd {

namespace {

constexpr std::size_t largest_file_octets = 16U << 20U;

/// Empty when `path` is a regular file, whose attributes are then in `attributes`.
[[nodiscard]] std::string regular_file_problem(const std::string& path, struct stat& attributes) {
    if (::stat(path.c_str(), &attributes) != 0) {
        return "\"" + path + "\": " + std::strerror(errno);
    }
    return S_ISREG(attributes.st_mode) ? std::string() : '"' + path + "\" is no regular file";
}

class RealHost final : public Host {
  public:
    std::string program_problem(const std::string& path) const override {
        struct stat attributes{};
        std::string problem = regular_file_problem(path, attributes);
        // Any execute bit will do: the program may run as a user other than the one who validates.
        if (problem.empty() && (attributes.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)) == 0) {
            problem = '"' + path + "\" is not executable";
        }
        return problem;
    }

    std::string file_problem(const std::string& path) const override {
        struct stat attributes{};
        return regular_file_problem(path, attributes);
    }

    bool has_user(const std::string& name) const override {
        const auto found = health::find_account(name);
        return !found || found->has_value(); // who cannot look is told when it is run
    }
};

[[nodiscard]] std::unexpected<std::vector<Problem>> unreadable(const std::string& why) {
    return std::unexpected(std::vector{Problem{.line = 0, .column = 0, .message = why}});
}

} // namespace

const Host& real_host() {
    static const RealHost host;
    return host;
}

std::expected<std::string, std::vector<Problem>> read_config_file(const std::string& path) {
    struct stat attributes{};
    if (::stat(path.c_str(), &attributes) != 0) {
        return unreadable(std::string("cannot be read: ") + std::strerror(errno));
    }
    if (S_ISDIR(attributes.st_mode)) {
        return unreadable("cannot be read: it is a directory");
    }
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        return unreadable(std::string("cannot be read: ") + std::strerror(errno));
    }
    std::string text;
    std::array<char, 64 * 1024> piece{};
    while (text.size() <= largest_file_octets &&
           file.read(piece.data(), piece.size()).gcount() > 0) {
        text.append(piece.data(), static_cast<std::size_t>(file.gcount()));
    }
    if (file.bad()) {
        return unreadable("cannot be read");
    }
    if (text.size() > largest_file_octets) {
        return unreadable("is larger than 16 MiB");
    }
    return text;
}

std::expected<Config, std::vector<Problem>> load_config(const std::string& path) {
    const auto text = read_config_file(path);
    if (!text) {
        return std::unexpected(text.error());
    }
    return parse_config(*text);
}

bool is_readable_by_everybody(const std::string& path) {
    struct stat attributes{};
    return ::stat(path.c_str(), &attributes) == 0 && (attributes.st_mode & S_IROTH) != 0;
}

std::vector<SecretFile> exposed_secret_files(const Config& config, const std::string& config_file) {
    std::vector<SecretFile> files = secret_files(config, config_file);
    std::erase_if(files,
                  [](const SecretFile& file) { return !is_readable_by_everybody(file.path); });
    return files;
}

} // namespace anyvip::cmd
