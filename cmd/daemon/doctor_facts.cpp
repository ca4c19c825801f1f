// SPDX-License-Identifier: Apache-2.0
// Where the doctor's facts come from: a few small files of /proc, the addresses of the interfaces,
// and route look-ups. Some milliseconds in all, and only when asked.
#include <cstring>
#include <fstream>
#include <set>
#include <sstream>

#include <dirent.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <unistd.h>

#include "cmd/daemon/doctor.hpp"
#include "vip/kernel/local.hpp"

namespace anyvip::cmd {
namespace {

void read_sysctl(HostFacts& host, const std::string& name, const std::string& path) {
    int value = 0;
    if (std::ifstream("/proc/sys/" + path) >> value) {
        host.sysctls[name] = value;
    }
}

void read_sysctls(HostFacts& host, const DoctorSetup& setup) {
    // The dots of an interface's name (eth0.100) are no separators: name and path apart.
    std::set<std::string> interfaces{"all"};
    for (const HostFacts::Address& own : host.addresses) {
        interfaces.insert(own.interface);
    }
    for (const DoctorSetup::Router& router : setup.routers) {
        interfaces.insert(router.interface);
    }
    interfaces.erase("");
    for (const std::string& interface : interfaces) {
        for (const std::string key :
             {"rp_filter", "arp_ignore", "arp_announce", "ignore_routes_with_linkdown"}) {
            read_sysctl(host,
                        "net.ipv4.conf." + interface + "." + key,
                        "net/ipv4/conf/" + interface + "/" + key);
        }
    }
    read_sysctl(host, "net.ipv4.ip_forward", "net/ipv4/ip_forward");
    read_sysctl(host, "net.ipv6.conf.all.forwarding", "net/ipv6/conf/all/forwarding");
    for (const std::string family : {"ipv4", "ipv6"}) {
        read_sysctl(host,
                    "net." + family + ".fib_multipath_hash_policy",
                    "net/" + family + "/fib_multipath_hash_policy");
    }
    for (const std::string key : {"ip_no_pmtu_disc", "tcp_mtu_probing"}) {
        read_sysctl(host, "net.ipv4." + key, "net/ipv4/" + key);
    }
}

template <std::size_t Size> std::uint8_t bits_of(const std::uint8_t (&mask)[Size]) {
    unsigned bits = 0;
    for (const std::uint8_t octet : mask) {
        bits += static_cast<unsigned>(__builtin_popcount(octet));
    }
    return static_cast<std::uint8_t>(bits);
}

void read_addresses(HostFacts& host) {
    ifaddrs* list = nullptr;
    if (::getifaddrs(&list) != 0) {
        return;
    }
    for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
        if (entry->ifa_addr == nullptr || entry->ifa_netmask == nullptr) {
            continue;
        }
        std::uint8_t octets[16]{};
        std::uint8_t mask[16]{};
        std::size_t size = 0;
        if (entry->ifa_addr->sa_family == AF_INET) {
            size = 4;
            std::memcpy(octets, &reinterpret_cast<sockaddr_in*>(entry->ifa_addr)->sin_addr, size);
            std::memcpy(mask, &reinterpret_cast<sockaddr_in*>(entry->ifa_netmask)->sin_addr, size);
        } else if (entry->ifa_addr->sa_family == AF_INET6) {
            size = 16;
            std::memcpy(octets, &reinterpret_cast<sockaddr_in6*>(entry->ifa_addr)->sin6_addr, size);
            std::memcpy(
                mask, &reinterpret_cast<sockaddr_in6*>(entry->ifa_netmask)->sin6_addr, size);
        } else {
            continue;
        }
        host.addresses.push_back({entry->ifa_name,
                                  IpAddress::from_octets(std::span(octets).first(size)),
                                  bits_of(mask)});
    }
    ::freeifaddrs(list);
}

// Documentation addresses stand for "somewhere in the Internet".
void read_sources(HostFacts& host) {
    for (const std::string far : {"192.0.2.1", "2001:db8::1"}) {
        if (const auto source = vip::kernel::local_address_towards(*IpAddress::parse(far))) {
            host.sources.emplace(far, *source);
        }
    }
}

std::set<std::uint32_t> own_sockets() {
    std::set<std::uint32_t> inodes;
    DIR* directory = ::opendir("/proc/self/fd");
    if (directory == nullptr) {
        return inodes;
    }
    while (const dirent* entry = ::readdir(directory)) {
        char target[64]{};
        if (::readlinkat(::dirfd(directory), entry->d_name, target, sizeof target - 1) < 0) {
            continue;
        }
        unsigned inode = 0;
        if (std::sscanf(target, "socket:[%u]", &inode) == 1) {
            inodes.insert(inode);
        }
    }
    ::closedir(directory);
    return inodes;
}

// Lines of /proc/net/tcp: "sl local:port remote:port state … inode"; state 0A is LISTEN.
void read_listeners(HostFacts& host) {
    const std::set<std::uint32_t> own = own_sockets();
    for (const char* path : {"/proc/self/net/tcp", "/proc/self/net/tcp6"}) {
        std::ifstream file(path);
        std::string line;
        while (std::getline(file, line)) {
            std::istringstream words(line);
            std::string slot;
            std::string local;
            std::string remote;
            std::string state;
            std::string skipped;
            std::uint32_t inode = 0;
            words >> slot >> local >> remote >> state;
            for (int i = 0; i < 5; ++i) {
                words >> skipped;
            }
            if (words >> inode && state == "0A" && local.ends_with(":00B3") &&
                !own.contains(inode)) {
                host.foreign_bgp_listeners.push_back(inode);
            }
        }
    }
}

void read_capabilities(HostFacts& host) {
    std::ifstream file("/proc/self/status");
    std::string key;
    while (file >> key) {
        if (key == "CapEff:") {
            file >> std::hex >> host.capabilities;
            return;
        }
    }
}

std::string problem_of(const bgp::PeerStatus& status) {
    if (status.state != bgp::SessionState::Established) {
        const std::string state(bgp::to_string(status.state));
        return status.last_error
                   ? state + ", " + status.last_error->name +
                         (status.last_error->message.empty() ? ""
                                                             : ": " + status.last_error->message)
                   : state;
    }
    for (const std::string& problem : status.family_problem) {
        if (!problem.empty()) {
            return problem;
        }
    }
    return {};
}

} // namespace

DoctorSetup doctor_setup(Agent& agent) {
    DoctorSetup setup;
    for (const vip::VipConfig& vip : agent.config().vips) {
        setup.vips.push_back({vip.name, vip.interface, vip.addresses});
    }
    for (const PeerEntry& entry : agent.config().peers) {
        const bgp::Peer* peer = agent.find_peer(entry.session.name);
        if (peer == nullptr) {
            continue;
        }
        const bgp::PeerStatus status = peer->status();
        setup.routers.push_back({entry.session.name,
                                 status.endpoints ? status.endpoints->interface : entry.interface,
                                 problem_of(status)});
        setup.needs_raw = setup.needs_raw || !entry.interface.empty();
    }
    setup.state_dir = agent.config().daemon.state_dir;
    return setup;
}

HostFacts read_host(const DoctorSetup& setup) {
    HostFacts host;
    read_addresses(host);
    read_sysctls(host, setup);
    read_sources(host);
    read_listeners(host);
    read_capabilities(host);
    host.is_state_dir_writable = ::access(setup.state_dir.c_str(), W_OK | X_OK) == 0;
    return host;
}

} // namespace anyvip::cmd
