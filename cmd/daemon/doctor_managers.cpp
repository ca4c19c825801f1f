// SPDX-License-Identifier: Apache-2.0
// Who else has his hands on an interface, as the files of network managers tell.
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <net/if.h>
#include <sys/types.h>

#include "cmd/daemon/doctor.hpp"

namespace anyvip::cmd {
namespace {

/// Whether a file has this line.
[[nodiscard]] bool has_line(const std::string& path, std::string_view prefix, bool is_whole) {
    std::ifstream file(path);
    std::string line;
    while (std::getline(file, line)) {
        if (is_whole ? line == prefix : line.starts_with(prefix)) {
            return true;
        }
    }
    return false;
}

/// "iface lo inet static" and the like; what is `manual` or the loopback's usual is left alone.
[[nodiscard]] bool has_ifupdown(const std::string& path, const std::string& interface) {
    std::vector<std::filesystem::path> files{path};
    std::error_code error; // most often: there is no such directory
    const std::filesystem::directory_iterator end;
    for (std::filesystem::directory_iterator entry(path + ".d", error); !error && entry != end;
         entry.increment(error)) {
        files.push_back(entry->path());
    }
    for (const std::filesystem::path& name : files) {
        std::ifstream file(name);
        std::string line;
        while (std::getline(file, line)) {
            std::istringstream words(line);
            std::string keyword;
            std::string which;
            std::string family;
            std::string method;
            words >> keyword >> which >> family >> method;
            if (keyword == "iface" && which == interface && !method.empty() &&
                method != "loopback" && method != "manual") {
                return true;
            }
        }
    }
    return false;
}

/// A DHCP client of this very interface: it flushes its addresses with each new lease.
[[nodiscard]] std::string dhcp_client_of(const std::string& run, const std::string& interface) {
    for (const auto& [client, name] : {std::pair("dhclient", "dhclient." + interface + ".pid"),
                                       std::pair("dhclient", "dhclient-" + interface + ".pid"),
                                       std::pair("dhcpcd", "dhcpcd-" + interface + ".pid"),
                                       std::pair("dhcpcd", "dhcpcd/" + interface + ".pid"),
                                       std::pair("udhcpc", "udhcpc." + interface + ".pid")}) {
        std::ifstream file(run + "/" + name);
        pid_t pid = 0;
        // In its unit the daemon does not see the process; that it must not signal it is enough.
        if (file >> pid && pid > 0 && (::kill(pid, 0) == 0 || errno == EPERM)) {
            return client;
        }
    }
    return {};
}

} // namespace

// networkd and NetworkManager write one file for each interface, named by its index.
std::string manager_of(const std::string& interface, const HostPaths& paths) {
    const std::string index = std::to_string(::if_nametoindex(interface.c_str()));
    const std::string networkd = paths.networkd + "/" + index;
    if (has_line(networkd, "NETWORK_FILE=", false) &&
        !has_line(networkd, "ADMIN_STATE=unmanaged", true)) {
        return "systemd-networkd";
    }
    if (has_line(paths.network_manager + "/" + index, "managed=true", true)) {
        return "NetworkManager";
    }
    const std::string client = dhcp_client_of(paths.run, interface);
    return client.empty() && has_ifupdown(paths.ifupdown, interface) ? "ifupdown" : client;
}

} // namespace anyvip::cmd
