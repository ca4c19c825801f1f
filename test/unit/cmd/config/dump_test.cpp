// SPDX-License-Identifier: Apache-2.0
// The dump: parsing it gives the same configuration; durations and strings survive.
#include <random>

#include "cmd/config/convert.hpp"
#include "cmd/config/dump_writer.hpp"
#include "cmd/config/secrets.hpp"
#include "test/unit/cmd/config/support.hpp"

using namespace anyvip;
using namespace anyvip::cmd;
using namespace anyvip::cmd::test;

namespace {

/// Builds valid configuration texts from choices of lines; the same seed gives the same text.
class Texts {
  public:
    explicit Texts(std::uint32_t seed) : random_(seed) {}

    [[nodiscard]] std::string next() {
        std::string text = "[node]\nasn = 65010\n";
        some(text, {"router_id = \"10.9.9.9\"", "name = \"lb-a\""});
        text += "[daemon]\n";
        some(text,
             {"http = \"\"",
              "http_hosts = [\"a.example\", \"b\"]",
              "log_level = \"debug\"",
              "log_format = \"json\"",
              "drain_file = \"/run/x\\\"y\"",
              "linger = \"90s\"",
              "silence = \"1h\"",
              "linger_min = \"1ms\"",
              "node_mark = false"});
        text += "[drain]\n";
        some(text,
             {"gshut = \"0s\"",
              "deadline = \"90m\"",
              "idle = \"1500ms\"",
              "keep_last = \"always\""});
        for (std::size_t i = 0; i < random_() % 4; ++i) {
            peer(text, i);
        }
        for (std::size_t i = 0; i < 8; ++i) {
            check(text, i);
        }
        for (std::size_t i = 0; i < random_() % 4; ++i) {
            vip(text, i);
        }
        some(text,
             {"[[hook]]\nevent = \"vip.*\"\ncommand = [\"/bin/a\", \"\\t\"]\nuser = \"nobody\""});
        return text;
    }

  private:
    void some(std::string& text, std::initializer_list<std::string_view> lines) {
        for (const std::string_view line : lines) {
            if (random_() % 3 == 0) {
                text += std::string(line) + '\n';
            }
        }
    }

    void one(std::string& text, std::initializer_list<std::string_view> lines) {
        text += std::string(*(lines.begin() + random_() % lines.size())) + '\n';
    }

    void peer(std::string& text, std::size_t i) {
        const std::string n = std::to_string(i);
        text += "[[peer]]\n";
        const std::string v4 = "address = \"10.0." + n + ".1\"\nmultihop = 3";
        const std::string ll = "address = \"fe80::" + n + "%eth0\"";
        const std::string un = "interface = \"eth" + n + "\"\nra = false";
        one(text, {v4, ll, un});
        one(text,
            {"asn = 65001\nprepend = 4\nrole = \"customer\"",
             "asn = \"external\"",
             "asn = \"internal\"\nlocal_pref = 7",
             "asn = 65010\nmed = 0"});
        one(text,
            {"",
             "password_file = \"/etc/keys/a\"",
             "password = \"\"",
             "tcp_ao = { key_file = \"/etc/keys/b\", recv_id = 9, algorithm = \"aes-128-cmac-96\" "
             "}"});
        one(text, {"", "bfd = true", "bfd = { transmit = \"1500us\", strict = true }"});
        some(text,
             {"port = 1179",
              "passive = true",
              "hold_time = \"90s\"",
              "connect_retry = \"4s\"",
              "open_hold = \"10s\"",
              "send_hold_time = \"300s\"",
              "default_route = true",
              "families = [\"ipv6\"]",
              "extended_next_hop = true",
              "next_hop_ipv4 = \"10.1.1.1\"",
              "next_hop_ipv6 = \"2001:db8::7\"",
              "ttl_security = 1",
              "strict_rfc4271 = true",
              "ipv6_link_local_next_hop = \"never\"",
              "max_received = 10",
              "communities = [\"1:2\", \"no-export\", \"1:2:3\", \"so:65536:1\", "
              "\"rt:10.0.0.1:2\"]"});
    }

    void check(std::string& text, std::size_t i) {
        text += "[[check]]\nname = \"c" + std::to_string(i) + "\"\n";
        one(text,
            {"type = \"tcp\"\ntarget = \"[::1]:80\"\nsend = \"a\\r\\n\\\\\\u0001ä\"",
             "type = \"tls\"\ntarget = \"{vip}:443\"\nverify = false\nsni = \"a\"",
             "type = \"http\"\nurl = \"http://a/\"\nheaders = { A = \"b\", C = \"\" }\n"
             "expect_status = \"200\"",
             "type = \"dns\"\nserver = \"127.0.0.1:53\"\nquery = \"a\"\ntransport = \"tcp\"",
             "type = \"exec\"\ncommand = [\"/bin/a\"]\nenv = { A = \"1\" }\nuser = \"nobody\"",
             "type = \"haproxy\"\nsocket = \"/a\"\nbackend = [\"a\", \"b\"]",
             "type = \"process\"\nunit = \"a.service\"",
             "type = \"file\"\npath = \"/a\"\nup_when = \"absent\""});
        some(text,
             {"interval = \"100ms\"",
              "timeout = \"5s\"",
              "fall = 1",
              "rise = 9",
              "tripwire = false",
              "hard_fail = false",
              "hard_fail_grace = \"2s\"",
              "scope = \"shared\""});
    }

    void vip(std::string& text, std::size_t i) {
        const std::string n = std::to_string(i);
        text += "[[vip]]\nname = \"v" + n + "\"\nallow_prefix = true\naddresses = [\"203.0.113." +
                n + "\", \"2001:db8:" + n + "::/48\"]\n";
        some(text,
             {"checks = [\"c0\", \"c3\"]",
              "on_down = \"backup\"",
              "backup_med = 4294967295",
              "interface = \"dummy0\"",
              "address_policy = \"external\"",
              "bandwidth = \"2.5Gbit\"",
              "bandwidth_step = 0",
              "slow_start = \"1m\"",
              "hold_down = \"1s\"",
              "damping = false",
              "med = 5",
              "prepend = 100",
              "require = \"any\"",
              "communities = [\"graceful-shutdown\", \"rt:1:2\", \"65010:1:1\"]"});
    }

    std::mt19937 random_;
};

} // namespace

TEST_CASE("CONTRACT 1: a dump without a router ID says that none can be derived") {
    Config config = valid(node);
    const std::string without = dump_config(config);
    CHECK(without.find("\n# none can be derived on this host, and anyvipd will not start without "
                       "one\nrouter_id = \"\"\n") != std::string::npos);
    CHECK(valid(without) == config);
    config.node.router_id = bgp::RouterId{0x0a00000b};
    config.node.name = "lb-a";
    const std::string complete = dump_config(config);
    CHECK(
        complete.starts_with("[node]\nasn = 65010\nrouter_id = \"10.0.0.11\"\nname = \"lb-a\"\n"));
    CHECK(valid(complete) == config);
}

TEST_CASE("parsing the dump of a configuration gives the configuration") {
    for (std::uint32_t seed = 0; seed < 300; ++seed) {
        CAPTURE(seed);
        const std::string text = Texts(seed).next();
        const Config config = valid(text);
        const std::string dumped = dump_config(config);
        CAPTURE(dumped);
        REQUIRE(valid(dumped) == config);
        REQUIRE(dump_config(valid(dumped)) == dumped);
    }
}

TEST_CASE("a dump hides passwords and keeps the names of secret files") {
    const std::string dumped = dump_config(valid(with_peer("password = \"s3cret\"")));
    CHECK(dumped.find("s3cret") == std::string::npos);
    CHECK(dumped.find("password = \"********\"") != std::string::npos);
    Config hidden = valid(dumped);
    hidden.peers.front().password = "s3cret";
    CHECK(hidden == valid(with_peer("password = \"s3cret\"")));
}

TEST_CASE("a dump hides secrets of checks: headers and variables, by their names") {
    const auto check = [](const std::string& lines) {
        return valid("[node]\nasn = 65010\n[[check]]\nname = \"c\"\n" + lines);
    };
    const Config http = check("type = \"http\"\nurl = \"http://a/\"\nheaders = { Authorization = "
                              "\"hunter2\", X-API-Key = \"hunter2\", Cookie = \"hunter2\", "
                              "Accept = \"text/plain\", X-Token = \"\" }\n");
    const Config exec = check("type = \"exec\"\ncommand = [\"/bin/a\"]\nenv = { PGPASSWORD = "
                              "\"hunter2\", MYSQL_PWD = \"hunter2\", Client_Secret = \"hunter2\", "
                              "LANG = \"C\", PWD = \"/tmp\" }\n");
    for (const Config& config : {http, exec}) {
        const std::string dumped = dump_config(config);
        CAPTURE(dumped);
        CHECK(dumped.find("hunter2") == std::string::npos);
        CHECK(dump_config(valid(dumped)) == dumped);
        CHECK(has_secret(config.checks.front()));
    }
    const std::string dumped = dump_config(http);
    CHECK(dumped.find("\"Authorization\" = \"********\"") != std::string::npos);
    CHECK(dumped.find("\"Accept\" = \"text/plain\"") != std::string::npos);
    CHECK(dumped.find("\"X-Token\" = \"\"") != std::string::npos);
    CHECK(dump_config(exec).find("\"PWD\" = \"/tmp\"") != std::string::npos);
    CHECK_FALSE(has_secret(
        check("type = \"exec\"\ncommand = [\"/bin/a\"]\nenv = { LANG = \"C\" }\n").checks[0]));
}

TEST_CASE("a dump has a value for every key that has a default") {
    const std::string dumped = dump_config(
        valid(with_peer("[[vip]]\nname = \"a\"\naddresses = [\"203.0.113.1\"]\n"
                        "[[check]]\nname = \"c\"\ntype = \"http\"\nurl = \"http://a/\"\n")));
    for (const std::string_view line : {"hold_time = \"9s\"",
                                        "connect_retry = \"250ms\"",
                                        "open_hold = \"4m\"",
                                        "passive = false",
                                        "families = [\"ipv4\", \"ipv6\"]",
                                        "communities = []",
                                        "linger = \"5s\"",
                                        "deadline = \"5m\"",
                                        "require = \"all\"",
                                        "interface = \"lo\"",
                                        "damping = true",
                                        "fast_interval = \"250ms\"",
                                        "expect_status = \"200-299,304\"",
                                        "headers = {}"}) {
        CHECK_MESSAGE(dumped.find("\n" + std::string(line) + "\n") != std::string::npos, line);
    }
}

TEST_CASE("durations: whole numbers with a unit, and back") {
    using namespace std::chrono_literals;
    CHECK(parse_duration("300ms") == 300000us);
    CHECK(parse_duration("50us") == 50us);
    CHECK(parse_duration("1h") == 3600s);
    CHECK(parse_duration("2d") == 48h);
    for (const std::string_view bad : {"",
                                       "3",
                                       "s",
                                       "-1s",
                                       "1.5s",
                                       "3 s",
                                       "3S",
                                       "3sec",
                                       "99999999999999999999s",
                                       "999999d",
                                       "+1s"}) {
        CHECK_FALSE_MESSAGE(parse_duration(bad).has_value(), bad);
    }
    CHECK(parse_duration("3").error().find("unit") != std::string::npos);
    for (const std::string_view text : {"0s", "1us", "1500us", "1500ms", "90s", "5m", "48h"}) {
        CHECK(format_duration(parse_duration(text).value()) == text);
    }
}

TEST_CASE("bandwidths: the greatest unit that leaves a whole number") {
    CHECK(format_bandwidth(1e10) == "10Gbit");
    CHECK(format_bandwidth(2.5e9) == "2500Mbit");
    CHECK(format_bandwidth(1001) == "1001bit");
}

TEST_CASE("TOML strings escape quotes, backslashes and control characters") {
    CHECK(quote_toml("a\"b\\c\n\x7f") == "\"a\\\"b\\\\c\\u000A\\u007F\"");
    CHECK(quote_toml("ä") == "\"ä\"");
}
