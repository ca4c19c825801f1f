// SPDX-License-Identifier: Apache-2.0
#include "cmd/daemon/doctor.hpp"

#include <algorithm>
#include <array>
#include <ranges>
#include <set>
#include <utility>

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
        secrets();
        if (setup_.has_daemon) { // these are of its process
            capabilities();
            state_directory();
        }
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
            for (const auto& [problem, remedy] : router.family_problems) {
                add(Severity::Warning,
                    "routers",
                    router.name + " " + problem,
                    remedy + "; anyvip peers " + router.name);
            }
        }
    }

    [[nodiscard]] static std::string loose_filter(const std::string& interface) {
        return "sysctl -w net.ipv4.conf.all.rp_filter=2 net.ipv4.conf." + interface +
               ".rp_filter=2";
    }

    // With two ways in, a packet may come from where the answer would not go; with one, too, when
    // answers leave by a third.
    void reverse_path() {
        const auto& ways = host_.default_ways[static_cast<std::size_t>(Family::Ipv4)];
        const auto& routed = host_.gateway_interfaces[static_cast<std::size_t>(Family::Ipv4)];
        for (const std::string& interface : interfaces_) {
            if (greater(interface, "rp_filter") != 1) {
                continue;
            }
            const bool is_default =
                ways.empty() ||
                std::ranges::find(ways, interface, &HostFacts::Way::interface) != ways.end();
            if (interfaces_.size() > 1 || (!is_default && !routed.contains(interface))) {
                add(Severity::Error,
                    "rp_filter",
                    "packets that come in by " + interface +
                        " are dropped when their answer would leave by another interface",
                    loose_filter(interface));
            } else if (!is_default) {
                add(Severity::Note,
                    "rp_filter",
                    "packets that come in by " + interface +
                        " are dropped when they are not from where its routes lead: the default "
                        "route leaves by " +
                        ways.front().interface,
                    loose_filter(interface));
            }
        }
    }

    // A VIP out of a connected subnet is asked for by ARP; the node that answers gets all traffic.
    void arp() {
        std::set<std::pair<std::string, Prefix>> told; // a link may have several addresses
        for (const HostFacts::Address& own : host_.addresses) {
            const Prefix subnet = Prefix::of(own.address, own.length_bits);
            if (subnet.is_host() || own.interface == "lo" || !own.has_neighbours) {
                continue;
            }
            for (const DoctorSetup::Vip& vip : setup_.vips) {
                for (const Prefix& prefix : vip.prefixes) {
                    if (!subnet.contains(prefix.address()) ||
                        !told.emplace(own.interface, prefix).second) {
                        continue;
                    }
                    if (vip.interface == own.interface) {
                        on_link(vip, prefix);
                    } else if (own.address.is_v4()) { // IPv6 answers on the address's link alone
                        arp_of(own.interface, prefix);
                    }
                }
            }
        }
    }

    // arp_ignore does not help here, short of 8, which answers for nothing at all.
    void on_link(const DoctorSetup::Vip& vip, const Prefix& prefix) {
        const bool is_v4 = prefix.address().is_v4();
        if (is_v4 && greater(vip.interface, "arp_ignore") == 8) {
            return;
        }
        add(Severity::Error,
            is_v4 ? "arp" : "neighbour discovery",
            to_string(prefix) + " of VIP " + vip.name + " is on " + vip.interface +
                ", in a subnet of that very link: every node there answers " +
                (is_v4 ? "ARP" : "neighbour") +
                " requests for it, and neighbours use the one that was the quickest",
            "put it on lo (interface = \"lo\"), or take the VIP out of another subnet");
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
        left_behind(known);
    }

    // On lo a host address is a VIP, or was one. On a link it may be the host's own, too.
    void left_behind(const std::set<IpAddress>& known) {
        std::set<std::string> places{"lo"};
        for (const DoctorSetup::Vip& vip : setup_.vips) {
            places.insert(vip.interface);
        }
        for (const HostFacts::Address& own : host_.addresses) {
            const bool is_host = own.length_bits == host_length(own.address.family());
            const bool is_own_of_link =
                own.interface != "lo" &&
                std::ranges::any_of(host_.sources | std::views::values,
                                    [&](const IpAddress& source) { return source == own.address; });
            if (places.contains(own.interface) && is_host && !own.address.is_loopback() &&
                !own.address.is_link_local() && !known.contains(own.address) && !is_own_of_link) {
                add(Severity::Note,
                    "address",
                    to_string(own.address) + " on " + own.interface +
                        " is no VIP; if it was one, this host still answers for it itself",
                    "ip address del " + to_string(own.address) + "/" +
                        std::to_string(own.length_bits) + " dev " + own.interface +
                        ", unless it is wanted");
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
        const std::string key = "ignore_routes_with_linkdown";
        if (interfaces_.size() < 2) {
            return;
        }
        for (const std::string& interface : interfaces_) {
            std::string remedy;
            if (greater(interface, key) == 0) {
                remedy += " net.ipv4.conf." + interface + "." + key + "=1";
            }
            // IPv6 asks the interface alone. Absent: there is no IPv6.
            if (sysctl("net.ipv6.conf." + interface + "." + key, 1) == 0 &&
                setup_.has_vip_of(Family::Ipv6)) {
                remedy += " net.ipv6.conf." + interface + "." + key + "=1";
            }
            if (!remedy.empty()) {
                add(Severity::Warning,
                    key,
                    "routes by " + interface + " are used even when its link has no carrier",
                    "sysctl -w" + remedy);
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
        const bool listens = std::ranges::any_of(
            setup_.routers, [](const auto& router) { return router.listen_port != 0; });
        for (const HostFacts::Listener& listener : host_.foreign_listeners) {
            const std::string port = std::to_string(listener.port);
            const std::string who = listener.owner.empty() ? "another process" : listener.owner;
            const bool is_needed = std::ranges::any_of(setup_.routers, [&](const auto& router) {
                return router.listen_port == listener.port;
            });
            const std::string remedy =
                "ss -ltnp sport = :" + port + " names it; stop it, or set listen_port";
            if (!setup_.has_daemon && is_needed) {
                add(Severity::Error,
                    "port " + port,
                    who + " listens on port " + port + ": anyvipd cannot start",
                    remedy);
            } else if (setup_.has_daemon && listens) {
                add(Severity::Warning,
                    "port " + port,
                    who + " listens on port " + port + ": routers that dial reach it instead",
                    remedy);
            }
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
        const int first_free = sysctl("net.ipv4.ip_unprivileged_port_start", 1024);
        for (const DoctorSetup::Router& router : setup_.routers) {
            if (router.listen_port != 0 && router.listen_port < first_free) {
                need(CAP_NET_BIND_SERVICE,
                     "CAP_NET_BIND_SERVICE",
                     "port " + std::to_string(router.listen_port) + " cannot be listened on");
                break;
            }
        }
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

    void secrets() {
        for (const SecretFile& file : setup_.secret_files) {
            if (host_.exposed_files.contains(file.path)) {
                add(Severity::Warning,
                    "secrets",
                    file.path + " holds " + file.secret + " and can be read by everybody",
                    "chmod o-rwx " + file.path);
            }
        }
    }

    const DoctorSetup& setup_;
    const HostFacts& host_;
    std::set<std::string> interfaces_; ///< towards the routers
    std::vector<Finding> findings_;
};

} // namespace

bool DoctorSetup::has_vip_of(Family family) const {
    return std::ranges::any_of(vips, [&](const Vip& vip) {
        return std::ranges::any_of(vip.prefixes,
                                   [&](const Prefix& prefix) { return prefix.family() == family; });
    });
}

std::vector<Finding> diagnose(const DoctorSetup& setup, const HostFacts& host) {
    return Examination(setup, host).findings();
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
