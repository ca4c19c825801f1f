// SPDX-License-Identifier: Apache-2.0
// [[check]] and [[vip]]: every rule of CONTRACT section 2.
#include "test/unit/cmd/config/support.hpp"

using namespace anyvip;
using namespace anyvip::cmd;
using namespace anyvip::cmd::test;
using std::chrono::milliseconds;

namespace {

constexpr std::string_view tcp = "type = \"tcp\"\ntarget = \"127.0.0.1:80\"\n";

[[nodiscard]] health::CheckConfig check(std::string_view lines) {
    const Config config = valid(with_check(lines));
    REQUIRE_FALSE(config.checks.empty());
    return config.checks.front();
}

[[nodiscard]] health::CheckConfig tcp_check(std::string_view lines) {
    return check(std::string(tcp) + std::string(lines));
}

[[nodiscard]] std::string bad_tcp(std::string_view lines) {
    return with_check(std::string(tcp) + std::string(lines));
}

[[nodiscard]] vip::VipConfig one_vip(std::string_view lines) {
    const Config config = valid(with_vip(lines));
    REQUIRE_FALSE(config.vips.empty());
    return config.vips.front();
}

/// A VIP with one address and these further lines, beside two local checks and a shared one.
[[nodiscard]] std::string with_checks(std::string_view lines) {
    std::string text = with_vip("addresses = [\"203.0.113.10\"]\n" + std::string(lines));
    for (const std::string_view name : {"a", "b"}) {
        text += "[[check]]\nname = \"" + std::string(name) + "\"\n" + std::string(tcp);
    }
    return text + "[[check]]\nname = \"db\"\nscope = \"shared\"\n" + std::string(tcp) +
           "[[check]]\nname = \"self\"\ntype = \"tcp\"\ntarget = \"{vip}:80\"\n";
}

} // namespace

TEST_CASE("a check has the documented defaults; the fast interval follows the interval") {
    const health::CheckConfig plain = tcp_check("");
    CHECK(plain.schedule == health::Schedule{});
    CHECK(plain.tripwire == health::Tripwire::On);
    CHECK(tcp_check("interval = \"100ms\"").schedule.fast_interval == milliseconds(50));
    CHECK(tcp_check("interval = \"20ms\"").schedule.fast_interval == milliseconds(20));
    CHECK(tcp_check("interval = \"10s\"").schedule.fast_interval == milliseconds(2500));
    CHECK(tcp_check("fast_interval = \"100ms\"").schedule.fast_interval == milliseconds(100));
    check_one_problem(bad_tcp("fast_interval = \"2s\""), "longer than interval");
}

TEST_CASE("check: numbers and durations within limits") {
    for (const std::string_view line : {"fall = 0",
                                        "rise = 0",
                                        "fall = 1001",
                                        "interval = \"0s\"",
                                        "timeout = \"0ms\"",
                                        "interval = 1",
                                        "scope = \"remote\"",
                                        "tripwire = \"yes\"",
                                        "hard_fail = 1"}) {
        check_one_problem(bad_tcp(line), line.substr(0, line.find(' ')));
    }
    check_one_problem(bad_tcp("scope = \"shared\"\ntripwire = \"connection\""), "shared");
    check_one_problem(bad_tcp("user = \"nobody\""), "for checks of type exec");
}

TEST_CASE("a check needs a name and a known type; a key of another type says whose it is") {
    check_one_problem(std::string(node) + "[[check]]\n" + std::string(tcp),
                      "needs the key \"name\"");
    check_one_problem(with_check("target = \"127.0.0.1:1\""), "needs the key \"type\"");
    check_one_problem(with_check("type = \"ping\""), "must be one of \"tcp\", \"tls\"");
    check_one_problem(bad_tcp("url = \"http://127.0.0.1/\""),
                      "key \"url\" is for checks of type http, not tcp");
    check_one_problem(bad_tcp("intervall = \"1s\""), "did you mean \"interval\"?");
    check_one_problem(bad_tcp("[[check]]\nname = \"web\"\n" + std::string(tcp)), "is taken");
    check_one_problem(std::string(node) + "[[check]]\nname = \"a@b\"\n" + std::string(tcp), "@");
}

TEST_CASE("tcp and tls targets: host and port, IPv6 in brackets, a socket for tcp alone") {
    const auto target = [](std::string_view type, std::string_view text) {
        return with_check("type = \"" + std::string(type) + "\"\ntarget = \"" + std::string(text) +
                          '"');
    };
    for (const std::string_view good :
         {"127.0.0.1:80", "[::1]:80", "{vip}:80", "[{vip}]:80", "db.example:5432", "unix:/run/a"}) {
        CHECK(problems_of(target("tcp", good)).empty());
    }
    for (const std::string_view bad : {"",
                                       ":80",
                                       "127.0.0.1",
                                       "127.0.0.1:0",
                                       "::1:80",
                                       "[::1]",
                                       "[x]:80",
                                       "unix:run/a",
                                       "a b:1"}) {
        check_one_problem(target("tcp", bad), "target ");
    }
    check_one_problem(target("tls", "unix:/run/a"), "target ");
}

TEST_CASE("http: URL, status ranges, headers") {
    const auto http = [](std::string_view lines) {
        return with_check("type = \"http\"\nurl = \"http://127.0.0.1:8080/healthz\"\n" +
                          std::string(lines));
    };
    const Config config =
        valid(http("expect_status = \"200, 204-206\"\nheaders = { X-A = \"1\" }"));
    const auto& target = std::get<health::HttpTarget>(config.checks.front().target);
    CHECK(target.expect_status ==
          std::vector<std::pair<std::uint16_t, std::uint16_t>>{{200, 200}, {204, 206}});
    CHECK(target.headers.at("X-A") == "1");
    for (const std::string_view bad : {"", "2xx", "200-", "300-200", "200;304", "99", "200,"}) {
        check_one_problem(http("expect_status = \"" + std::string(bad) + '"'), "expect_status ");
    }
    check_one_problem(http("headers = { \"bad name\" = \"1\" }"), "bad name");
    check_one_problem(http("headers = { A = \"x\\ny\" }"), "control characters");
    check_one_problem(http("headers = { A = 1 }"), "headers.A must be a string");
    check_one_problem(http("method = \"GET /\""), "HTTP method");
    check_one_problem(http("ca_file = \"/none\""), "No such file");
    for (const std::string_view bad :
         {"ftp://a/", "http://", "http://a:0/", "http://u@a/", "127.0.0.1", "http://a b/"}) {
        check_one_problem(with_check("type = \"http\"\nurl = \"" + std::string(bad) + '"'), "url ");
    }
    CHECK(problems_of(with_check("type = \"http\"\nurl = \"https://{vip}/\"")).empty());
    CHECK(problems_of(with_check("type = \"http\"\nurl = \"https://[::1]/\"")).empty());
}

TEST_CASE("dns, exec, haproxy, process and file have their own rules") {
    const std::string dns = "type = \"dns\"\nserver = \"127.0.0.1:53\"\n";
    CHECK(std::get<health::DnsTarget>(check(dns + "query = \"a.example\"").target).qtype == "A");
    check_one_problem(with_check(dns), "needs the key \"query\"");
    check_one_problem(with_check(dns + "query = \"a\"\nqtype = \"AAA\""), "must be one of");
    check_one_problem(with_check("type = \"exec\""), "command is missing");
    check_one_problem(with_check("type = \"exec\"\ncommand = [\"/usr/lib/none\"]"), "No such file");
    check_one_problem(with_check("type = \"exec\"\ncommand = [\"/bin/a\"]\nuser = \"nemo\""),
                      "no user of /etc/passwd");
    const std::string haproxy = "type = \"haproxy\"\nsocket = \"/run/h.sock\"\n";
    CHECK(std::get<health::HaproxyTarget>(check(haproxy + "backend = \"web\"").target).backends ==
          std::vector<std::string>{"web"});
    CHECK(std::get<health::HaproxyTarget>(check(haproxy + "backend = [\"a\", \"b\"]").target)
              .backends.size() == 2);
    check_one_problem(with_check(haproxy), "needs the key \"backend\"");
    check_one_problem(with_check(haproxy + "backend = []"), "at least one");
    check_one_problem(with_check("type = \"process\""), "one is needed");
    check_one_problem(with_check("type = \"process\"\npidfile = \"/a\"\nunit = \"b\""), "only one");
    check_one_problem(with_check("type = \"file\"\npath = \"a\""), "absolute path");
}

TEST_CASE("a VIP of addresses alone has the documented defaults") {
    vip::VipConfig wanted;
    wanted.name = "www";
    wanted.addresses = {Prefix::host(IpAddress::v4(0xCB00710A))};
    CHECK(one_vip("addresses = [\"203.0.113.10\"]") == wanted);
    check_one_problem(with_vip(""), "addresses is missing");
    check_one_problem(with_vip("addresses = []"), "at least one address");
}

TEST_CASE("VIP addresses that nobody may announce are refused, each for itself") {
    for (const std::string_view bad : {"127.0.0.1",
                                       "::1",
                                       "224.0.0.1",
                                       "ff02::1",
                                       "169.254.1.1",
                                       "fe80::1",
                                       "0.0.0.0",
                                       "::",
                                       "255.255.255.255",
                                       "::ffff:1.2.3.4",
                                       "10.0.0.0/24",
                                       "10.0.0.1/24",
                                       "10.0.0.1/33",
                                       "x"}) {
        check_one_problem(with_vip("addresses = [\"" + std::string(bad) + "\"]"), "addresses ");
    }
    CHECK(problems_of(with_vip("addresses = [\"127.0.0.1\", \"::1\", \"203.0.113.1\"]")).size() ==
          2);
    CHECK(one_vip("addresses = [\"10.0.0.0/24\"]\nallow_prefix = true").addresses.size() == 1);
    check_one_problem(with_vip("addresses = [\"0.0.0.0/0\"]\nallow_prefix = true"), "addresses ");
    check_one_problem(with_vip("addresses = [\"10.0.0.1/24\"]\nallow_prefix = true"), "addresses ");
}

TEST_CASE("CONTRACT 2: the router ID that runs is no VIP, wherever it comes from") {
    const std::string text = with_vip("addresses = [\"10.0.0.11\"]");
    const bgp::RouterId running{0x0a00000b};
    CHECK(parse_config(text, FakeHost()).has_value());
    const auto reloaded = parse_config(text, FakeHost(), running);
    REQUIRE_FALSE(reloaded.has_value());
    REQUIRE(reloaded.error().size() == 1);
    CHECK(reloaded.error()[0].line == 5);
    CHECK(reloaded.error()[0].message.find("already the router_id") != std::string::npos);
    // One that takes effect at the next start does not free it.
    CHECK_FALSE(parse_config("[node]\nasn = 1\nrouter_id = \"10.0.0.12\"\n"
                             "[[vip]]\nname = \"b\"\naddresses = [\"10.0.0.11\"]",
                             FakeHost(),
                             running)
                    .has_value());
}

TEST_CASE("an address belongs to one VIP, and neither to a peer nor to router_id") {
    check_one_problem(with_vip("addresses = [\"203.0.113.1\", \"203.0.113.1/32\"]"),
                      "already in the VIP \"www\"");
    check_one_problem(with_vip("addresses = [\"203.0.113.1\"]\n"
                               "[[vip]]\nname = \"b\"\naddresses = [\"203.0.113.1\"]"),
                      "already in the VIP \"www\"");
    check_one_problem(
        with_peer("name = \"tor1\"\n[[vip]]\nname = \"b\"\naddresses = [\"10.0.0.1\"]"),
        "already the address of the peer \"tor1\"");
    check_one_problem("[node]\nasn = 1\nrouter_id = \"10.0.0.11\"\n"
                      "[[vip]]\nname = \"b\"\naddresses = [\"10.0.0.11\"]",
                      "already the router_id");
    check_one_problem(with_vip("addresses = [\"203.0.113.1\"]\n"
                               "[[vip]]\nname = \"www\"\naddresses = [\"203.0.113.2\"]"),
                      "is taken");
}

TEST_CASE("checks and peers of a VIP are configured and named once") {
    check_one_problem(with_checks("checks = [\"webb\"]"), "\"webb\", which is not configured");
    check_one_problem(with_checks("checks = [\"a\", \"a\"]"), "twice");
    check_one_problem(with_checks("peers = [\"tor1\"]"), "not configured");
    check_one_problem(with_checks("checks = \"a\""), "must be an array");
}

TEST_CASE("require counts the local checks") {
    const auto required = [](std::string_view lines) {
        return valid(with_checks(lines)).vips.front().require;
    };
    CHECK(required("checks = [\"a\", \"b\"]\nrequire = \"any\"") == 1);
    CHECK(required("checks = [\"a\", \"b\"]\nrequire = 2") == 2);
    CHECK(required("require = \"any\"") == 0);
    check_one_problem(with_checks("checks = [\"a\", \"db\"]\nrequire = 2"), "has 1 of scope local");
    check_one_problem(with_checks("checks = [\"a\"]\nrequire = 0"), "between 1");
    check_one_problem(with_checks("checks = [\"a\"]\nrequire = \"some\""), "must be \"all\"");
    check_one_problem(with_checks("checks = [\"a\"]\nrequire = true"), "must be \"all\"");
}

TEST_CASE("a check of {vip} is impossible with address_policy follow") {
    CHECK(problems_of(with_checks("checks = [\"self\"]")).empty());
    check_one_problem(with_checks("checks = [\"self\"]\naddress_policy = \"follow\""), "{vip}");
}

TEST_CASE("bandwidth has a unit") {
    const auto bits = [](std::string_view text) {
        return one_vip("addresses = [\"203.0.113.1\"]\nbandwidth = " + std::string(text))
            .bandwidth_bits_per_second;
    };
    CHECK_FALSE(bits("\"\""));
    CHECK(bits("\"10Gbit\"") == 1e10);
    CHECK(bits("\"2.5Gbit\"") == 2.5e9);
    for (const std::string_view bad :
         {"10", "\"10\"", "\"10GB\"", "\"-1Gbit\"", "\"1bit\"", "\"nan\"", "\"1e300bit\""}) {
        check_one_problem(
            with_vip("addresses = [\"203.0.113.1\"]\nbandwidth = " + std::string(bad)),
            "bandwidth ");
    }
}
