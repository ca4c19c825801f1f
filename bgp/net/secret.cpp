// SPDX-License-Identifier: Apache-2.0
// Keys of TCP MD5 and TCP-AO, from the configuration or from a file.
#include "bgp/net/secret.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>
#include <system_error>

#include "bgp/net/file_descriptor.hpp"
#include "bgp/net/socket_options.hpp"

namespace anyvip::bgp::net {
namespace {

std::unexpected<std::string> refusal(const std::string& path, std::string_view why) {
    return std::unexpected("key file " + path + ": " + std::string(why));
}

std::unexpected<std::string> system_refusal(const std::string& path) {
    return refusal(path, std::system_category().message(errno));
}

} // namespace

std::expected<std::string, std::string> read_key_file(const std::string& path) {
    // Without O_NONBLOCK a FIFO in this place would stop the whole daemon.
    const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat status{};
    if (!file.is_open() || ::fstat(file.get(), &status) != 0) {
        return system_refusal(path);
    }
    if (!S_ISREG(status.st_mode)) {
        return refusal(path, "not a regular file");
    }
    // Who may read it is warned of by those who read the configuration; a key that everybody may
    // replace is none.
    if ((status.st_mode & S_IWOTH) != 0) {
        return refusal(path, "everybody may write it; chmod o-w");
    }
    std::array<char, 2 * max_key_octets> buffer{};
    const ssize_t count = ::read(file.get(), buffer.data(), buffer.size());
    if (count < 0) {
        return system_refusal(path);
    }
    std::string_view text(buffer.data(), static_cast<std::size_t>(count));
    const std::string_view line = text.substr(0, text.find_first_of("\r\n"));
    if (line.empty()) {
        return refusal(path, "its first line is empty");
    }
    if (line.size() > max_key_octets) {
        return refusal(path, "longer than 80 octets");
    }
    return std::string(line);
}

std::expected<std::string, std::string> current_key(const NetConfig& config) {
    if (config.tcp_ao) {
        return read_key_file(config.tcp_ao->key_file);
    }
    if (!config.password_file.empty()) {
        return read_key_file(config.password_file);
    }
    if (config.password.size() > max_key_octets) {
        return std::unexpected("password is longer than 80 octets");
    }
    return config.password;
}

} // namespace anyvip::bgp::net
