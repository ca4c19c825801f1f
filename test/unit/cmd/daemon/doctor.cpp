// SPDX-License-Identifier: Apache-2.0
// The doctor's judgement, fact by fact.
#include "cmd/daemon/doctor.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <utility>

#include <unistd.h>

#include <doctest/doctest.h>
#include <linux/capability.h>

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
    result.address = address(result.name == "tor2" ? "10.0.1.1" : "10.0.0.1");
    return result;
}

struct Ward {
    DoctorSetup setup{.vips = {{"www", "lo", {Prefix::host(address("203.0.113.10"))}}},
                      .routers = {router("tor1", "eth0")},
                      .has_daemon = true,
                      .needs_raw = false,
                      .state_dir = "/var/lib/anyvip",
                      .default_routes = {},
                      .unequal = {},
                      .less_equal = {},
                      .silent = {},
                      .secret_files = {}};
    HostFacts host{.sysctls = {{"net.ipv4.tcp_mtu_probing", 1}},
                   .addresses = {{"lo", address("127.0.0.1"), 8},
                                 {"lo", address("203.0.113.10"), 32},
                                 {"eth0", address("10.0.0.11"), 24}},
                   .sources = {{"192.0.2.1", address("10.0.0.11")}},
                   .capabilities = ~std::uint64_t{0},
                   .foreign_listeners = {},
                   .foreign_bfd_ports = {},
                   .exposed_files = {},
                   .is_state_dir_writable = true,
                   .mtus = {{"eth0", 1500}},
                   .managers = {},
                   .default_ways = {{{{"eth0", address("10.0.0.1")}}, {}}},
                   .gateway_interfaces = {},
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
        host.default_ways[0].push_back({"eth1", address("10.0.1.1")});
        for (const std::string interface : {"eth0", "eth1"}) {
            host.sysctls["net.ipv4.conf." + interface + ".ignore_routes_with_linkdown"] = 1;
        }
    }

    void add_ipv6() {
        setup.vips.front().prefixes.push_back(Prefix::host(address("2001:db8::10")));
        host.default_ways[1] = {{"eth0", address("fe80::1")}, {"eth1", address("fe80::2")}};
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

TEST_CASE("doctor: strict reverse path filtering matters when answers leave elsewhere") {
    Ward ward;
    ward.host.sysctls["net.ipv4.conf.eth0.rp_filter"] = 1;
    ward.host.default_ways[0] = {{"mgmt0", address("192.168.0.1")}};
    CHECK(ward.checks() == Names{"error rp_filter"});
    ward.host.gateway_interfaces[0] = {"eth0"}; // the clients may be those that it leads to
    CHECK(ward.checks() == Names{"note rp_filter"});
    ward.host.sysctls["net.ipv4.conf.all.rp_filter"] = 2;
    CHECK(ward.checks().empty());
}

TEST_CASE("doctor: routes by a dead link matter with two ways out, in either family") {
    const auto remedy = [](const Ward& ward) { return diagnose(ward.setup, ward.host)[0].remedy; };
    Ward ward;
    ward.add_second_router();
    ward.host.sysctls["net.ipv4.conf.eth1.ignore_routes_with_linkdown"] = 0;
    CHECK(ward.checks() == Names{"warning ignore_routes_with_linkdown"});
    CHECK(remedy(ward) == "sysctl -w net.ipv4.conf.eth1.ignore_routes_with_linkdown=1");
    ward.host.sysctls["net.ipv4.conf.eth1.ignore_routes_with_linkdown"] = 1;
    ward.host.sysctls["net.ipv6.conf.eth0.ignore_routes_with_linkdown"] = 0;
    CHECK(ward.checks().empty()); // no VIP of that family
    ward.add_ipv6();
    CHECK(ward.checks() == Names{"warning ignore_routes_with_linkdown"});
    CHECK(remedy(ward) == "sysctl -w net.ipv6.conf.eth0.ignore_routes_with_linkdown=1");
}

TEST_CASE("doctor: ARP matters for a VIP out of a connected subnet") {
    Ward ward;
    ward.host.addresses.push_back({"eth0", address("203.0.113.1"), 24});
    CHECK(ward.checks() == Names{"error arp_ignore", "warning arp_announce"});
    ward.host.sysctls["net.ipv4.conf.eth0.arp_ignore"] = 1;
    ward.host.sysctls["net.ipv4.conf.all.arp_announce"] = 2;
    CHECK(ward.checks().empty());
}

TEST_CASE("doctor: a VIP on a link, inside that link's own subnet, is answered for by all nodes") {
    Ward ward;
    ward.setup.vips.front().interface = "eth0";
    ward.host.addresses[1].interface = "eth0";
    CHECK(ward.checks().empty()); // nobody asks for what is in no subnet of the link
    ward.host.addresses.push_back({"eth0", address("203.0.113.1"), 24});
    ward.host.sysctls["net.ipv4.conf.eth0.arp_ignore"] = 1; // the address is on eth0: no help
    CHECK(ward.checks() == Names{"error arp"});
    CHECK(diagnose(ward.setup, ward.host)[0].remedy.starts_with("put it on lo"));
    ward.host.addresses.back().has_neighbours = false; // a dummy interface
    CHECK(ward.checks().empty());
    ward.add_ipv6();
    ward.host.addresses.push_back({"eth0", address("2001:db8::11"), 64});
    ward.host.addresses.push_back({"eth0", address("2001:db8::12"), 64}); // told once
    CHECK(ward.checks() == Names{"error neighbour discovery"});
}

TEST_CASE("doctor: a VIP on another interface and an address left behind") {
    Ward ward;
    ward.host.addresses.push_back({"eth0", address("203.0.113.10"), 32});
    CHECK(ward.checks() == Names{"warning address"});
    ward.host.addresses.back() = {"lo", address("203.0.113.99"), 32};
    CHECK(ward.checks() == Names{"note address"});
}

TEST_CASE("doctor: an address left behind on another interface of VIPs") {
    Ward ward;
    ward.host.addresses.push_back({"dummy0", address("203.0.113.99"), 32, false});
    CHECK(ward.checks().empty()); // nobody's interface
    ward.setup.vips.push_back({"dns", "dummy0", {Prefix::host(address("203.0.113.53"))}});
    CHECK(ward.checks() == Names{"note address"});
    ward.host.sources.emplace("10.0.0.1", address("203.0.113.99")); // the host's own
    CHECK(ward.checks().empty());
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
    ward.host.foreign_listeners = {{179, ""}};
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
    ward.host.foreign_listeners = {{179, ""}};
    ward.setup.routers.front().listen_port = 0;
    CHECK(ward.checks().empty());
}

TEST_CASE("doctor: without a daemon, the port that keeps it from starting, and by whom") {
    Ward ward;
    ward.setup.has_daemon = false;
    ward.host.capabilities = 0;
    ward.host.is_state_dir_writable = false;
    CHECK(ward.checks().empty()); // of this process, which is not the daemon
    ward.host.foreign_listeners = {{179, "bird (pid 17)"}};
    CHECK(ward.checks() == Names{"error port 179"});
    CHECK(diagnose(ward.setup, ward.host)[0].finding ==
          "bird (pid 17) listens on port 179: anyvipd cannot start");
    ward.setup.routers.front().listen_port = 1790;
    CHECK(ward.checks().empty());
}

TEST_CASE("doctor: a port to listen on needs its capability only where one is listened on") {
    Ward ward;
    ward.host.capabilities = ~(std::uint64_t{1} << CAP_NET_BIND_SERVICE);
    CHECK(ward.checks() == Names{"error capabilities"});
    ward.setup.routers.push_back(router("tor2", "eth0"));
    ward.setup.routers.back().has_default_route = true;
    ward.setup.routers.front().has_default_route = true;
    CHECK(ward.checks() == Names{"error capabilities"}); // once, not for each
    for (auto& one : ward.setup.routers) {
        one.listen_port = 0;
    }
    CHECK(ward.checks().empty());
    ward.setup.routers.front().listen_port = 1790;
    CHECK(ward.checks().empty());
    ward.host.sysctls["net.ipv4.ip_unprivileged_port_start"] = 2000;
    CHECK(ward.checks() == Names{"error capabilities"});
}

TEST_CASE("doctor: a router that does not carry a family that is needed is not of no use") {
    Ward ward;
    ward.setup.routers.front().family_problems = {
        {"carries no ipv6: the router does not offer it", "activate it"}};
    CHECK(ward.checks() == Names{"warning routers"});
    CHECK(diagnose(ward.setup, ward.host)[0].finding ==
          "tor1 carries no ipv6: the router does not offer it");
    CHECK(diagnose(ward.setup, ward.host)[0].remedy == "activate it; anyvip peers tor1");
}

TEST_CASE("doctor: a key that everybody can read") {
    Ward ward;
    ward.setup.secret_files = {{"/etc/anyvip/a", "the key of peer tor1"},
                               {"/etc/anyvip/b", "the key of peer tor2"}};
    CHECK(ward.checks().empty());
    ward.host.exposed_files = {"/etc/anyvip/b"};
    CHECK(diagnose(ward.setup, ward.host) ==
          std::vector<Finding>{
              {Severity::Warning,
               "secrets",
               "/etc/anyvip/b holds the key of peer tor2 and can be read by everybody",
               "chmod o-rwx /etc/anyvip/b"}});
}

TEST_CASE("doctor: answers need a way back, of each family that has VIPs") {
    Ward ward;
    ward.host.default_ways = {};
    CHECK(ward.checks().empty()); // there is some route to 192.0.2.1
    ward.host.sources.clear();
    CHECK(ward.checks() == Names{"error way back"});
    ward.setup.vips.front().prefixes.push_back(Prefix::host(address("2001:db8::10")));
    CHECK(ward.checks() == Names{"error way back", "error way back"});
    // 10.0.0.0/8 via …: all clients may be there.
    ward.host.gateway_interfaces[0] = {"eth0"};
    CHECK(ward.checks() == Names{"error way back", "note way back"});
}

TEST_CASE("doctor: with two routers a default route by one of them") {
    Ward ward;
    ward.add_second_router();
    CHECK(ward.checks().empty());
    ward.host.default_ways[0] = {{"eth1", address("10.0.1.1")}};
    CHECK(ward.checks() == Names{"warning way back"});
    ward.host.default_ways[0] = {{"eth1", std::nullopt}};
    CHECK(ward.checks() == Names{"warning way back"});
    ward.host.default_ways[0] = {{"mgmt0", address("192.168.0.1")}}; // by neither: meant so
    CHECK(ward.checks().empty());
}

TEST_CASE("doctor: two routers on one link, and a default route by one of them") {
    Ward ward;
    ward.setup.routers.push_back(router("tor3", "eth0"));
    ward.setup.routers.back().address = address("10.0.0.2");
    CHECK(ward.checks() == Names{"warning way back"});
    CHECK(diagnose(ward.setup, ward.host)[0].finding ==
          "all ipv4 answers leave by 10.0.0.1 dev eth0, though there are 2 routers: they are lost "
          "when that one is down");
    ward.host.default_ways[0] = {{"eth0", address("10.0.0.254")}}; // one that both may have (VRRP)
    CHECK(ward.checks().empty());
    ward.setup.routers.back().families = {false, true}; // its session for IPv6
    ward.host.default_ways[0] = {{"eth0", address("10.0.0.1")}};
    CHECK(ward.checks().empty());
}

TEST_CASE("doctor: default_route for one of two routers is a single way out") {
    Ward ward;
    ward.add_second_router();
    ward.setup.routers.back().has_default_route = true;
    CHECK(ward.checks() == Names{"warning way back"});
    CHECK(diagnose(ward.setup, ward.host)[0].finding ==
          "ipv4 answers leave by tor2 alone, though packets come by tor1 too: they are lost when "
          "that one is down");
    ward.setup.routers.front().has_default_route = true;
    ward.host.default_ways[0] = {{"eth1", address("10.0.1.1")}}; // the other one's is not there yet
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
    for (const std::string manager : {"NetworkManager", "ifupdown", "dhclient"}) {
        ward.host.managers = {{"lo", manager}};
        CHECK(ward.checks() == Names{"warning network manager"});
    }
}

TEST_CASE("doctor: who manages an interface, as files tell") {
    const std::filesystem::path directory =
        std::filesystem::temp_directory_path() / ("anyvip-doctor-" + std::to_string(::getpid()));
    const HostPaths paths{
        directory / "links", directory / "devices", directory / "interfaces", directory / "run"};
    std::filesystem::create_directories(paths.networkd);
    std::filesystem::create_directories(paths.network_manager);
    std::filesystem::create_directories(paths.ifupdown + ".d");
    std::filesystem::create_directories(paths.run + "/dhcpcd");
    const auto managed = [&] { return read_host(Ward().setup, paths).managers; };
    const auto write = [](const std::filesystem::path& path, std::string_view text) {
        std::ofstream(path) << text;
    };
    // lo has index 1.
    CHECK(managed().empty());
    write(directory / "links/1", "ADMIN_STATE=unmanaged\nOPER_STATE=carrier\n");
    write(directory / "devices/1", "[device]\nmanaged=false\n");
    CHECK(managed().empty());
    write(directory / "interfaces",
          "auto lo eth0\niface lo inet loopback\niface lo inet6 manual\niface eth1 inet dhcp\n");
    CHECK(managed().empty());
    write(directory / "interfaces.d/vip", "iface lo inet static\n    address 203.0.113.10/32\n");
    CHECK(managed().at("lo") == "ifupdown");
    write(directory / "run/dhclient.lo.pid", "2147483647\n"); // has ended
    CHECK(managed().at("lo") == "ifupdown");
    write(directory / "run/dhcpcd/lo.pid", std::to_string(::getpid()));
    CHECK(managed().at("lo") == "dhcpcd");
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
    ward.add_ipv6();
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
    ward.add_ipv6();
    CHECK(ward.checks() == Names{"error disable_ipv6"});
}

TEST_CASE("doctor: a stepped clock, and one that nobody sets") {
    Ward ward;
    ward.host.clock_step = std::chrono::seconds(-3600);
    CHECK(ward.checks() == Names{"warning clock"});
    ward.host.clock_step = {};
    ward.host.is_clock_synchronized = false;
    CHECK(ward.checks() == Names{"note clock"});
    ward.host.is_clock_synchronized = std::nullopt; // nobody says that it is, nor that it is not
    CHECK(ward.checks().empty());
}
