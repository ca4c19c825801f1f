// SPDX-License-Identifier: Apache-2.0
#include "vip/kernel/address_table.hpp"

#include <doctest/doctest.h>

namespace anyvip::vip::kernel {

namespace {

IpAddress ip(std::string_view text) {
    return *IpAddress::parse(text);
}

Prefix prefix(std::string_view text) {
    return *Prefix::parse(text);
}

constexpr AddressEntry own{.is_usable = true, .is_owned = true};
constexpr AddressEntry foreign{.is_usable = true, .is_owned = false};
constexpr AddressState present{.is_present = true, .is_owned = false};
constexpr AddressState present_and_own{.is_present = true, .is_owned = true};

using Observations = std::vector<Observation>;

AddressTable table_with_lo() {
    AddressTable table;
    table.set_link(1, "lo", true);
    return table;
}

} // namespace

TEST_CASE("a host prefix is present with any length, owned only with its own") {
    AddressTable table = table_with_lo();
    table.set_address(1, {ip("10.0.0.1"), 24}, foreign);
    CHECK(table.take_changes() == Observations{{prefix("10.0.0.1"), "lo", present}});
    CHECK(table.state_of(prefix("10.0.0.0/24"), "lo") == AddressState{}); // it has host bits

    table.set_address(1, {ip("10.0.0.1"), 32}, own);
    CHECK(table.take_changes() == Observations{{prefix("10.0.0.1"), "lo", present_and_own}});
    table.remove_address(1, {ip("10.0.0.1"), 32});
    CHECK(table.take_changes() == Observations{{prefix("10.0.0.1"), "lo", present}});
    table.remove_address(1, {ip("10.0.0.1"), 24});
    CHECK(table.take_changes() == Observations{{prefix("10.0.0.1"), "lo", {}}});
    table.remove_address(1, {ip("10.0.0.1"), 24});
    CHECK(table.take_changes().empty());
}

TEST_CASE("a shorter prefix is present when it is there exactly") {
    AddressTable table = table_with_lo();
    table.set_address(1, {ip("198.51.100.0"), 24}, own);
    CHECK(table.take_changes() == Observations{{prefix("198.51.100.0/24"), "lo", present_and_own},
                                               {prefix("198.51.100.0/32"), "lo", present}});
    CHECK(table.state_of(prefix("198.51.100.0/25"), "lo") == AddressState{});
}

TEST_CASE("the same message twice is no change") {
    AddressTable table = table_with_lo();
    table.set_address(1, {ip("10.0.0.1"), 32}, own);
    (void)table.take_changes();
    table.set_link(1, "lo", true);
    table.set_address(1, {ip("10.0.0.1"), 32}, own);
    CHECK(table.take_changes().empty());
}

TEST_CASE("an address can be known before its link") {
    AddressTable table;
    table.set_address(5, {ip("10.0.0.1"), 32}, foreign);
    CHECK(table.take_changes().empty());
    table.set_link(5, "eth0", true);
    CHECK(table.take_changes() == Observations{{prefix("10.0.0.1"), "eth0", present}});
}

TEST_CASE("a name that another interface has taken over stays with it") {
    AddressTable table;
    table.set_link(5, "eth0", true);
    table.set_address(5, {ip("10.0.0.1"), 32}, foreign);
    table.set_link(6, "eth1", true);
    (void)table.take_changes();
    table.set_link(5, "eth2", true);
    table.set_link(6, "eth0", true);
    table.remove_link(5);
    CHECK(table.index_of("eth0") == 6);
    CHECK(table.index_of("eth1") == std::nullopt);
    CHECK(table.take_changes() == Observations{{prefix("10.0.0.1"), "eth0", {}},
                                               {prefix("10.0.0.1"), "eth2", present},
                                               {prefix("10.0.0.1"), "eth2", {}}});
}

TEST_CASE("replacing tells the difference and nothing else") {
    AddressTable table = table_with_lo();
    table.set_link(5, "eth0", true);
    table.set_address(1, {ip("10.0.0.1"), 32}, foreign);
    table.set_address(1, {ip("10.0.0.2"), 32}, foreign);
    table.set_address(1, {ip("10.0.0.4"), 32}, foreign);
    table.set_address(5, {ip("10.0.0.5"), 32}, own);
    (void)table.take_changes();

    AddressTable seen = table_with_lo();
    seen.set_address(1, {ip("10.0.0.2"), 32}, foreign);
    seen.set_address(1, {ip("10.0.0.3"), 32}, foreign);
    seen.set_address(1, {ip("10.0.0.4"), 32}, own);
    table.replace(std::move(seen));
    CHECK(table.take_changes() == Observations{{prefix("10.0.0.5"), "eth0", {}},
                                               {prefix("10.0.0.1"), "lo", {}},
                                               {prefix("10.0.0.3"), "lo", present},
                                               {prefix("10.0.0.4"), "lo", present_and_own}});
    CHECK(table.find_link("eth0") == nullptr);
}

} // namespace anyvip::vip::kernel
