// SPDX-License-Identifier: Apache-2.0
// The doctor's judgement, fact by fact.
#include "cmd/daemon/doctor.hpp"

#include <algorithm>

#include <doctest/doctest.h>

using namespace anyvip;
using namespace anyvip::cmd;

namespace {

IpAddress address(std::string_view text) {
    return *IpAddress::parse(text);
}

struct Ward {
    DoctorSetup setup{.vips = {{"www", "lo", {Prefix::host(address("203.0.113.10"))}}},
                      .routers = {{"tor1", "eth0", ""}},
                      .needs_raw = false,
                      .state_dir = "/var/lib/anyvip"};
    HostFacts host{.sysctls = {{"net.ipv4.tcp_mtu_probing", 1}},
                   .addresses = {{"lo", address("127.0.0.1"), 8},
                                 {"lo", address("203.0.113.10"), 32},
                                 {"eth0", address("10.0.0.11"), 24}},
                   .sources = {{"192.0.2.1", address("10.0.0.11")}},
                   .capabilities = ~std::uint64_t{0},
                   .foreign_bgp_listeners = {},
                   .is_state_dir_writable = true};

    [[nodiscard]] std::vector<std::string> checks() const {
        std::vector<std::string> names;
        for (const Finding& finding : diagnose(setup, host)) {
            CHECK_FALSE(finding.remedy.empty());
            names.push_back(std::string(to_string(finding.severity)) + " " + finding.check);
        }
        return names;
    }

    void add_second_router() {
        setup.routers.push_back({"tor2", "eth1", ""});
        for (const std::string interface : {"eth0", "eth1"}) {
            host.sysctls["net.ipv4.conf." + interface + ".ignore_routes_with_linkdown"] = 1;
        }
    }
};

using Names = std::vector<std::string>;

} // namespace

TEST_CASE("doctor: a host that is as it should be has no findings") {
    CHECK(Ward().checks().empty());
}

TEST_CASE("doctor: strict reverse path filtering matters with two ways in") {
    Ward ward;
    ward.host.sysctls["net.ipv4.conf.all.rp_filter"] = 1;
    CHECK(ward.checks().empty());
    ward.add_second_router();
    CHECK(ward.checks() == Names{"error rp_filter", "error rp_filter"});
    ward.host.sysctls["net.ipv4.conf.eth1.rp_filter"] = 2; // the greater value holds
    CHECK(ward.checks() == Names{"error rp_filter"});
}

TEST_CASE("doctor: routes by a dead link matter with two ways out") {
    Ward ward;
    ward.add_second_router();
    ward.host.sysctls["net.ipv4.conf.eth1.ignore_routes_with_linkdown"] = 0;
    CHECK(ward.checks() == Names{"warning ignore_routes_with_linkdown"});
}

TEST_CASE("doctor: ARP matters for a VIP out of a connected subnet") {
    Ward ward;
    ward.host.addresses.push_back({"eth0", address("203.0.113.1"), 24});
    CHECK(ward.checks() == Names{"error arp_ignore", "warning arp_announce"});
    ward.host.sysctls["net.ipv4.conf.eth0.arp_ignore"] = 1;
    ward.host.sysctls["net.ipv4.conf.all.arp_announce"] = 2;
    CHECK(ward.checks().empty());
}

TEST_CASE("doctor: a VIP on another interface and an address left behind") {
    Ward ward;
    ward.host.addresses.push_back({"eth0", address("203.0.113.10"), 32});
    CHECK(ward.checks() == Names{"warning address"});
    ward.host.addresses.back() = {"lo", address("203.0.113.99"), 32};
    CHECK(ward.checks() == Names{"note address"});
}

TEST_CASE("doctor: a VIP as source address") {
    Ward ward;
    ward.host.sources.at("192.0.2.1") = address("203.0.113.10");
    CHECK(ward.checks() == Names{"error source"});
}

TEST_CASE("doctor: a host that forwards spreads by ports too") {
    Ward ward;
    ward.host.sysctls["net.ipv4.fib_multipath_hash_policy"] = 0;
    CHECK(ward.checks().empty());
    ward.host.sysctls["net.ipv4.ip_forward"] = 1;
    CHECK(ward.checks() == Names{"warning fib_multipath_hash_policy"});
}

TEST_CASE("doctor: path MTU, port 179, capabilities, state directory, routers") {
    Ward ward;
    ward.host.sysctls["net.ipv4.tcp_mtu_probing"] = 0;
    ward.host.sysctls["net.ipv4.ip_no_pmtu_disc"] = 1;
    ward.host.foreign_bgp_listeners = {4711};
    ward.host.capabilities = 0;
    ward.host.is_state_dir_writable = false;
    ward.setup.routers.front().problem = "Active, connection refused";
    CHECK(ward.checks() == Names{"error capabilities",
                                 "error capabilities",
                                 "error capabilities",
                                 "error state_dir",
                                 "warning routers",
                                 "warning path_mtu",
                                 "warning port 179",
                                 "note path_mtu"});
}
