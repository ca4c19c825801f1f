// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <thread>

#include "bgp/bfd_net/spsc_queue.hpp"

using anyvip::bgp::bfd_net::SpscQueue;

TEST_CASE("a queue gives back what it was given, in order, and says when it is full") {
    SpscQueue<int, 4> queue;
    CHECK_FALSE(queue.pop());
    for (int round = 0; round < 3; ++round) {
        for (int i = 0; i < 4; ++i) {
            CHECK(queue.push(i));
        }
        CHECK_FALSE(queue.push(4));
        for (int i = 0; i < 4; ++i) {
            CHECK(queue.pop() == i);
        }
        CHECK_FALSE(queue.pop());
    }
}

TEST_CASE("two threads lose and repeat nothing") {
    SpscQueue<int, 8> queue;
    constexpr int count = 20000;
    std::thread writer([&queue] {
        for (int i = 0; i < count;) {
            if (queue.push(i)) {
                ++i;
            } else {
                std::this_thread::yield();
            }
        }
    });
    int expected = 0;
    bool is_in_order = true;
    while (expected < count) {
        if (const auto value = queue.pop()) {
            is_in_order = is_in_order && *value == expected;
            ++expected;
        } else {
            std::this_thread::yield();
        }
    }
    writer.join();
    CHECK(is_in_order);
    CHECK_FALSE(queue.pop());
}
