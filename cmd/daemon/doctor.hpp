// SPDX-License-Identifier: Apache-2.0
// `anyvip doctor`: what on this host makes announced VIPs fail in silence. Facts are read by
// `read_host`, judged by `diagnose`, which touches nothing.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
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
        std::string interface; ///< empty: unknown, no session yet
        std::string problem;   ///< empty: Established and of use
    };

    std::vector<Vip> vips;
    std::vector<Router> routers;
    bool needs_raw = false; ///< unnumbered peers send router advertisements
    std::string state_dir;
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
    bool is_state_dir_writable = true;
};

[[nodiscard]] DoctorSetup doctor_setup(Agent& agent);
[[nodiscard]] HostFacts read_host(const DoctorSetup& setup);
/// The gravest first.
[[nodiscard]] std::vector<Finding> diagnose(const DoctorSetup& setup, const HostFacts& host);

/// {"findings":[{"severity","check","finding","remedy"}]}
[[nodiscard]] boost::json::object doctor_document(Agent& agent);

[[nodiscard]] std::string_view to_string(Severity severity);

} // namespace anyvip::cmd
