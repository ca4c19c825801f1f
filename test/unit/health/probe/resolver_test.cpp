// SPDX-License-Identifier: Apache-2.0
// Names of targets: who waits for whom, with a system that answers when the test says so.
#include "health/probe/resolver.hpp"

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>

#include "test/unit/health/probe/support.hpp"

namespace anyvip::health {
namespace {

using namespace test;

/// Looks nothing up until it is told to. Threads may outlive the test: they keep it.
class System {
  public:
    LookedUp look_up(const std::string& host) {
        std::unique_lock lock(mutex_);
        ++asked_[host];
        changed_.notify_all();
        changed_.wait(lock, [&] { return is_open_ || answers_.contains(host); });
        const auto found = answers_.find(host);
        if (found == answers_.end()) {
            return {.host = host, .addresses = {}, .problem = "no answer"};
        }
        return {.host = host, .addresses = {boost::asio::ip::make_address(found->second)}};
    }

    void answer(const std::string& host, const std::string& address) {
        const std::scoped_lock lock(mutex_);
        answers_[host] = address;
        changed_.notify_all();
    }

    /// What has no answer by now gets none.
    void give_up() {
        const std::scoped_lock lock(mutex_);
        is_open_ = true;
        changed_.notify_all();
    }

    void wait_until_asked(std::size_t hosts) {
        std::unique_lock lock(mutex_);
        CHECK(changed_.wait_for(lock, patience, [&] { return asked_.size() >= hosts; }));
    }

    std::size_t asked() {
        const std::scoped_lock lock(mutex_);
        return asked_.size();
    }

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::map<std::string, int> asked_;
    std::map<std::string, std::string> answers_;
    bool is_open_ = false;
};

struct World {
    World() {
        resolver.use([system = system](const std::string& host) { return system->look_up(host); });
    }

    ~World() { system->give_up(); }

    /// The answer, once there is one.
    std::shared_ptr<std::optional<std::expected<Addresses, Result>>> ask(const std::string& host) {
        auto result = std::make_shared<std::optional<std::expected<Addresses, Result>>>();
        resolver.resolve(
            host, [] { return true; }, [result](const auto& answer) { *result = answer; });
        return result;
    }

    /// Every place is taken by a name that is not answered.
    void fill() {
        for (std::size_t i = 0; i < LookUps::limit; ++i) {
            dead.push_back(ask("dead" + std::to_string(i) + ".test"));
        }
        system->wait_until_asked(LookUps::limit);
    }

    std::shared_ptr<System> system = std::make_shared<System>();
    boost::asio::io_context io;
    Resolver& resolver = Resolver::of(io);
    std::vector<std::shared_ptr<std::optional<std::expected<Addresses, Result>>>> dead;
};

Addresses list(const char* text) {
    return {boost::asio::ip::make_address(text)};
}

TEST_CASE("a name that does not resolve holds no other name up") {
    World world;
    for (std::size_t i = 0; i + 1 < LookUps::limit; ++i) {
        world.dead.push_back(world.ask("dead" + std::to_string(i) + ".test"));
    }
    world.system->answer("good.test", "192.0.2.1");
    const auto good = world.ask("good.test");
    CHECK_FALSE(good->has_value());
    REQUIRE(run_until(world.io, [&] { return good->has_value(); }));
    CHECK(**good == list("192.0.2.1"));
    for (const auto& answer : world.dead) {
        CHECK_FALSE(answer->has_value());
    }
    world.system->give_up();
    REQUIRE(run_until(world.io, [&] { return world.dead.back()->has_value(); }));
    REQUIRE_FALSE((*world.dead.back())->has_value());
    const Result& failure = (*world.dead.back())->error();
    CHECK(failure.outcome == Outcome::Error);
    CHECK(failure.detail == "cannot resolve dead30.test: no answer");
    CHECK_FALSE(failure.is_our_fault);
}

TEST_CASE("literals, localhost and what is known never wait, whatever others do") {
    World world;
    world.resolver.remember("known.test", list("192.0.2.7"));
    world.fill();
    CHECK(**world.ask("192.0.2.8") == list("192.0.2.8"));
    CHECK(**world.ask("known.test") == list("192.0.2.7"));
    CHECK(**world.ask("localhost") == Addresses{list("127.0.0.1")[0], list("::1")[0]});
    CHECK(world.system->asked() == LookUps::limit);
}

TEST_CASE("localhost is what the system calls so, as soon as it has said it") {
    World world;
    world.system->answer("localhost", "127.0.0.9");
    CHECK(world.ask("localhost")->has_value());
    REQUIRE(run_until(world.io, [&] { return **world.ask("localhost") == list("127.0.0.9"); }));
}

TEST_CASE("more names than places: those that wait are asked for in turn, and once each") {
    World world;
    world.fill();
    const auto first = world.ask("waits.test");
    const auto second = world.ask("waits.test");
    CHECK(world.system->asked() == LookUps::limit);
    world.system->answer("waits.test", "192.0.2.3");
    world.system->answer("dead3.test", "192.0.2.4");
    REQUIRE(run_until(world.io, [&] { return second->has_value(); }));
    CHECK(**first == list("192.0.2.3"));
    CHECK(**second == list("192.0.2.3"));
    CHECK(**world.dead[3] == list("192.0.2.4"));
}

TEST_CASE("who no longer waits for a name that is never answered is forgotten") {
    World world;
    const auto first = world.ask("silent.test");
    const auto kept = std::make_shared<int>();
    for (int i = 0; i < 1000; ++i) {
        world.resolver.resolve(
            "silent.test", [] { return false; }, [kept](const auto&) { FAIL("not wanted"); });
    }
    CHECK(kept.use_count() < 20);
    for (int i = 0; i < 100; ++i) {
        world.dead.push_back(world.ask("silent.test"));
    }
    CHECK(kept.use_count() == 1);
    world.system->answer("silent.test", "192.0.2.5");
    REQUIRE(run_until(world.io, [&] { return first->has_value(); }));
    for (const auto& answer : world.dead) {
        REQUIRE(answer->has_value());
        CHECK(**answer == list("192.0.2.5"));
    }
}

TEST_CASE("CONTRACT §3: a run that only waited for a place in our queue is not counted") {
    World world;
    const auto config = [](const char* host) {
        return config_of(TcpTarget{.target = std::string(host) + ":80"}, milliseconds(200));
    };
    const Result unanswered = probe(world.io, config("unanswered.test"));
    CHECK(unanswered.detail == "resolve timeout after 0.2 s");
    // It was asked for at once, and that took too long.
    CHECK(world.resolver.held_up("unanswered.test", {}) < milliseconds(50));
    world.fill();
    const Result waiting = probe(world.io, config("waits.test"));
    CHECK(waiting.outcome == Outcome::Timeout);
    CHECK(waiting.detail == "resolve timeout after 0.2 s");
    CHECK(waiting.is_late);
    CHECK(world.resolver.held_up("waits.test", {}) >= milliseconds(200));
}

TEST_CASE("the end of the loop does not wait for a look-up") {
    const auto system = std::make_shared<System>();
    {
        boost::asio::io_context io;
        Resolver::of(io).use([system](const std::string& host) { return system->look_up(host); });
        Resolver::of(io).resolve(
            "dead.test", [] { return true; }, [](const auto&) { FAIL("there is no loop"); });
        system->wait_until_asked(1);
    }
    system->give_up(); // the answer is nobody's
}

TEST_CASE("names that were resolved go over to the next program, and count at once") {
    World before;
    before.resolver.remember("a.test", {list("192.0.2.1")[0], list("fe80::1%lo")[0]});
    const auto never = before.ask("never.test");
    const std::vector<KnownName> names = before.resolver.known();
    REQUIRE(names.size() == 1);
    CHECK(names[0].host == "a.test");
    CHECK(names[0].addresses == std::vector<std::string>{"192.0.2.1", "fe80::1%lo"});

    World after;
    after.fill();
    after.resolver.take_over(names);
    after.resolver.take_over({{.host = "bad.test", .addresses = {"no address"}}});
    CHECK((**after.ask("a.test"))->size() == 2);
    CHECK_FALSE(after.ask("bad.test")->has_value());
}

TEST_CASE("an old answer is used for as long as there is no new one") {
    World world;
    const Instant long_ago = std::chrono::steady_clock::now() - std::chrono::seconds(31);
    world.resolver.take_over(
        {{.host = "old.test", .addresses = {"192.0.2.1"}, .looked_up = long_ago}});
    CHECK(**world.ask("old.test") == list("192.0.2.1"));
    world.system->wait_until_asked(1);
    world.system->answer("old.test", "192.0.2.2");
    REQUIRE(run_until(world.io, [&] { return **world.ask("old.test") == list("192.0.2.2"); }));
}

} // namespace
} // namespace anyvip::health
