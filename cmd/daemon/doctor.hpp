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

    struct Router {
        std::string name;
        std::string interface;          ///< empty: unknown, no session yet
        std::string problem;            ///< empty: Established and of use
        bool has_default_route = false; ///< `default_route`
        bool listens = true;            ///< for its connections
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

    std::vector<Vip> vips;
    std::vector<Router> routers;
    bool needs_raw = false; ///< unnumbered peers send router advertisements
    std::string state_dir;
    std::vector<Trouble> default_routes; ///< learnt ones that are refused, hidden or not offered
    std::vector<Trouble> unequal;        ///< the router prefers another node's path to ours
    std::vector<Trouble> less_equal;     ///< the router prefers ours to another node's
    std::vector<std::string> silent;     ///< VIPs that got nothing in their first minute
};

/// What the kernel says.
struct HostFacts {
    struct Address {
        std::string interface;
        IpAddress address;
        std::uint8_t length_bits = 0;
    };

    /// "net.ipv4.conf.eth0.rp_filter" -> 1; absent: cannot be read.
    std::map<std::string, int, std::less<>> sysctls;
    std::vector<Address> addresses;
    std::map<std::string, IpAddress> sources; ///< by destination: the source the kernel would take
    std::uint64_t capabilities = 0;           ///< effective
    std::vector<std::uint32_t> foreign_bgp_listeners; ///< inodes of sockets on port 179 not ours
    std::set<std::uint16_t> foreign_bfd_ports;        ///< UDP ports of BFD that others have
    bool is_state_dir_writable = true;
    std::map<std::string, int> mtus;                      ///< by interface
    std::map<std::string, std::string> managers;          ///< by interface: networkd and others
    std::array<std::vector<std::string>, 2> default_ways; ///< by Family: interfaces of the default
                                                          ///< route that the kernel prefers
    std::chrono::milliseconds clock_step{0}; ///< of the wall clock, since the daemon started
    bool is_clock_synchronized = true;
};

/// Where host facts are read; tests have their own.
struct HostPaths {
    std::string networkd = "/run/systemd/netif/links";
    std::string network_manager = "/run/NetworkManager/devices";
};

[[nodiscard]] DoctorSetup doctor_setup(Agent& agent);
[[nodiscard]] HostFacts read_host(const DoctorSetup& setup, const HostPaths& paths = {});
/// The gravest first.
[[nodiscard]] std::vector<Finding> diagnose(const DoctorSetup& setup, const HostFacts& host);

/// The part of `diagnose` that is about ways: routes, links, BFD, what routers prefer, the clock.
void diagnose_ways(const DoctorSetup& setup, const HostFacts& host, std::vector<Finding>& findings);

/// {"findings":[{"severity","check","finding","remedy"}]}
[[nodiscard]] boost::json::object doctor_document(Agent& agent);

[[nodiscard]] std::string_view to_string(Severity severity);

} // namespace anyvip::cmd
