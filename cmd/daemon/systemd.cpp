// SPDX-License-Identifier: Apache-2.0
#include "cmd/daemon/systemd.hpp"

#include <cstdlib>
#include <cstring>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace anyvip::cmd {

ServiceManager::ServiceManager() {
    const char* path = std::getenv("NOTIFY_SOCKET");
    if (path == nullptr || (path[0] != '/' && path[0] != '@') ||
        std::strlen(path) >= sizeof(sockaddr_un::sun_path)) {
        return;
    }
    address_ = path;
    descriptor_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

ServiceManager::~ServiceManager() {
    if (descriptor_ >= 0) {
        ::close(descriptor_);
    }
}

void ServiceManager::notify(std::string_view assignments) const {
    if (descriptor_ < 0) {
        return;
    }
    sockaddr_un target{};
    target.sun_family = AF_UNIX;
    std::memcpy(target.sun_path, address_.data(), address_.size());
    if (target.sun_path[0] == '@') {
        target.sun_path[0] = '\0'; // abstract name
    }
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address_.size());
    // A manager that does not read loses a line; the watchdog is how it tells us.
    static_cast<void>(::sendto(descriptor_,
                               assignments.data(),
                               assignments.size(),
                               MSG_NOSIGNAL,
                               reinterpret_cast<const sockaddr*>(&target),
                               length));
}

std::optional<std::chrono::microseconds> ServiceManager::watchdog_interval() const {
    const char* interval = std::getenv("WATCHDOG_USEC");
    const char* pid = std::getenv("WATCHDOG_PID");
    if (descriptor_ < 0 || interval == nullptr ||
        (pid != nullptr && std::strtol(pid, nullptr, 10) != ::getpid())) {
        return std::nullopt;
    }
    const long long microseconds = std::strtoll(interval, nullptr, 10);
    if (microseconds <= 0) {
        return std::nullopt;
    }
    return std::chrono::microseconds(microseconds / 2);
}

} // namespace anyvip::cmd
