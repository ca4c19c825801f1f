// SPDX-License-Identifier: Apache-2.0
// Where the doctor's facts come from: a few small files of /proc, the addresses of the interfaces,
// and route look-ups. Some milliseconds in all, and only when asked.
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include <dirent.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/timex.h>
#include <unistd.h>

#include "bgp/bfd_net/sockets.hpp"
#include "cmd/daemon/doctor.hpp"
#include "cmd/daemon/wall_time.hpp"
#include "vip/kernel/local.hpp"
#include "vip/kernel/route_kernel.hpp"

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
        for (const std::string key :
             {"disable_ipv6", "keep_addr_on_down", "ignore_routes_with_linkdown"}) {
            read_sysctl(host,
                        "net.ipv6.conf." + interface + "." + key,
                        "net/ipv6/conf/" + interface + "/" + key);
        }
    }
    read_sysctl(host, "net.ipv4.ip_forward", "net/ipv4/ip_forward");
    read_sysctl(host, "net.ipv6.conf.all.forwarding", "net/ipv6/conf/all/forwarding");
    for (const std::string family : {"ipv4", "ipv6"}) {
        read_sysctl(host,
                    "net." + family + ".fib_multipath_hash_policy",
                    "net/" + family + "/fib_multipath_hash_policy");
    }
    for (const std::string key :
         {"ip_no_pmtu_disc", "tcp_mtu_probing", "ip_unprivileged_port_start"}) {
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
                                  bits_of(mask),
                                  (entry->ifa_flags & (IFF_LOOPBACK | IFF_NOARP)) == 0});
    }
    ::freeifaddrs(list);
}

// Documentation addresses stand for "somewhere in the Internet".
void read_sources(HostFacts& host, const DoctorSetup& setup) {
    for (const std::string far : {"192.0.2.1", "2001:db8::1"}) {
        if (const auto source = vip::kernel::local_address_towards(*IpAddress::parse(far))) {
            host.sources.emplace(far, *source);
        }
    }
    for (const DoctorSetup::Router& router : setup.routers) {
        if (!router.address) {
            continue;
        }
        const auto source = vip::kernel::local_address_towards(*router.address, router.interface);
        if (source) {
            host.sources.emplace(to_string(*router.address), *source);
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

/// A line of /proc/net/tcp or udp: "sl local:port remote:port state … inode".
struct SocketLine {
    std::uint32_t port = 0;
    std::string state;
    std::uint32_t inode = 0;
};

[[nodiscard]] std::optional<SocketLine> parse_socket(const std::string& line) {
    std::istringstream words(line);
    std::string slot;
    std::string local;
    std::string skipped;
    SocketLine socket;
    words >> slot >> local >> skipped >> socket.state;
    for (int i = 0; i < 5; ++i) {
        words >> skipped;
    }
    const std::size_t colon = local.rfind(':');
    if (!(words >> socket.inode) || colon == std::string::npos ||
        std::sscanf(local.c_str() + colon + 1, "%x", &socket.port) != 1) {
        return std::nullopt;
    }
    return socket;
}

template <class Visit> void each_foreign_socket(const std::string& protocol, Visit visit) {
    const std::set<std::uint32_t> own = own_sockets();
    for (const std::string family : {"", "6"}) {
        std::ifstream file("/proc/self/net/" + protocol + family);
        std::string line;
        while (std::getline(file, line)) {
            const auto socket = parse_socket(line);
            if (socket && !own.contains(socket->inode)) {
                visit(*socket);
            }
        }
    }
}

[[nodiscard]] bool is_number(std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

/// The file names of a directory, one after the other until `visit` returns true. What ends or is
/// not ours to look into is left out.
template <class Visit> bool find_in(const std::filesystem::path& directory, Visit visit) {
    std::error_code error;
    const std::filesystem::directory_iterator end;
    for (std::filesystem::directory_iterator entry(directory, error); !error && entry != end;
         entry.increment(error)) {
        if (visit(entry->path())) {
            return true;
        }
    }
    return false;
}

/// Who has a socket: root sees that of everybody. It looks through all processes, so that the
/// daemon does not ask: its loop has other things to do, and its unit hides them anyway.
[[nodiscard]] std::string owner_of(std::uint32_t inode) {
    const std::string wanted = "socket:[" + std::to_string(inode) + "]";
    const auto is_socket = [&](const std::filesystem::path& file) {
        std::error_code error;
        return std::filesystem::read_symlink(file, error) == wanted;
    };
    std::string owner;
    find_in("/proc", [&](const std::filesystem::path& process) {
        const std::string pid = process.filename();
        if (!is_number(pid) || !find_in(process / "fd", is_socket)) {
            return false;
        }
        std::string name = "a process";
        std::getline(std::ifstream(process / "comm"), name);
        owner = name + " (pid " + pid + ")";
        return true;
    });
    return owner;
}

void read_sockets(HostFacts& host, const DoctorSetup& setup) {
    std::set<std::uint32_t> ports{179};
    for (const DoctorSetup::Router& router : setup.routers) {
        ports.insert(router.listen_port);
    }
    std::set<std::uint32_t> seen;
    each_foreign_socket("tcp", [&](const SocketLine& socket) {
        // LISTEN; one line for each address, but one finding for a port.
        if (ports.contains(socket.port) && socket.state == "0A" &&
            seen.insert(socket.port).second) {
            host.foreign_listeners.push_back(
                {static_cast<std::uint16_t>(socket.port),
                 setup.has_daemon ? std::string() : owner_of(socket.inode)});
        }
    });
    each_foreign_socket("udp", [&](const SocketLine& socket) {
        if (socket.port == bgp::bfd_net::single_hop_port ||
            socket.port == bgp::bfd_net::multihop_port) {
            host.foreign_bfd_ports.insert(static_cast<std::uint16_t>(socket.port));
        }
    });
}

void read_mtus(HostFacts& host, const DoctorSetup& setup) {
    for (const DoctorSetup::Router& router : setup.routers) {
        ifreq request{};
        router.interface.copy(request.ifr_name, IFNAMSIZ - 1);
        const int descriptor = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (descriptor >= 0 && !router.interface.empty() &&
            ::ioctl(descriptor, SIOCGIFMTU, &request) == 0) {
            host.mtus[router.interface] = request.ifr_mtu;
        }
        if (descriptor >= 0) {
            ::close(descriptor);
        }
    }
}

void read_managers(HostFacts& host, const DoctorSetup& setup, const HostPaths& paths) {
    std::set<std::string> interfaces;
    for (const DoctorSetup::Vip& vip : setup.vips) {
        interfaces.insert(vip.interface);
    }
    for (const DoctorSetup::Router& router : setup.routers) {
        interfaces.insert(router.interface);
    }
    for (const std::string& interface : interfaces) {
        if (std::string manager = manager_of(interface, paths); !manager.empty()) {
            host.managers[interface] = std::move(manager);
        }
    }
}

void read_routes(HostFacts& host) {
    std::array<std::optional<std::uint32_t>, 2> best;
    vip::kernel::WaysOut out = vip::kernel::read_ways_out();
    for (const auto& route : out.defaults) {
        const auto family = static_cast<std::size_t>(route.key.family);
        if (best[family] && *best[family] <= route.key.metric) {
            continue;
        }
        best[family] = route.key.metric;
        auto& ways = host.default_ways[family];
        ways.clear();
        for (const vip::NextHop& next_hop : route.next_hops) {
            ways.push_back({next_hop.interface, next_hop.address});
        }
        if (ways.empty() && !route.interfaces.empty()) { // by the interface alone
            ways.push_back({route.interfaces.front(), std::nullopt});
        }
    }
    host.gateway_interfaces = std::move(out.gateway_interfaces);
}

/// Wall clock minus monotonic clock: constant while nobody steps the wall clock.
[[nodiscard]] Duration clock_offset() {
    const Now now = read_clocks();
    return now.wall.time_since_epoch() - now.monotonic.time_since_epoch();
}

const Duration clock_offset_at_start = clock_offset();

void read_clock(HostFacts& host) {
    host.clock_step = std::chrono::duration_cast<std::chrono::milliseconds>(clock_offset() -
                                                                            clock_offset_at_start);
    timex state{};
    // ProtectClock of the shipped unit forbids even to ask.
    host.is_clock_synchronized =
        ::adjtimex(&state) < 0 ? std::nullopt : std::optional((state.status & STA_UNSYNC) == 0);
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

} // namespace

HostFacts read_host(const DoctorSetup& setup, const HostPaths& paths) {
    HostFacts host;
    read_addresses(host);
    read_sysctls(host, setup);
    read_sources(host, setup);
    read_sockets(host, setup);
    read_mtus(host, setup);
    read_managers(host, setup, paths);
    read_routes(host);
    read_clock(host);
    read_capabilities(host);
    for (const SecretFile& file : setup.secret_files) {
        if (is_readable_by_everybody(file.path)) {
            host.exposed_files.insert(file.path);
        }
    }
    host.is_state_dir_writable = ::access(setup.state_dir.c_str(), W_OK | X_OK) == 0;
    return host;
}

} // namespace anyvip::cmd
