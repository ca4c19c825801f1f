// SPDX-License-Identifier: Apache-2.0
// The doctor on ways: from the routers to here and back again, and what manages or blocks them.
#include <algorithm>
#include <cstdlib>
#include <set>

#include "cmd/daemon/doctor.hpp"

namespace anyvip::cmd {
namespace {

using namespace std::chrono_literals;

constexpr int least_ipv6_mtu = 1280; // RFC 8200 §5
constexpr auto tolerated_clock_step = 2000ms;

[[nodiscard]] std::string joined(const std::vector<std::string>& items) {
    std::string text;
    for (const std::string& item : items) {
        text += (text.empty() ? "" : ", ") + item;
    }
    return text;
}

class Ways {
  public:
    Ways(const DoctorSetup& setup, const HostFacts& host, std::vector<Finding>& findings)
        : setup_(setup), host_(host), findings_(findings) {
        for (const DoctorSetup::Router& router : setup_.routers) {
            if (!router.interface.empty()) {
                interfaces_.insert(router.interface);
            }
            has_default_route_ = has_default_route_ || router.has_default_route;
        }
    }

    void examine() {
        way_back();
        single_way_out();
        default_routes();
        managers();
        bfd();
        spreading();
        mtu();
        ipv6();
        clock();
    }

  private:
    void add(Severity severity, std::string check, std::string finding, std::string remedy) {
        findings_.push_back({severity, std::move(check), std::move(finding), std::move(remedy)});
    }

    [[nodiscard]] int sysctl(const std::string& name, int otherwise) const {
        const auto found = host_.sysctls.find(name);
        return found == host_.sysctls.end() ? otherwise : found->second;
    }

    // A request arrives and its answer has nowhere to go: to the client the service is dead.
    void way_back() {
        for (const auto& [family, far] :
             {std::pair{Family::Ipv4, "192.0.2.1"}, std::pair{Family::Ipv6, "2001:db8::1"}}) {
            const auto index = static_cast<std::size_t>(family);
            if (!setup_.has_vip_of(family) || host_.sources.contains(far) ||
                !host_.default_ways.at(index).empty()) {
                continue;
            }
            const std::string there_is_none =
                "there is no " + std::string(to_string(family)) + " default route: answers reach ";
            const std::string remedy =
                "default_route = true in [[peer]], or a route to the clients";
            if (host_.gateway_interfaces.at(index).empty()) {
                add(Severity::Error,
                    "way back",
                    there_is_none + "only clients on connected subnets",
                    remedy);
            } else {
                add(Severity::Note,
                    "way back",
                    there_is_none + "only clients in networks that this host has a route to",
                    remedy + ", if there are others");
            }
        }
    }

    // With two routers the answers must not leave by the one that is down.
    void single_way_out() {
        for (const Family family : {Family::Ipv4, Family::Ipv6}) {
            std::vector<std::string> with;
            std::vector<std::string> without;
            for (const DoctorSetup::Router& router : setup_.routers) {
                if (router.families.at(static_cast<std::size_t>(family))) {
                    (router.has_default_route ? with : without).push_back(router.name);
                }
            }
            if (!setup_.has_vip_of(family) || with.size() + without.size() < 2) {
                continue;
            }
            if (with.empty()) {
                single_static_way_out(family, without.size());
            } else if (!without.empty()) {
                add(Severity::Warning,
                    "way back",
                    std::string(to_string(family)) + " answers leave by " + joined(with) +
                        " alone, though packets come by " + joined(without) +
                        " too: they are lost when " +
                        (with.size() == 1 ? "that one is down" : "those are down"),
                    "default_route = true for " + joined(without) + " as well");
            }
        }
    }

    // Two routers of one link may share the gateway's address (VRRP): it is a single way when it is
    // the address of one of them.
    void single_static_way_out(Family family, std::size_t routers) {
        const auto& ways = host_.default_ways.at(static_cast<std::size_t>(family));
        if (ways.size() != 1) {
            return;
        }
        const HostFacts::Way& way = ways.front();
        const auto on_this_link =
            std::ranges::count(setup_.routers, way.interface, &DoctorSetup::Router::interface);
        const bool is_a_router =
            way.gateway && std::ranges::any_of(setup_.routers, [&](const auto& router) {
                return router.address == way.gateway;
            });
        if (is_a_router || (on_this_link > 0 && interfaces_.size() > 1)) {
            add(Severity::Warning,
                "way back",
                "all " + std::string(to_string(family)) + " answers leave by " +
                    (way.gateway ? to_string(*way.gateway) + " dev " : "") + way.interface +
                    ", though there are " + std::to_string(routers) +
                    " routers: they are lost when that one is down",
                "default_route = true in each [[peer]]");
        }
    }

    void default_routes() {
        for (const DoctorSetup::Trouble& trouble : setup_.default_routes) {
            add(Severity::Warning,
                "default_route",
                trouble.subject + ": " + trouble.text,
                "ip route show default; have the router send one with a next hop on a connected "
                "subnet, remove what hides it, or set default_route_metric");
        }
    }

    [[nodiscard]] static std::string release_from(const std::string& manager,
                                                  const std::string& interface) {
        if (manager == "systemd-networkd") {
            return "[Link] Unmanaged=yes in a .network file that matches " + interface +
                   ", or KeepConfiguration=yes in its [Network] section";
        }
        if (manager == "NetworkManager") {
            return "nmcli device set " + interface +
                   " managed no, for good by [keyfile] unmanaged-devices=interface-name:" +
                   interface + " in NetworkManager.conf";
        }
        if (manager == "ifupdown") {
            return interface == "lo" ? "nothing but `iface lo inet loopback` for lo in "
                                       "/etc/network/interfaces"
                                     : "the VIPs on lo (interface = \"lo\"), or `iface " +
                                           interface + " inet manual`";
        }
        return "the VIPs on lo (interface = \"lo\"), or no " + manager + " for " + interface;
    }

    // networkd takes away what it did not put there, at its start and whenever it reconfigures.
    void managers() {
        std::set<std::string> vip_interfaces;
        for (const DoctorSetup::Vip& vip : setup_.vips) {
            vip_interfaces.insert(vip.interface);
        }
        for (const auto& [interface, manager] : host_.managers) {
            if (vip_interfaces.contains(interface)) {
                add(Severity::Warning,
                    "network manager",
                    manager + " manages " + interface +
                        ", where VIPs are: it may take them away when it starts or reconfigures",
                    release_from(manager, interface));
            }
            if (has_default_route_ && interfaces_.contains(interface) &&
                manager == "systemd-networkd") {
                add(Severity::Note,
                    "network manager",
                    "systemd-networkd manages " + interface +
                        " and may take away the default route that is learnt by BGP",
                    "ManageForeignRoutes=no in the [Network] section of "
                    "/etc/systemd/networkd.conf");
            }
        }
    }

    void bfd() {
        for (const DoctorSetup::Router& router : setup_.routers) {
            const std::string port = router.is_multihop ? "4784" : "3784";
            const auto number = static_cast<std::uint16_t>(router.is_multihop ? 4784 : 3784);
            if (router.has_bfd && host_.foreign_bfd_ports.contains(number)) {
                add(Severity::Error,
                    "bfd",
                    "another process has UDP port " + port + ": BFD of " + router.name +
                        " cannot receive anything",
                    "ss -lunp sport = :" + port + " names it; stop it (FRR's bfdd, BIRD)");
            } else if (!router.bfd_problem.empty()) {
                add(Severity::Warning,
                    "bfd",
                    router.name + ": " + router.bfd_problem,
                    "configure BFD for this neighbour on the router, and let UDP port " + port +
                        " pass in both directions (nft list ruleset; the router's control plane "
                        "filter)");
            }
        }
    }

    // ECMP wants equal paths. MED, AS path and LOCAL_PREF decide before multipath does.
    void spreading() {
        for (const DoctorSetup::Trouble& trouble : setup_.unequal) {
            add(Severity::Warning,
                "multipath",
                trouble.subject + ": " + trouble.text + "; the router sends nothing here",
                "the same prepend, med and local_pref on all nodes; with different AS numbers "
                "bestpath as-path multipath-relax on the router");
        }
        for (const DoctorSetup::Trouble& trouble : setup_.less_equal) {
            add(Severity::Note,
                "multipath",
                trouble.subject + ": " + trouble.text + "; that node gets nothing",
                "nothing if it is in backup; else the same prepend, med and local_pref on all "
                "nodes");
        }
        if (!setup_.silent.empty()) {
            add(Severity::Note,
                "multipath",
                joined(setup_.silent) +
                    ": no packet came in the first minute: the router filters the route, does not "
                    "spread over several next hops, or nobody asks",
                "maximum-paths (FRR: maximum-paths 64; BIRD: merge paths in protocol kernel) and "
                "the import filter on the router; anyvip routes --received");
        }
    }

    void mtu() {
        std::set<int> seen;
        std::string text;
        for (const std::string& interface : interfaces_) {
            if (const auto mtu = host_.mtus.find(interface); mtu != host_.mtus.end()) {
                seen.insert(mtu->second);
                text += (text.empty() ? "" : ", ") + interface + " " + std::to_string(mtu->second);
            }
        }
        if (seen.size() > 1) {
            add(Severity::Warning,
                "mtu",
                "the ways to the routers have different MTUs (" + text +
                    "): large answers fit one and not the other",
                "ip link set dev INTERFACE mtu " + std::to_string(*seen.begin()));
        }
        if (!seen.empty() && *seen.begin() < least_ipv6_mtu && setup_.has_vip_of(Family::Ipv6)) {
            add(Severity::Error,
                "mtu",
                "an MTU below 1280 carries no IPv6 (" + text + ")",
                "ip link set dev INTERFACE mtu 1500");
        }
    }

    void ipv6() {
        for (const DoctorSetup::Vip& vip : setup_.vips) {
            const bool is_ipv6 = std::ranges::any_of(
                vip.prefixes, [](const Prefix& prefix) { return prefix.address().is_v6(); });
            const std::string key = "net.ipv6.conf." + vip.interface + ".disable_ipv6";
            if (is_ipv6 && sysctl(key, 0) == 1) {
                add(Severity::Error,
                    "disable_ipv6",
                    "IPv6 is off on " + vip.interface + ", where VIP " + vip.name + " belongs",
                    "sysctl -w " + key + "=0");
            }
        }
        for (const std::string& interface : interfaces_) {
            const int keeps =
                std::max(sysctl("net.ipv6.conf.all.keep_addr_on_down", 1),
                         sysctl("net.ipv6.conf." + interface + ".keep_addr_on_down", 1));
            const bool has_global = std::ranges::any_of(host_.addresses, [&](const auto& own) {
                return own.interface == interface && own.address.is_v6() &&
                       !own.address.is_link_local();
            });
            if (interfaces_.size() > 1 && has_global && keeps == 0) {
                add(Severity::Note,
                    "keep_addr_on_down",
                    "when " + interface + " is set down it loses its IPv6 addresses for good",
                    "sysctl -w net.ipv6.conf." + interface + ".keep_addr_on_down=1");
            }
        }
    }

    void clock() {
        if (std::chrono::abs(host_.clock_step) > tolerated_clock_step) {
            add(Severity::Warning,
                "clock",
                "the wall clock was stepped by " + std::to_string(host_.clock_step.count() / 1000) +
                    " s since the daemon started: the times of events and `drain --until` moved "
                    "with it (sessions, checks and BFD do not depend on it)",
                "let chrony or systemd-timesyncd slew it; look at drains with an end");
        }
        if (host_.is_clock_synchronized == false) {
            findings_.push_back(unsynchronized_clock());
        }
    }

    const DoctorSetup& setup_;
    const HostFacts& host_;
    std::vector<Finding>& findings_;
    std::set<std::string> interfaces_; ///< towards the routers
    bool has_default_route_ = false;
};

} // namespace

Finding unsynchronized_clock() {
    return {Severity::Note,
            "clock",
            "the kernel says that the wall clock is not synchronized: `drain --until` and "
            "certificates' days may be wrong",
            "timedatectl set-ntp true, or chrony"};
}

void diagnose_ways(const DoctorSetup& setup,
                   const HostFacts& host,
                   std::vector<Finding>& findings) {
    Ways(setup, host, findings).examine();
}

} // namespace anyvip::cmd
