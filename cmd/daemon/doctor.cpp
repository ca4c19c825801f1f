// SPDX-License-Identifier: Apache-2.0
#include "cmd/daemon/doctor.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include <boost/json/array.hpp>
#include <linux/capability.h>

namespace anyvip::cmd {
namespace {

class Examination {
  public:
    Examination(const DoctorSetup& setup, const HostFacts& host) : setup_(setup), host_(host) {
        for (const DoctorSetup::Router& router : setup_.routers) {
            if (!router.interface.empty()) {
                interfaces_.insert(router.interface);
            }
        }
    }

    [[nodiscard]] std::vector<Finding> findings() {
        routers();
        reverse_path();
        arp();
        vip_places();
        vip_sources();
        multipath();
        dead_links();
        path_mtu();
        bgp_port();
        capabilities();
        state_directory();
        diagnose_ways(setup_, host_, findings_);
        std::ranges::stable_sort(findings_, {}, &Finding::severity);
        return std::move(findings_);
    }

  private:
    void add(Severity severity, std::string check, std::string finding, std::string remedy) {
        findings_.push_back({severity, std::move(check), std::move(finding), std::move(remedy)});
    }

    [[nodiscard]] int sysctl(const std::string& name, int otherwise) const {
        const auto found = host_.sysctls.find(name);
        return found == host_.sysctls.end() ? otherwise : found->second;
    }

    /// Of the values for all and for one interface the kernel takes the greater one.
    [[nodiscard]] int greater(const std::string& interface, const std::string& key) const {
        return std::max(sysctl("net.ipv4.conf.all." + key, 0),
                        sysctl("net.ipv4.conf." + interface + "." + key, 0));
    }

    void routers() {
        if (setup_.routers.empty()) {
            add(Severity::Error, "routers", "no peer is configured", "add a [[peer]] section");
        }
        for (const DoctorSetup::Router& router : setup_.routers) {
            if (!router.problem.empty()) {
                add(Severity::Warning,
                    "routers",
                    router.name + " is of no use: " + router.problem,
                    "anyvip peers " + router.name);
            }
        }
    }

    // With two ways in, a packet may come from where the answer would not go.
    void reverse_path() {
        for (const std::string& interface : interfaces_) {
            if (interfaces_.size() > 1 && greater(interface, "rp_filter") == 1) {
                add(Severity::Error,
                    "rp_filter",
                    "packets that come in by " + interface +
                        " are dropped when their answer would leave by another interface",
                    "sysctl -w net.ipv4.conf.all.rp_filter=2 net.ipv4.conf." + interface +
                        ".rp_filter=2");
            }
        }
    }

    // A VIP out of a connected subnet is asked for by ARP; the node that answers gets all traffic.
    void arp() {
        for (const HostFacts::Address& own : host_.addresses) {
            const Prefix subnet = Prefix::of(own.address, own.length_bits);
            if (!own.address.is_v4() || subnet.is_host() || own.interface == "lo") {
                continue;
            }
            for (const DoctorSetup::Vip& vip : setup_.vips) {
                for (const Prefix& prefix : vip.prefixes) {
                    if (vip.interface == own.interface || !subnet.contains(prefix.address())) {
                        continue;
                    }
                    arp_of(own.interface, prefix);
                }
            }
        }
    }

    void arp_of(const std::string& interface, const Prefix& prefix) {
        const std::string where = to_string(prefix) + " lies in the subnet of " + interface;
        if (greater(interface, "arp_ignore") < 1) {
            add(Severity::Error,
                "arp_ignore",
                where + ", and this host answers ARP requests for it: neighbours find one node by "
                        "ARP instead of all by their route",
                "sysctl -w net.ipv4.conf." + interface +
                    ".arp_ignore=1, or take the VIP out of another subnet");
        }
        if (greater(interface, "arp_announce") < 2) {
            add(Severity::Warning,
                "arp_announce",
                where + ", and this host may name it as the sender of its ARP requests",
                "sysctl -w net.ipv4.conf." + interface + ".arp_announce=2");
        }
    }

    void vip_places() {
        std::set<IpAddress> known;
        for (const DoctorSetup::Vip& vip : setup_.vips) {
            for (const Prefix& prefix : vip.prefixes) {
                known.insert(prefix.address());
                for (const HostFacts::Address& own : host_.addresses) {
                    if (own.address == prefix.address() && own.interface != vip.interface) {
                        add(Severity::Warning,
                            "address",
                            to_string(prefix) + " of VIP " + vip.name + " is on " + own.interface +
                                " too, where nobody watches it; its interface is " + vip.interface,
                            "ip address del " + to_string(own.address) + "/" +
                                std::to_string(own.length_bits) + " dev " + own.interface);
                    }
                }
            }
        }
        for (const HostFacts::Address& own : host_.addresses) {
            const bool is_host = own.length_bits == host_length(own.address.family());
            if (own.interface == "lo" && is_host && !own.address.is_loopback() &&
                !known.contains(own.address)) {
                add(Severity::Note,
                    "address",
                    to_string(own.address) + " on lo is no VIP; if it was one, this host still "
                                             "answers for it itself",
                    "ip address del " + to_string(own.address) + "/" +
                        std::to_string(own.length_bits) + " dev lo, unless it is wanted");
            }
        }
    }

    void vip_sources() {
        for (const auto& [destination, source] : host_.sources) {
            for (const DoctorSetup::Vip& vip : setup_.vips) {
                const bool is_vip = std::ranges::any_of(
                    vip.prefixes, [&](const Prefix& prefix) { return prefix.contains(source); });
                if (is_vip) {
                    add(Severity::Error,
                        "source",
                        "towards " + destination + " this host speaks as VIP " + vip.name + " (" +
                            to_string(source) + "): answers may go to another node",
                        "give the interface an address of its own, or the route a src");
                }
            }
        }
    }

    void multipath() {
        constexpr std::array<std::pair<std::string_view, std::string_view>, 2> families{
            {{"net.ipv4.ip_forward", "net.ipv4.fib_multipath_hash_policy"},
             {"net.ipv6.conf.all.forwarding", "net.ipv6.fib_multipath_hash_policy"}}};
        for (const auto& [forwarding, policy] : families) {
            if (sysctl(std::string(forwarding), 0) == 1 && sysctl(std::string(policy), 1) == 0) {
                add(Severity::Warning,
                    "fib_multipath_hash_policy",
                    std::string(policy) + " is 0 and this host forwards: as a router it spreads by "
                                          "address only, one client always gets one node",
                    "sysctl -w " + std::string(policy) + "=1");
            }
        }
    }

    void dead_links() {
        for (const std::string& interface : interfaces_) {
            if (interfaces_.size() > 1 && greater(interface, "ignore_routes_with_linkdown") == 0) {
                add(Severity::Warning,
                    "ignore_routes_with_linkdown",
                    "routes by " + interface + " are used even when its link has no carrier",
                    "sysctl -w net.ipv4.conf." + interface +
                        ".ignore_routes_with_linkdown=1 "
                        "net.ipv6.conf." +
                        interface + ".ignore_routes_with_linkdown=1");
            }
        }
    }

    void path_mtu() {
        if (sysctl("net.ipv4.ip_no_pmtu_disc", 0) != 0) {
            add(Severity::Warning,
                "path_mtu",
                "path MTU discovery is off (net.ipv4.ip_no_pmtu_disc)",
                "sysctl -w net.ipv4.ip_no_pmtu_disc=0");
        }
        if (sysctl("net.ipv4.tcp_mtu_probing", 1) == 0) {
            add(Severity::Note,
                "path_mtu",
                "a router's \"packet too big\" for a VIP may reach another node than the one that "
                "sent the packet; then large answers hang",
                "sysctl -w net.ipv4.tcp_mtu_probing=1");
        }
    }

    void bgp_port() {
        const bool listens = std::ranges::any_of(setup_.routers, &DoctorSetup::Router::listens);
        if (listens && !host_.foreign_bgp_listeners.empty()) {
            add(Severity::Warning,
                "port 179",
                "another process listens on port 179: routers that dial reach it instead",
                "ss -ltnp sport = :179 names it; stop it, or set listen_port");
        }
    }

    void capabilities() {
        const auto need = [&](unsigned capability, std::string_view name, std::string_view what) {
            if ((host_.capabilities >> capability & 1U) == 0) {
                add(Severity::Error,
                    "capabilities",
                    std::string(name) + " is missing: " + std::string(what),
                    "AmbientCapabilities=" + std::string(name) + " in the service unit");
            }
        };
        need(CAP_NET_ADMIN, "CAP_NET_ADMIN", "addresses cannot be put on interfaces");
        need(CAP_NET_BIND_SERVICE, "CAP_NET_BIND_SERVICE", "port 179 cannot be listened on");
        need(CAP_NET_RAW,
             "CAP_NET_RAW",
             setup_.needs_raw ? "no router can be discovered, and drains cannot count packets"
                              : "drains and stops cannot count packets that still arrive");
    }

    void state_directory() {
        if (!host_.is_state_dir_writable) {
            add(Severity::Error,
                "state_dir",
                setup_.state_dir + " cannot be written: no drain survives a restart",
                "StateDirectory=anyvip in the service unit, or set daemon.state_dir");
        }
    }

    const DoctorSetup& setup_;
    const HostFacts& host_;
    std::set<std::string> interfaces_; ///< towards the routers
    std::vector<Finding> findings_;
};

} // namespace

std::vector<Finding> diagnose(const DoctorSetup& setup, const HostFacts& host) {
    return Examination(setup, host).findings();
}

boost::json::object doctor_document(Agent& agent) {
    const DoctorSetup setup = doctor_setup(agent);
    boost::json::array findings;
    for (const Finding& finding : diagnose(setup, read_host(setup))) {
        findings.push_back(boost::json::object{{"severity", to_string(finding.severity)},
                                               {"check", finding.check},
                                               {"finding", finding.finding},
                                               {"remedy", finding.remedy}});
    }
    return {{"findings", std::move(findings)}};
}

std::string_view to_string(Severity severity) {
    switch (severity) {
    case Severity::Error:
        return "error";
    case Severity::Warning:
        return "warning";
    case Severity::Note:
        return "note";
    }
    return "";
}

} // namespace anyvip::cmd
