// SPDX-License-Identifier: Apache-2.0
// `anyvip doctor`: what on this host makes announced VIPs fail in silence. Facts are read by
// `read_host`, judged by `diagnose`, which touches nothing.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>

#include "cmd/agent/agent.hpp"
#include "cmd/config/config.hpp"

namespace anyvip::cmd {

/// How bad: an error breaks traffic, a warning breaks it in a case that will come, a note is for
/// the day it is slow.
enum class Severity : std::uint8_t { Error, Warning, Note };

struct Finding {
    Severity severity;
    std::string check; ///< what was looked at, as a short name: "rp_filter"
    std::string finding;
    std::string remedy;
    friend bool operator==(const Finding&, const Finding&) = default;
};

/// What the configuration and the sessions say.
struct DoctorSetup {
    struct Vip {
        std::string name;
        std::string interface;
        std::vector<Prefix> prefixes;
    };

    struct FamilyProblem {
        std::string problem;
        std::string remedy;
    };

    struct Router {
        std::string name;
        std::string interface; ///< that of its session, else of the route there; empty: unknown
        std::optional<IpAddress> address;
        std::array<bool, 2> families{true, true};   ///< by Family: of VIPs that are announced there
        std::string problem;                        ///< empty: Established
        std::vector<FamilyProblem> family_problems; ///< Established, but not for all `families`
        bool has_default_route = false;             ///< `default_route`
        std::uint16_t listen_port = 179;            ///< for its connections; 0: none
        bool has_bfd = false;
        bool is_multihop = false;
        std::string bfd_problem; ///< empty: fine, off, or too early to tell
    };

    /// Something about one VIP at one router, or about one route; for whom, and what.
    struct Trouble {
        std::string subject;
        std::string text;
        friend bool operator==(const Trouble&, const Trouble&) = default;
    };

    [[nodiscard]] bool has_vip_of(Family family) const;

    std::vector<Vip> vips;
    std::vector<Router> routers;
    bool has_daemon = true; ///< false: it does not run, what it knows is not known
    bool needs_raw = false; ///< unnumbered peers send router advertisements
    std::string state_dir;
    std::vector<Trouble> default_routes; ///< learnt ones that are refused, hidden or not offered
    std::vector<Trouble> unequal;        ///< the router prefers another node's path to ours
    std::vector<Trouble> less_equal;     ///< the router prefers ours to another node's
    std::vector<std::string> silent;     ///< VIPs that got nothing in their first minute
    std::vector<SecretFile> secret_files;
};

/// What the kernel says.
struct HostFacts {
    struct Address {
        std::string interface;
        IpAddress address;
        std::uint8_t length_bits = 0;
        bool has_neighbours = true; ///< not on a loopback or dummy interface
    };

    struct Listener {
        std::uint16_t port = 0;
        std::string owner; ///< "bird (pid 17)"; empty: not to be seen from here
    };

    /// By which a default route leaves.
    struct Way {
        std::string interface;
        std::optional<IpAddress> gateway; ///< nullopt: by the interface alone
    };

    /// "net.ipv4.conf.eth0.rp_filter" -> 1; absent: cannot be read.
    std::map<std::string, int, std::less<>> sysctls;
    std::vector<Address> addresses;
    std::map<std::string, IpAddress> sources;  ///< by destination: the source the kernel would take
    std::uint64_t capabilities = 0;            ///< effective
    std::vector<Listener> foreign_listeners;   ///< on port 179 and those of `listen_port`, not ours
    std::set<std::uint16_t> foreign_bfd_ports; ///< UDP ports of BFD that others have
    std::set<std::string> exposed_files;       ///< of `secret_files`: everybody may read them
    bool is_state_dir_writable = true;
    std::map<std::string, int> mtus;              ///< by interface
    std::map<std::string, std::string> managers;  ///< by interface: networkd and others
    std::array<std::vector<Way>, 2> default_ways; ///< by Family: of that which the kernel prefers
    /// By Family: interfaces with a route by a gateway beside the default route.
    std::array<std::set<std::string>, 2> gateway_interfaces;
    std::chrono::milliseconds clock_step{0}; ///< of the wall clock, since the daemon started
    std::optional<bool> is_clock_synchronized = true; ///< nullopt: the unit keeps that from us
};

/// Where host facts are read; tests have their own.
struct HostPaths {
    std::string networkd = "/run/systemd/netif/links";
    std::string network_manager = "/run/NetworkManager/devices";
    std::string ifupdown = "/etc/network/interfaces"; ///< and the files of the directory NAME.d
    std::string run = "/run";                         ///< where DHCP clients leave their numbers
};

[[nodiscard]] DoctorSetup doctor_setup(Agent& agent);
/// Without a daemon: what the configuration alone says.
[[nodiscard]] DoctorSetup doctor_setup(const Config& config);
[[nodiscard]] HostFacts read_host(const DoctorSetup& setup, const HostPaths& paths = {});
/// Who else manages an interface: "systemd-networkd"; empty: nobody.
[[nodiscard]] std::string manager_of(const std::string& interface, const HostPaths& paths);
/// The gravest first.
[[nodiscard]] std::vector<Finding> diagnose(const DoctorSetup& setup, const HostFacts& host);

/// The part of `diagnose` that is about ways: routes, links, BFD, what routers prefer, the clock.
void diagnose_ways(const DoctorSetup& setup, const HostFacts& host, std::vector<Finding>& findings);

/// {"findings":[{"severity","check","finding","remedy"}]}, and "if_clock_is_unsynchronized": a
/// finding for whoever may ask the kernel for that, where the daemon may not.
[[nodiscard]] boost::json::object doctor_document(Agent& agent);
/// The text of the same without a daemon, as far as configuration and host tell. `file`: the
/// configuration.
[[nodiscard]] std::string doctor_without_daemon(const std::string& file);

/// That the wall clock is set by nobody.
[[nodiscard]] Finding unsynchronized_clock();

[[nodiscard]] std::string_view to_string(Severity severity);

} // namespace anyvip::cmd
