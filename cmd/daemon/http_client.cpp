// SPDX-License-Identifier: Apache-2.0
#include "cmd/daemon/http_client.hpp"

#include <array>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "health/account/account.hpp"

namespace anyvip::cmd {
namespace {

std::string address_of(int descriptor) {
    sockaddr_storage remote{};
    socklen_t length = sizeof remote;
    auto* generic = reinterpret_cast<sockaddr*>(&remote);
    if (::getpeername(descriptor, generic, &length) != 0) {
        return "unknown";
    }
    const void* address =
        remote.ss_family == AF_INET6
            ? static_cast<const void*>(&reinterpret_cast<const sockaddr_in6*>(generic)->sin6_addr)
            : &reinterpret_cast<const sockaddr_in*>(generic)->sin_addr;
    std::array<char, INET6_ADDRSTRLEN> text{};
    return ::inet_ntop(remote.ss_family, address, text.data(), text.size()) != nullptr ? text.data()
                                                                                       : "unknown";
}

} // namespace

HttpClient client_of(int descriptor) {
    int family = 0;
    socklen_t length = sizeof family;
    ::getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &family, &length);
    ucred credentials{};
    length = sizeof credentials;
    if (family == AF_UNIX &&
        ::getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &length) == 0) {
        return {credentials.uid, credentials.pid, {}};
    }
    return {std::nullopt, 0, address_of(descriptor)};
}

std::string HttpClient::describe() const {
    if (!user) {
        return address;
    }
    const std::string name = health::user_name(*user);
    return (name.empty() ? "unknown user" : name) + " (uid " + std::to_string(*user) + ", pid " +
           std::to_string(process) + ")";
}

} // namespace anyvip::cmd
