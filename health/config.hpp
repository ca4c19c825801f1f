// SPDX-License-Identifier: Apache-2.0
// A [[check]] of the configuration, validated (CONTRACT section 2).
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace anyvip::health {

/// When to run, how to count: the keys common to all types.
struct Schedule {
    std::chrono::milliseconds interval{1000};
    std::chrono::milliseconds timeout{1000};
    std::chrono::milliseconds fast_interval{
        250}; ///< the parser fills min(interval, max(50 ms, interval / 4))
    std::uint32_t fall = 3;
    std::uint32_t rise = 2;
    bool hard_fail = true;
    std::chrono::milliseconds hard_fail_grace{0};
    friend bool operator==(const Schedule&, const Schedule&) = default;
};

enum class Scope : std::uint8_t { Local, Shared };
enum class Tripwire : std::uint8_t { Off, On, Connection };

struct TcpTarget {
    std::string target{}; ///< "127.0.0.1:8080", "[::1]:8080", "unix:/run/app.sock"; may hold {vip}
                          ///< until expanded
    std::string send{};
    std::string expect{};
    friend bool operator==(const TcpTarget&, const TcpTarget&) = default;
};

struct TlsOptions {
    std::string sni{};
    bool verify = true;
    std::string ca_file{};
    std::uint32_t min_days_valid = 0;
    friend bool operator==(const TlsOptions&, const TlsOptions&) = default;
};

struct TlsTarget {
    std::string target{};
    TlsOptions tls{};
    friend bool operator==(const TlsTarget&, const TlsTarget&) = default;
};

struct HttpTarget {
    std::string url{};
    std::string method = "GET";
    std::string host{};
    std::map<std::string, std::string> headers{};
    std::vector<std::pair<std::uint16_t, std::uint16_t>> expect_status{
        {200, 299}, {304, 304}}; ///< inclusive ranges
    std::string expect_body{};
    TlsOptions tls{};
    friend bool operator==(const HttpTarget&, const HttpTarget&) = default;
};

struct DnsTarget {
    std::string server{};
    std::string query{};
    std::string qtype = "A";
    bool over_tcp = false;
    std::string expect_rcode = "NOERROR";
    std::string expect_answer{};
    friend bool operator==(const DnsTarget&, const DnsTarget&) = default;
};

struct ExecTarget {
    std::vector<std::string> command{};
    std::map<std::string, std::string> env{};
    friend bool operator==(const ExecTarget&, const ExecTarget&) = default;
};

struct HaproxyTarget {
    std::string socket{};
    std::vector<std::string> backends{};
    std::uint32_t min_up = 1;
    friend bool operator==(const HaproxyTarget&, const HaproxyTarget&) = default;
};

struct ProcessTarget {
    std::string pidfile{}; ///< or
    std::string unit{};
    friend bool operator==(const ProcessTarget&, const ProcessTarget&) = default;
};

struct FileTarget {
    std::string path{};
    bool up_when_present = true;
    friend bool operator==(const FileTarget&, const FileTarget&) = default;
};

using Target = std::variant<TcpTarget,
                            TlsTarget,
                            HttpTarget,
                            DnsTarget,
                            ExecTarget,
                            HaproxyTarget,
                            ProcessTarget,
                            FileTarget>;

struct CheckConfig {
    std::string name{};
    Schedule schedule{};
    Scope scope = Scope::Local;
    Tripwire tripwire = Tripwire::On;
    std::string user{}; ///< exec: run as
    Target target{};
    friend bool operator==(const CheckConfig&, const CheckConfig&) = default;
};

/// "tcp", "tls", "http", "dns", "exec", "haproxy", "process", "file"
[[nodiscard]] std::string_view type_name(const Target& target);

/// True when a target holds the word {vip} and so runs once for each address.
[[nodiscard]] bool uses_vip(const Target& target);

/// The target for one address: {vip} replaced, IPv6 in brackets where a port or path may follow.
[[nodiscard]] Target expand_vip(const Target& target, std::string_view address, bool is_ipv6);

} // namespace anyvip::health
