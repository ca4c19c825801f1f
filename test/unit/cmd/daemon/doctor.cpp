// SPDX-License-Identifier: Apache-2.0
// The doctor's judgement, fact by fact.
#include "cmd/daemon/doctor.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <utility>

#include <unistd.h>

#include <doctest/doctest.h>

using namespace anyvip;
using namespace anyvip::cmd;

namespace {

IpAddress address(std::string_view text) {
    return *IpAddress::parse(text);
}

DoctorSetup::Router router(std::string name, std::string interface) {
    DoctorSetup::Router result;
    result.name = std::move(name);
    result.interface = std::move(interface);
    return result;
}

struct Ward {
    DoctorSetup setup{.vips = {{"www", "lo", {Prefix::host(address("203.0.113.10"))}}},
                      .routers = {router("tor1", "eth0")},
                      .needs_raw = false,
                      .state_dir = "/var/lib/anyvip",
                      .default_routes = {},
                      .unequal = {},
                      .less_equal = {},
                      .silent = {}};
    HostFacts host{.sysctls = {{"net.ipv4.tcp_mtu_probing", 1}},
                   .addresses = {{"lo", address("127.0.0.1"), 8},
                                 {"lo", address("203.0.113.10"), 32},
                                 {"eth0", address("10.0.0.11"), 24}},
                   .sources = {{"192.0.2.1", address("10.0.0.11")}},
                   .capabilities = ~std::uint64_t{0},
                   .foreign_bgp_listeners = {},
                   .foreign_bfd_ports = {},
                   .is_state_dir_writable = true,
                   .mtus = {{"eth0", 1500}},
                   .managers = {},
                   .default_ways = {{{"eth0"}, {}}},
                   .clock_step = std::chrono::milliseconds(300),
                   .is_clock_synchronized = true};

    [[nodiscard]] std::vector<std::string> checks() const {
        std::vector<std::string> names;
        for (const Finding& finding : diagnose(setup, host)) {
            CHECK_FALSE(finding.remedy.empty());
            names.push_back(std::string(to_string(finding.severity)) + " " + finding.check);
        }
        return names;
    }

    void add_second_router() {
        setup.routers.push_back(router("tor2", "eth1"));
        host.mtus["eth1"] = 1500;
        host.default_ways[0].push_back("eth1");
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

TEST_CASE("doctor: port 179 is nobody's business when no peer listens") {
    Ward ward;
    ward.host.foreign_bgp_listeners = {4711};
    ward.setup.routers.front().listens = false;
    CHECK(ward.checks().empty());
}

TEST_CASE("doctor: answers need a way back, of each family that has VIPs") {
    Ward ward;
    ward.host.default_ways = {};
    CHECK(ward.checks().empty()); // there is some route to 192.0.2.1
    ward.host.sources.clear();
    CHECK(ward.checks() == Names{"error way back"});
    ward.setup.vips.front().prefixes.push_back(Prefix::host(address("2001:db8::10")));
    CHECK(ward.checks() == Names{"error way back", "error way back"});
}

TEST_CASE("doctor: with two routers a default route by one of them") {
    Ward ward;
    ward.add_second_router();
    CHECK(ward.checks().empty());
    ward.host.default_ways[0] = {"eth1"};
    CHECK(ward.checks() == Names{"warning way back"});
    ward.setup.routers.back().has_default_route = true;
    CHECK(ward.checks().empty());
    ward.setup.routers.back().has_default_route = false;
    ward.host.default_ways[0] = {"mgmt0"}; // by neither: that is meant so
    CHECK(ward.checks().empty());
}

TEST_CASE("doctor: learnt default routes that are of no use") {
    Ward ward;
    ward.setup.default_routes = {{"0.0.0.0/0 metric 512", "hidden by another"}};
    CHECK(ward.checks() == Names{"warning default_route"});
}

TEST_CASE("doctor: a network manager where VIPs and learnt routes are") {
    Ward ward;
    ward.host.managers = {{"eth0", "systemd-networkd"}};
    CHECK(ward.checks().empty());
    ward.setup.routers.front().has_default_route = true;
    CHECK(ward.checks() == Names{"note network manager"});
    ward.host.managers = {{"lo", "NetworkManager"}};
    CHECK(ward.checks() == Names{"warning network manager"});
}

TEST_CASE("doctor: what networkd and NetworkManager say of an interface") {
    const std::filesystem::path directory =
        std::filesystem::temp_directory_path() / ("anyvip-doctor-" + std::to_string(::getpid()));
    const HostPaths paths{directory / "links", directory / "devices"};
    std::filesystem::create_directories(paths.networkd);
    std::filesystem::create_directories(paths.network_manager);
    const auto managed = [&] { return read_host(Ward().setup, paths).managers; };
    const auto write = [](const std::filesystem::path& path, std::string_view text) {
        std::ofstream(path) << text;
    };
    // lo has index 1.
    CHECK(managed().empty());
    write(directory / "links/1", "ADMIN_STATE=unmanaged\nOPER_STATE=carrier\n");
    write(directory / "devices/1", "[device]\nmanaged=false\n");
    CHECK(managed().empty());
    write(directory / "devices/1", "[device]\nmanaged=true\n");
    CHECK(managed().at("lo") == "NetworkManager");
    write(directory / "links/1",
          "ADMIN_STATE=configured\nNETWORK_FILE=/etc/systemd/network/lo.network\n");
    CHECK(managed().at("lo") == "systemd-networkd");
    std::filesystem::remove_all(directory);
}

TEST_CASE("doctor: BFD that is silent, and its port taken") {
    Ward ward;
    ward.host.foreign_bfd_ports = {3784};
    CHECK(ward.checks().empty());
    ward.setup.routers.front().has_bfd = true;
    CHECK(ward.checks() == Names{"error bfd"});
    ward.setup.routers.front().is_multihop = true;
    CHECK(ward.checks().empty());
    ward.setup.routers.front().bfd_problem = "no BFD packet of it arrives";
    CHECK(ward.checks() == Names{"warning bfd"});
}

TEST_CASE("doctor: routers that do not spread") {
    Ward ward;
    ward.setup.unequal = {{"203.0.113.10/32 at tor1", "MED 1 of another node's path, 2 of ours"}};
    CHECK(ward.checks() == Names{"warning multipath"});
    ward.setup.less_equal = std::exchange(ward.setup.unequal, {});
    CHECK(ward.checks() == Names{"note multipath"});
    ward.setup.less_equal.clear();
    ward.setup.silent = {"www"};
    CHECK(ward.checks() == Names{"note multipath"});
}

TEST_CASE("doctor: MTUs") {
    Ward ward;
    ward.add_second_router();
    ward.host.mtus["eth1"] = 9000;
    CHECK(ward.checks() == Names{"warning mtu"});
    ward.host.mtus = {{"eth0", 1200}, {"eth1", 1200}};
    CHECK(ward.checks().empty());
    ward.setup.vips.front().prefixes.push_back(Prefix::host(address("2001:db8::10")));
    ward.host.default_ways[1] = {"eth0", "eth1"};
    CHECK(ward.checks() == Names{"error mtu"});
}

TEST_CASE("doctor: IPv6 off, and IPv6 addresses that a link takes with it") {
    Ward ward;
    ward.host.sysctls["net.ipv6.conf.lo.disable_ipv6"] = 1;
    CHECK(ward.checks().empty());
    ward.add_second_router();
    ward.host.addresses.push_back({"eth1", address("2001:db8:1::11"), 64});
    ward.host.sysctls["net.ipv6.conf.all.keep_addr_on_down"] = 0;
    ward.host.sysctls["net.ipv6.conf.eth1.keep_addr_on_down"] = 0;
    CHECK(ward.checks() == Names{"note keep_addr_on_down"});
    ward.host.sysctls["net.ipv6.conf.eth1.keep_addr_on_down"] = 1;
    ward.setup.vips.front().prefixes.push_back(Prefix::host(address("2001:db8::10")));
    ward.host.default_ways[1] = {"eth0", "eth1"};
    CHECK(ward.checks() == Names{"error disable_ipv6"});
}

TEST_CASE("doctor: a stepped clock, and one that nobody sets") {
    Ward ward;
    ward.host.clock_step = std::chrono::seconds(-3600);
    CHECK(ward.checks() == Names{"warning clock"});
    ward.host.clock_step = {};
    ward.host.is_clock_synchronized = false;
    CHECK(ward.checks() == Names{"note clock"});
}
