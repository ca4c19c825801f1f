// SPDX-License-Identifier: Apache-2.0
// A network namespace of a test's own, where every port is free and nobody listens.
#pragma once

#include <cstring>
#include <thread>

#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <doctest/doctest.h>

#include "bgp/net/file_descriptor.hpp"

namespace anyvip::test {

inline bool raise_loopback() {
    const bgp::net::FileDescriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ifreq request{};
    std::strcpy(request.ifr_name, "lo");
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    return ::ioctl(socket.get(), SIOCSIFFLAGS, &request) == 0;
}

/// Runs the test in a thread that has left the host's network; not at all without the right to.
template <class Test> void in_own_network(Test test) {
    bool is_possible = false;
    std::thread([&] {
        is_possible = ::unshare(CLONE_NEWNET) == 0 && raise_loopback();
        if (is_possible) {
            test();
        }
    }).join();
    if (!is_possible) {
        MESSAGE("no right to make a network namespace");
    }
}

} // namespace anyvip::test
