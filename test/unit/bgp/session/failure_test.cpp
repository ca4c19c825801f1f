// SPDX-License-Identifier: Apache-2.0
// Each script again and again, with the transport failing at every one of its steps: the peer must
// come back to a complete session by itself.
#include <doctest/doctest.h>

#include <functional>

#include "test/unit/bgp/session/bench.hpp"

using namespace anyvip;
using namespace anyvip::test;
using bgp::SessionState;
using bgp::Slot;

namespace {

using Step = std::function<void(Bench&)>;
using Script = std::vector<Step>;

void say_open(Bench& bench) {
    bench.say(raw::open(Bench::usual_open()));
}

void say_keepalive(Bench& bench) {
    bench.say(raw::keepalive());
}

const Step announce = [](Bench& bench) {
    bench.peer.want(prefix("203.0.113.10/32"), plain_intent());
    bench.flush();
};

const Step withdraw = [](Bench& bench) {
    bench.peer.want(prefix("203.0.113.10/32"), nullptr);
    bench.flush();
};

const Script scripts[] = {
    {&Bench::start, &Bench::accept, say_open, say_keepalive, announce, withdraw, announce},
    {announce,
     &Bench::start,
     &Bench::accept,
     say_open,
     say_keepalive,
     [](Bench& bench) { bench.say(raw::route_refresh(1, 0, 1)); },
     [](Bench& bench) { bench.advance(4s); },
     say_keepalive},
    {&Bench::start,
     &Bench::accept,
     &Bench::dial,
     say_open,
     [](Bench& bench) { bench.say(raw::open(Bench::usual_open()), Slot::Incoming); },
     say_keepalive,
     announce},
    {&Bench::start,
     &Bench::dial,
     [](Bench& bench) { bench.say(raw::open(Bench::usual_open()), Slot::Incoming); },
     [](Bench& bench) { bench.say(raw::keepalive(), Slot::Incoming); },
     announce,
     [](Bench& bench) { bench.is_blocked = {true, true}; },
     withdraw,
     announce},
};

enum class Failure { EndOfFile, Silence, Notification, Garbage, Reset };

void fail(Bench& bench, Failure failure) {
    for (const Slot slot : {Slot::Outgoing, Slot::Incoming}) {
        switch (failure) {
        case Failure::EndOfFile:
            bench.hang_up(slot);
            break;
        case Failure::Silence:
            break;
        case Failure::Notification:
            bench.say(raw::notification(6, 8), slot);
            break;
        case Failure::Garbage:
            bench.say(raw::Octets(19, 0x55), slot);
            break;
        case Failure::Reset:
            bench.peer.reset(bgp::wire::Cease::AdministrativeReset, "", bench.now);
            bench.settle();
            break;
        }
    }
    if (failure == Failure::Silence) {
        bench.advance(241s); // longer than any timer of a session
    }
}

/// A well-behaved router from now on: accepts, answers, keeps alive.
void recover(Bench& bench) {
    bench.is_blocked = {};
    bench.start();
    for (int i = 0; i < 3000 && bench.state() != SessionState::Established; ++i) {
        if (bench.is_connecting) {
            bench.accept();
        }
        for (const Slot slot : {Slot::Outgoing, Slot::Incoming}) {
            for (const std::string& line : bench.heard(slot)) {
                if (line == "OPEN") {
                    bench.say(raw::join({raw::open(Bench::usual_open()), raw::keepalive()}), slot);
                }
            }
        }
        bench.advance(100ms);
    }
    bench.flush();
}

} // namespace

TEST_CASE("whatever fails at whatever step, the peer recovers and announces what is wanted") {
    for (const Script& script : scripts) {
        for (std::size_t step = 0; step <= script.size(); ++step) {
            for (const auto failure : {Failure::EndOfFile,
                                       Failure::Silence,
                                       Failure::Notification,
                                       Failure::Garbage,
                                       Failure::Reset}) {
                CAPTURE(step);
                CAPTURE(static_cast<int>(failure));
                Bench bench;
                bench.peer.allow_end_of_rib(bench.now);
                for (std::size_t i = 0; i < step; ++i) {
                    script[i](bench);
                }
                fail(bench, failure);
                bench.peer.want(prefix("203.0.113.77/32"), plain_intent());
                recover(bench);
                REQUIRE(bench.state() == SessionState::Established);
                CHECK(bench.peer.is_advertised(prefix("203.0.113.77/32")));
                CHECK(bench.peer.withdrawals_acknowledged());
                // A stop from anywhere ends everything.
                bench.peer.stop(bgp::wire::Cease::AdministrativeShutdown, "", bench.now);
                bench.settle();
                CHECK_FALSE(bench.peer.next_deadline());
                CHECK(bench.peer.output(Slot::Outgoing).empty());
                CHECK(bench.peer.output(Slot::Incoming).empty());
            }
        }
    }
}
