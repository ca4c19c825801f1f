// SPDX-License-Identifier: Apache-2.0
// Against the real kernel; `ip` plays the administrator, networkd and other daemons.
#include "vip/kernel/address_kernel.hpp"

#include <array>
#include <fstream>
#include <map>
#include <optional>
#include <vector>

#include "private_network.hpp"

namespace anyvip::vip::kernel {

namespace {

using test::run;

Prefix prefix(std::string_view text) {
    return *Prefix::parse(text);
}

/// The daemon's part: remembers what it was told last about each prefix.
struct Watcher {
    explicit Watcher(boost::asio::io_context& loop, AddressOptions options = {})
        : kernel(loop,
                 {.observed =
                      [this](const Observation& observation) {
                          seen[{observation.interface, observation.prefix}] = observation.state;
                          ++observations;
                          if (react) {
                              react(observation);
                          }
                      },
                  .turn_ended = [this] { ++turns; },
                  .notice = [this](const std::string& text) { notices.push_back(text); }},
                 std::move(options)) {
        REQUIRE_FALSE(kernel.start());
    }

    AddressState state(std::string_view text, const std::string& interface = "lo") const {
        const auto it = seen.find({interface, prefix(text)});
        return it == seen.end() ? AddressState{} : it->second;
    }

    std::map<std::pair<std::string, Prefix>, AddressState> seen;
    std::vector<std::string> notices;
    std::function<void(const Observation&)> react;
    std::size_t observations = 0;
    int turns = 0;
    AddressKernel kernel;
};

constexpr AddressState own{.is_present = true, .is_owned = true};
constexpr AddressState foreign{.is_present = true, .is_owned = false};
constexpr AddressState absent{};

bool kernel_has(const std::string& text, const std::string& interface = "lo") {
    return run("ip -o address show dev " + interface + " | grep -qF ' " + text + " '");
}

} // namespace

TEST_CASE("an added address is told as present and owned before the call returns") {
    test::PrivateNetwork network;
    Watcher watcher(network.loop);
    CHECK(watcher.state("127.0.0.1") == foreign); // of the dump: 127.0.0.1/8
    for (const auto* text : {"203.0.113.10/32", "2001:db8::10/128", "198.51.100.0/24"}) {
        CAPTURE(text);
        CHECK_FALSE(watcher.kernel.add(prefix(text), "lo"));
        CHECK(watcher.state(text) == own);
    }
    CHECK(watcher.turns == 0);

    SUBCASE("and its notification changes nothing any more") {
        const auto before = watcher.observations;
        CHECK(network.run_until([&] { return watcher.turns > 0; }));
        CHECK(watcher.observations == before);
    }
    SUBCASE("and removed: told as absent before the call returns") {
        CHECK_FALSE(watcher.kernel.remove(prefix("2001:db8::10"), "lo"));
        CHECK(watcher.state("2001:db8::10") == absent);
        CHECK_FALSE(kernel_has("2001:db8::10/128"));
        CHECK_FALSE(watcher.kernel.remove(prefix("2001:db8::10"), "lo")); // no error twice
    }
    SUBCASE("IPv6 without DAD and deprecated, IPv4 of scope link: never a source address") {
        CHECK(run("ip -o address show dev lo to 2001:db8::10 | grep nodad | grep -q deprecated"));
        CHECK(run("ip -o address show dev lo to 2001:db8::10 | grep -q 'valid_lft forever'"));
        CHECK(run("ip -o address show dev lo to 203.0.113.10 | grep -q 'scope link'"));
    }
    SUBCASE("a prefix brings no route but the local one") {
        CHECK(run("test -z \"$(ip route show 198.51.100.0/24)\""));
        CHECK(run("ip route show table local | grep -q '^local 198.51.100.0 '"));
    }
}

TEST_CASE("an address that was there before is present, not owned and never removed") {
    test::PrivateNetwork network;
    REQUIRE(run("ip address add 203.0.113.10/32 dev lo"));
    REQUIRE(run("ip address add 2001:db8::10/64 dev lo nodad"));
    Watcher watcher(network.loop);
    REQUIRE(run("ip address add 203.0.113.11/32 dev lo")); // not yet known when it is added below
    for (const auto* text : {"203.0.113.10/32", "203.0.113.11/32", "2001:db8::10/128"}) {
        CAPTURE(text);
        CHECK_FALSE(watcher.kernel.add(prefix(text), "lo"));
        CHECK(watcher.state(text) == foreign);
        CHECK(watcher.kernel.remove(prefix(text), "lo") == std::errc::operation_not_permitted);
        CHECK(watcher.state(text) == foreign);
    }
    CHECK(kernel_has("203.0.113.10/32"));
    CHECK(kernel_has("203.0.113.11/32"));
    CHECK(kernel_has("2001:db8::10/64"));
}

TEST_CASE("own addresses are recognised after kill -9") {
    test::PrivateNetwork network;
    test::TemporaryDirectory state;
    AddressOptions options;
    options.state_directory = state.path;
    SUBCASE("by IFA_PROTO") {}
    SUBCASE("by the ledger where the kernel has no IFA_PROTO") {
        options.uses_mark = false;
    }
    REQUIRE(run("ip address add 203.0.113.12/32 dev lo"));
    {
        Watcher killed(network.loop, options);
        REQUIRE_FALSE(killed.kernel.add(prefix("203.0.113.10"), "lo"));
        REQUIRE_FALSE(killed.kernel.add(prefix("203.0.113.11"), "lo"));
        REQUIRE_FALSE(killed.kernel.add(prefix("2001:db8::10"), "lo"));
    }
    REQUIRE(run("ip address del 203.0.113.11/32 dev lo"));
    Watcher watcher(network.loop, options);
    CHECK(watcher.state("203.0.113.10") == own);
    CHECK(watcher.state("203.0.113.11") == absent);
    CHECK(watcher.state("203.0.113.12") == foreign);
    CHECK(watcher.state("2001:db8::10") == own);
    CHECK_FALSE(watcher.kernel.remove(prefix("203.0.113.10"), "lo"));
    CHECK_FALSE(watcher.kernel.remove(prefix("2001:db8::10"), "lo"));
    CHECK_FALSE(kernel_has("203.0.113.10/32"));
    CHECK_FALSE(kernel_has("2001:db8::10/128"));
}

TEST_CASE("without IFA_PROTO the ledger makes nobody else's address ours") {
    test::PrivateNetwork network;
    test::TemporaryDirectory state;
    AddressOptions options;
    options.state_directory = state.path;
    options.uses_mark = false;
    const std::array vips = {"203.0.113.10/32", "203.0.113.11/32", "2001:db8::10/128"};
    {
        Watcher killed(network.loop, options);
        for (const std::string vip : vips) {
            REQUIRE_FALSE(killed.kernel.add(prefix(vip), "lo"));
            REQUIRE(run("ip address del " + vip + " dev lo"));
        }
    }
    const auto add_all = [&](const std::string& how) {
        for (const std::string vip : vips) {
            const bool is_ipv6 = vip.contains(':');
            REQUIRE(run("ip address add " + vip + " dev lo " +
                        (how.empty() ? ""
                         : is_ipv6   ? "preferred_lft 0"
                                     : "scope link")));
        }
    };
    const auto check = [&](Watcher& watcher) {
        for (const std::string vip : vips) {
            CAPTURE(vip);
            CHECK(network.run_until([&] { return watcher.state(vip) == foreign; }));
            CHECK(watcher.kernel.remove(prefix(vip), "lo") == std::errc::operation_not_permitted);
            CHECK(kernel_has(vip));
        }
    };
    SUBCASE("put in the place of ours before the start") {
        add_all("");
        Watcher watcher(network.loop, options);
        check(watcher);
    }
    SUBCASE("put there after the start, and looking like ours") {
        Watcher watcher(network.loop, options);
        add_all("as we do");
        check(watcher);
    }
}

TEST_CASE("an address that somebody removes can be put back in the same turn") {
    test::PrivateNetwork network;
    Watcher watcher(network.loop);
    REQUIRE_FALSE(watcher.kernel.add(prefix("203.0.113.10"), "lo"));
    int put_back = 0;
    watcher.react = [&](const Observation& observation) {
        if (!observation.state.is_present && observation.prefix == prefix("203.0.113.10")) {
            ++put_back;
            CHECK_FALSE(watcher.kernel.add(observation.prefix, observation.interface));
        }
    };
    SUBCASE("removed") {
        REQUIRE(run("ip address del 203.0.113.10/32 dev lo"));
    }
    SUBCASE("flushed") {
        REQUIRE(run("ip address flush dev lo scope link"));
    }
    CHECK(network.run_until([&] { return put_back == 1; }));
    CHECK(network.run_until([&] { return watcher.state("203.0.113.10") == own; }));
    CHECK(kernel_has("203.0.113.10/32"));
}

TEST_CASE("what replaces an own address is not taken for ours") {
    test::PrivateNetwork network;
    Watcher watcher(network.loop);
    REQUIRE_FALSE(watcher.kernel.add(prefix("203.0.113.10"), "lo"));
    REQUIRE(run("ip address del 203.0.113.10/32 dev lo"));
    REQUIRE(run("ip address add 203.0.113.10/32 dev lo"));
    // Nothing was read in between: the call itself has to notice.
    CHECK(watcher.kernel.remove(prefix("203.0.113.10"), "lo") ==
          std::errc::operation_not_permitted);
    CHECK(watcher.state("203.0.113.10") == foreign);
    CHECK(kernel_has("203.0.113.10/32"));
}

TEST_CASE("interfaces that go down, are renamed, removed and come back") {
    test::PrivateNetwork network;
    REQUIRE(run("ip link add vip0 type veth peer name far0"));
    REQUIRE(run("ip link set vip0 up"));
    Watcher watcher(network.loop);
    const auto vip4 = prefix("203.0.113.10");
    const auto vip6 = prefix("2001:db8::10");
    REQUIRE_FALSE(watcher.kernel.add(vip4, "vip0"));
    REQUIRE_FALSE(watcher.kernel.add(vip6, "vip0"));

    SUBCASE("down: nothing on it is present; up again: IPv4 is back, IPv6 is asked for") {
        REQUIRE(run("ip link set vip0 down"));
        CHECK(network.run_until([&] { return !watcher.state("203.0.113.10", "vip0").is_present; }));
        CHECK(network.run_until([&] { return !watcher.state("2001:db8::10", "vip0").is_owned; }));
        CHECK(watcher.kernel.add(vip6, "vip0") == std::errc::network_down);
        bool is_asked_for = false;
        watcher.react = [&](const Observation& observation) {
            is_asked_for = is_asked_for || (observation.prefix == vip6 && //
                                            observation.state == absent);
        };
        REQUIRE(run("ip link set vip0 up"));
        CHECK(network.run_until([&] { return is_asked_for; }));
        CHECK(watcher.state("203.0.113.10", "vip0") == own);
        CHECK_FALSE(watcher.kernel.add(vip6, "vip0"));
        CHECK(watcher.notices ==
              std::vector<std::string>{"interface vip0 is down", "interface vip0 is up"});
    }
    SUBCASE("renamed: gone from the old name, owned under the new one") {
        REQUIRE(run("ip link set vip0 down && ip link set vip0 name other0 && "
                    "ip link set other0 up"));
        CHECK(network.run_until([&] { return watcher.state("203.0.113.10", "other0") == own; }));
        CHECK(watcher.state("203.0.113.10", "vip0") == absent);
        CHECK(watcher.kernel.add(vip4, "vip0") == std::errc::no_such_device);
    }
    SUBCASE("removed: all gone; a new one of the name is asked for at once") {
        REQUIRE(run("ip link del vip0"));
        CHECK(network.run_until([&] {
            return watcher.state("203.0.113.10", "vip0") == absent &&
                   watcher.state("2001:db8::10", "vip0") == absent;
        }));
        CHECK(watcher.kernel.add(vip4, "vip0") == std::errc::no_such_device);
        watcher.react = [&](const Observation& observation) {
            if (observation.prefix == vip4 && !observation.state.is_present) {
                CHECK_FALSE(watcher.kernel.add(vip4, "vip0"));
            }
        };
        REQUIRE(run("ip link add vip0 type veth peer name far0 && ip link set vip0 up"));
        CHECK(network.run_until([&] { return watcher.state("203.0.113.10", "vip0") == own; }));
    }
}

TEST_CASE("leaving a bridge is not taken for the end of an interface") {
    test::PrivateNetwork network;
    REQUIRE(run("ip link add vip0 type veth peer name far0 && ip link set vip0 up"));
    REQUIRE(run("ip link add br0 type bridge && ip link set vip0 master br0"));
    Watcher watcher(network.loop);
    REQUIRE_FALSE(watcher.kernel.add(prefix("203.0.113.10"), "vip0"));
    REQUIRE(run("ip link set vip0 nomaster"));
    REQUIRE(run("ip address add 203.0.113.99/32 dev vip0")); // the end mark
    CHECK(network.run_until([&] { return watcher.state("203.0.113.99", "vip0") == foreign; }));
    CHECK(watcher.state("203.0.113.10", "vip0") == own);
}

TEST_CASE("an address that duplicate address detection has not settled is not present") {
    test::PrivateNetwork network;
    REQUIRE(run("ip link add vip0 type veth peer name far0 && ip link set vip0 up"));
    Watcher watcher(network.loop); // the link has no carrier: the address stays tentative
    REQUIRE(run("ip address add 2001:db8::10/128 dev vip0"));
    REQUIRE(run("ip address add 203.0.113.99/32 dev vip0"));
    CHECK(network.run_until([&] { return watcher.state("203.0.113.99", "vip0") == foreign; }));
    CHECK(watcher.state("2001:db8::10", "vip0") == absent);
    CHECK(watcher.kernel.add(prefix("2001:db8::10"), "vip0") == std::errc::address_not_available);
}

TEST_CASE("lost notifications lead to a new dump") {
    test::PrivateNetwork network;
    AddressOptions options;
    options.notification_buffer_octets = 2048;
    Watcher watcher(network.loop, options);
    REQUIRE_FALSE(watcher.kernel.add(prefix("203.0.113.10"), "lo"));
    REQUIRE(run("for i in $(seq 1 60); do echo address add 198.51.100.$i/32 dev lo; done "
                "| ip -batch -"));
    REQUIRE(run("ip address del 203.0.113.10/32 dev lo"));
    CHECK(network.run_until([&] { return watcher.state("203.0.113.10") == absent; }));
    CHECK(network.run_until([&] { return watcher.state("198.51.100.60") == foreign; }));
    CHECK(watcher.state("198.51.100.1") == foreign);
    REQUIRE_FALSE(watcher.notices.empty());
    CHECK(watcher.notices.front().starts_with("address notifications were lost"));
}

TEST_CASE("10,000 addresses are added, read and removed without quadratic work") {
    test::PrivateNetwork network;
    constexpr std::uint32_t count = 10'000;
    const auto vip = [](std::uint32_t i) { return Prefix::host(IpAddress::v4(0xC6120000U + i)); };
    const auto started = std::chrono::steady_clock::now();
    {
        Watcher watcher(network.loop);
        std::uint32_t failed = 0;
        for (std::uint32_t i = 0; i < count; ++i) {
            failed += watcher.kernel.add(vip(i), "lo") ? 1U : 0U;
        }
        CHECK(failed == 0);
    }
    const auto added = std::chrono::steady_clock::now();
    Watcher watcher(network.loop);
    const auto read = std::chrono::steady_clock::now();
    std::uint32_t failed = 0;
    for (std::uint32_t i = 0; i < count; ++i) {
        failed += watcher.state(to_string(vip(i))) == own ? 0U : 1U;
        failed += watcher.kernel.remove(vip(i), "lo") ? 1U : 0U;
    }
    CHECK(failed == 0);
    const auto removed = std::chrono::steady_clock::now();
    const auto ms = [](auto duration) {
        return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
    };
    MESSAGE("added in " << ms(added - started) << " ms, read in " << ms(read - added)
                        << " ms, removed in " << ms(removed - read) << " ms");
    CHECK(ms(removed - started) < 60'000); // for the busiest of machines
}

} // namespace anyvip::vip::kernel
