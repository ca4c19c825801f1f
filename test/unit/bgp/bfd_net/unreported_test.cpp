// SPDX-License-Identifier: Apache-2.0
// What becomes of changes while the main loop does not read.
#include <doctest/doctest.h>

#include "bgp/bfd_net/messages.hpp"

using anyvip::bgp::bfd::Change;
using anyvip::bgp::bfd::Diagnostic;
using anyvip::bgp::bfd::State;
using anyvip::bgp::bfd_net::Unreported;

namespace {

Change change(State from, State to, Diagnostic diagnostic = Diagnostic::None) {
    Change made;
    made.from = from;
    made.to = to;
    made.diagnostic = diagnostic;
    return made;
}

} // namespace

TEST_CASE("RFC 5882 §4.2: a fall that the session has got over since is still reported") {
    Unreported news;
    news.add(change(State::Up, State::Down, Diagnostic::DetectionTimeExpired));
    CHECK_FALSE(news.missed_fall); // it is the change itself
    news.add(change(State::Down, State::Init));
    news.add(change(State::Init, State::Up));
    REQUIRE(news.change);
    CHECK(news.change->from == State::Up);
    CHECK(news.change->to == State::Up);
    REQUIRE(news.missed_fall);
    CHECK(news.missed_fall->diagnostic == Diagnostic::DetectionTimeExpired);
}

TEST_CASE("a session that came up and fell before anybody looked has not fallen") {
    Unreported news;
    news.add(change(State::Down, State::Up));
    news.add(change(State::Up, State::Down));
    CHECK(news.change->from == State::Down);
    CHECK(news.change->to == State::Down);
    CHECK_FALSE(news.missed_fall);
}
