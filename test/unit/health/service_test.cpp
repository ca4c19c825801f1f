// SPDX-License-Identifier: Apache-2.0
// From check states to the health of a VIP: require all, any, a number; shared and demoted checks.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "health/service.hpp"

namespace anyvip::health {
namespace {

/// One letter a check: u up, d down, ? no verdict; capitals: scope shared; x: only demoted.
std::vector<Member> members(std::string_view letters) {
    std::vector<Member> result;
    for (const char& letter : letters) {
        Member member{.name = std::string_view(&letter, 1), .reason = "because"};
        member.scope =
            letter == 'U' || letter == 'D' || letter == '!' ? Scope::Shared : Scope::Local;
        member.is_demoted = letter == 'x';
        const bool is_down = letter == 'd' || letter == 'D' || letter == 'x';
        const bool is_up = letter == 'u' || letter == 'U';
        member.state = is_up ? State::Up : is_down ? State::Down : State::Unknown;
        result.push_back(member);
    }
    return result;
}

TEST_CASE("CONTRACT §3: health of a VIP by its checks and `require`") {
    struct Row {
        const char* checks;
        std::uint32_t require; ///< 0: all
        State state;
        bool is_demoted;
        const char* in_the_way;
        const char* reason;
    };

    const std::vector<Row> rows{
        {"", 0, State::Up, false, "", "no local check"},
        {"", 1, State::Up, false, "", "no local check"},
        {"u", 0, State::Up, false, "", "all checks up"},
        {"uu", 0, State::Up, false, "", "all checks up"},
        {"ud", 0, State::Down, false, "d", "because"},
        {"u?", 0, State::Unknown, false, "?", "check ? has no verdict yet"},
        {"d?", 0, State::Unknown, false, "?", "check ? has no verdict yet"},
        {"u?", 1, State::Unknown, false, "?", "check ? has no verdict yet"},
        {"ud", 1, State::Up, false, "", "1 checks up, 1 required"},
        {"dd", 1, State::Down, false, "d", "0 of 1 required checks up; because"},
        {"udd", 2, State::Down, false, "d", "1 of 2 required checks up; because"},
        {"uud", 2, State::Up, false, "", "2 checks up, 2 required"},
        {"u", 5, State::Up, false, "", "all checks up"},
        {"uD", 0, State::Up, true, "D", "because"},
        {"uU", 0, State::Up, false, "", "all checks up"},
        {"u!", 0, State::Up, false, "", "all checks up"},
        {"dU", 1, State::Down, false, "d", "0 of 1 required checks up; because"},
        {"dD", 0, State::Down, false, "d", "because"},
        {"D", 1, State::Up, true, "D", "because"},
        {"x", 0, State::Up, true, "x", "because"},
        {"ux", 2, State::Up, true, "x", "because"},
        {"dx", 0, State::Down, false, "d", "because"},
        {"udD", 1, State::Up, true, "D", "because"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.checks);
        CAPTURE(row.require);
        const std::string letters = row.checks;
        const auto health = evaluate(members(letters), row.require);
        CHECK(health.state == row.state);
        CHECK(health.is_demoted == row.is_demoted);
        CHECK(health.in_the_way == row.in_the_way);
        CHECK(health.reason == row.reason);
    }
}

TEST_CASE("the weight is the lowest of the local checks that are up") {
    const std::string letters = "uudU";
    auto list = members(letters);
    list[0].weight = 80;
    list[1].weight = 60;
    list[2].weight = 10;
    list[3].weight = 5;
    CHECK(evaluate(list, 1).weight == 60);
    CHECK(evaluate({}, 0).weight == 100);
}

TEST_CASE("NAME is the conjunction of NAME@ADDRESS: the worst state, the lowest weight") {
    struct Row {
        const char* instances;
        State state;
        bool is_demoted;
    };

    const std::vector<Row> rows{{"", State::Up, false},
                                {"uu", State::Up, false},
                                {"ud", State::Down, false},
                                {"u?d", State::Unknown, false},
                                {"ux", State::Down, true},
                                {"xd", State::Down, false}};
    for (const Row& row : rows) {
        CAPTURE(row.instances);
        const std::string letters = row.instances;
        const auto whole = conjunction_of("web", members(letters));
        CHECK(whole.name == "web");
        CHECK(whole.state == row.state);
        CHECK(whole.is_demoted == row.is_demoted);
    }
    auto list = members("uu");
    list[1].weight = 40;
    CHECK(conjunction_of("web", list).weight == 40);
}

TEST_CASE("a check is seen by its VIP as it is") {
    CheckConfig config{.name = "db", .scope = Scope::Shared};
    const Check check(config, 1, 0.0, Instant{});
    const Member member = member_of(check);
    CHECK(member.name == "db");
    CHECK(member.scope == Scope::Shared);
    CHECK(member.state == State::Unknown);
    CHECK(member.weight == 100);
    CHECK(member.reason == "tcp check db: no verdict yet");
}

} // namespace
} // namespace anyvip::health
