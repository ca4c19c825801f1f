// SPDX-License-Identifier: Apache-2.0
// The word {vip} in every kind of target.
#include <doctest/doctest.h>

#include <vector>

#include "health/config.hpp"
#include "health/result.hpp"

namespace anyvip::health {
namespace {

TEST_CASE("CONTRACT §2: {vip} stands for an address, IPv6 in brackets where a port may follow") {
    struct Row {
        Target target;
        const char* type;
        Target v4;
        Target v6;
    };

    const std::vector<Row> rows{
        {TcpTarget{.target = "{vip}:80", .send = "to {vip}"},
         "tcp",
         TcpTarget{.target = "192.0.2.1:80", .send = "to 192.0.2.1"},
         TcpTarget{.target = "[2001:db8::1]:80", .send = "to 2001:db8::1"}},
        {TcpTarget{.target = "[{vip}]:80"},
         "tcp",
         TcpTarget{.target = "192.0.2.1:80"},
         TcpTarget{.target = "[2001:db8::1]:80"}},
        {TlsTarget{.target = "{vip}:443"},
         "tls",
         TlsTarget{.target = "192.0.2.1:443"},
         TlsTarget{.target = "[2001:db8::1]:443"}},
        {HttpTarget{.url = "http://{vip}/health?from={vip}", .host = "{vip}"},
         "http",
         HttpTarget{.url = "http://192.0.2.1/health?from=192.0.2.1", .host = "192.0.2.1"},
         HttpTarget{.url = "http://[2001:db8::1]/health?from=[2001:db8::1]",
                    .host = "[2001:db8::1]"}},
        {DnsTarget{.server = "{vip}:53", .query = "example.org"},
         "dns",
         DnsTarget{.server = "192.0.2.1:53", .query = "example.org"},
         DnsTarget{.server = "[2001:db8::1]:53", .query = "example.org"}},
        {ExecTarget{.command = {"/bin/check", "{vip}"}, .env = {{"VIP", "{vip}"}}},
         "exec",
         ExecTarget{.command = {"/bin/check", "192.0.2.1"}, .env = {{"VIP", "192.0.2.1"}}},
         ExecTarget{.command = {"/bin/check", "2001:db8::1"}, .env = {{"VIP", "2001:db8::1"}}}},
        {HaproxyTarget{.socket = "/run/{vip}.sock"},
         "haproxy",
         HaproxyTarget{.socket = "/run/192.0.2.1.sock"},
         HaproxyTarget{.socket = "/run/2001:db8::1.sock"}},
        {ProcessTarget{.pidfile = "/run/{vip}.pid"},
         "process",
         ProcessTarget{.pidfile = "/run/192.0.2.1.pid"},
         ProcessTarget{.pidfile = "/run/2001:db8::1.pid"}},
        {FileTarget{.path = "/run/{vip}"},
         "file",
         FileTarget{.path = "/run/192.0.2.1"},
         FileTarget{.path = "/run/2001:db8::1"}},
    };
    for (const Row& row : rows) {
        CAPTURE(row.type);
        CHECK(type_name(row.target) == row.type);
        CHECK(uses_vip(row.target));
        CHECK((expand_vip(row.target, "192.0.2.1", false) == row.v4));
        CHECK((expand_vip(row.target, "2001:db8::1", true) == row.v6));
        CHECK(!uses_vip(row.v4));
        CHECK((expand_vip(row.v6, "192.0.2.1", false) == row.v6));
    }
}

TEST_CASE("names of outcomes and states are those of the metrics and the JSON") {
    CHECK(to_string(Outcome::Pass) == "pass");
    CHECK(to_string(Outcome::Fail) == "fail");
    CHECK(to_string(Outcome::Timeout) == "timeout");
    CHECK(to_string(Outcome::Error) == "error");
}

} // namespace
} // namespace anyvip::health
