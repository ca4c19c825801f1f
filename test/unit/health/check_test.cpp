// SPDX-License-Identifier: Apache-2.0
// What results mean for a Check: counts, weights, certificates that end.
#include <doctest/doctest.h>

#include "test/unit/health/check_bench.hpp"

namespace anyvip::health {
namespace {

TEST_CASE("CONTRACT §3: results in a row decide, one of the other kind starts the count afresh") {
    struct Row {
        const char*
            script; ///< p pass, f fail, t timeout, e error of the check, o our fault, l late
        State wanted;
    };

    const std::vector<Row> rows{
        {"", State::Unknown},       {"p", State::Unknown},     {"pp", State::Up},
        {"f", State::Unknown},      {"ff", State::Unknown},    {"fff", State::Down},
        {"pfpfpf", State::Unknown}, {"fft", State::Down},      {"tee", State::Down},
        {"ffo", State::Unknown},    {"ooooo", State::Unknown}, {"lllll", State::Unknown},
        {"pp ff", State::Up},       {"pp ffp ff", State::Up},  {"pp fff", State::Down},
        {"pp fof", State::Up},      {"pp fofof", State::Down}, {"pp ffl", State::Up},
        {"pp flflf", State::Down},  {"fff p", State::Down},    {"fff pp", State::Up},
        {"fff pfp", State::Down},   {"fff pop", State::Up},    {"fff ppf", State::Up},
        {"h", State::Down},         {"pp h", State::Down},     {"pp h p", State::Down},
        {"pp h pp", State::Up},     {"fff php", State::Down},
    };
    for (const Row& row : rows) {
        CAPTURE(row.script);
        Bench bench;
        for (const char* step = row.script; *step != '\0'; ++step) {
            switch (*step) {
            case 'p':
                bench.run(pass());
                break;
            case 'f':
                bench.run(fail());
                break;
            case 't':
                bench.run(timeout());
                break;
            case 'e':
                bench.run(program_gone());
                break;
            case 'o':
                bench.run(no_descriptor());
                break;
            case 'l':
                bench.run(late(timeout()));
                break;
            case 'h':
                bench.run(hard());
                break;
            default:
                break;
            }
        }
        CHECK(bench.check.state() == row.wanted);
    }
}

TEST_CASE("the reason names type, check, evidence and the count") {
    Bench bench;
    CHECK(bench.check.reason() == "http check web: no verdict yet");
    bench.run(pass());
    CHECK(bench.run(pass()));
    CHECK(bench.check.reason() == "http check web: 200 OK, 2 of 2");
    CHECK(!bench.run(timeout()));
    CHECK(!bench.run(timeout()));
    CHECK(bench.check.failures_in_row() == 2);
    CHECK(bench.run(timeout()));
    CHECK(bench.check.reason() == "http check web: timeout after 1.0 s, 3 of 3");
    CHECK(bench.check.since() == bench.now);
    REQUIRE(bench.check.transitions().size() == 2);
    CHECK(bench.check.transitions()[0].to == State::Up);
    CHECK(bench.check.transitions()[1].reason == bench.check.reason());
    CHECK(!bench.run(timeout()));
}

TEST_CASE("a certificate that ends soon only demotes; a real failure after it is counted") {
    Bench bench;
    bench.up();
    bench.run(expiring());
    bench.run(expiring());
    CHECK(bench.run(expiring()));
    CHECK(bench.check.state() == State::Down);
    CHECK(bench.check.is_shared());
    CHECK(bench.check.reason() == "http check web: certificate ends, 3 of 3");
    CHECK(!bench.run(timeout()));
    CHECK(!bench.run(timeout()));
    CHECK(bench.check.is_shared());
    CHECK(bench.run(timeout())); // still down, but now in earnest
    CHECK(bench.check.state() == State::Down);
    CHECK(!bench.check.is_shared());
    bench.run(expiring());
    CHECK(bench.run(expiring()));
    CHECK(bench.check.is_shared());
    bench.run(pass());
    CHECK(bench.run(pass()));
    CHECK(bench.check.state() == State::Up);
}

TEST_CASE("from the start an expiring certificate never reads as up") {
    Bench bench;
    bench.run(expiring());
    bench.run(expiring());
    CHECK(bench.check.state() == State::Unknown);
    bench.run(expiring());
    CHECK(bench.check.state() == State::Down);
    CHECK(bench.check.is_shared());
}

TEST_CASE("some servers with an expiring certificate and some without: demoted, not unknown") {
    Bench bench;
    for (int i = 0; i < 3; ++i) {
        CHECK(bench.check.state() == State::Unknown);
        bench.run(pass());
        bench.run(expiring());
    }
    CHECK(bench.check.is_demoted());
    for (int i = 0; i < 9; ++i) {
        CHECK(!bench.run(pass()));
        CHECK(!bench.run(expiring()));
    }
    bench.run(pass());
    CHECK(bench.run(pass()));
    CHECK(bench.check.state() == State::Up);
    CHECK(!bench.check.is_demoted());
}

TEST_CASE("weight: the last pass's, 100 without one, and 0 is down") {
    Bench bench;
    Result weighted = pass();
    weighted.weight = 75;
    bench.run(weighted);
    bench.run(weighted);
    CHECK(bench.check.weight() == 75);
    bench.run(timeout());
    CHECK(bench.check.weight() == 75);
    bench.run(pass());
    CHECK(bench.check.weight() == 100);
    weighted.weight = 0;
    bench.run(weighted);
    bench.run(weighted);
    CHECK(bench.check.state() == State::Up);
    CHECK(bench.check.shown_weight() == 100);
    bench.run(weighted);
    CHECK(bench.check.state() == State::Down);
    CHECK(bench.check.reason() == "http check web: weight 0, 3 of 3");
    CHECK(bench.check.shown_weight() == 0);
    CHECK(bench.check.weight() == 100); // what routes that may still be out there count
    bench.run(timeout());
    CHECK(bench.check.shown_weight() == 100);
}

} // namespace
} // namespace anyvip::health
