// SPDX-License-Identifier: Apache-2.0
// [[peer]]: every rule of CONTRACT section 2.
#include <filesystem>
#include <fstream>

#include <sys/stat.h>
#include <unistd.h>

#include "test/unit/cmd/config/support.hpp"

using namespace anyvip;
using namespace anyvip::cmd;
using namespace anyvip::cmd::test;

namespace {

[[nodiscard]] PeerEntry peer(std::string_view lines) {
    const Config config = valid(with_peer(lines));
    REQUIRE_FALSE(config.peers.empty());
    return config.peers.front();
}

[[nodiscard]] std::string only(std::string_view lines) {
    return std::string(node) + "[[peer]]\n" + std::string(lines) + '\n';
}

} // namespace

TEST_CASE("a peer of address and ASN has the documented defaults") {
    const PeerEntry entry = peer("");
    PeerEntry wanted;
    wanted.session.name = "10.0.0.1";
    wanted.session.remote_as = {.kind = bgp::RemoteAs::Kind::Number, .number = {65001}};
    wanted.address = IpAddress::v4(0x0A000001);
    CHECK(entry == wanted);
}

TEST_CASE("a peer has an address or an interface, not both, and an ASN") {
    check_one_problem(only("asn = 1"), "address is missing");
    check_one_problem(only("asn = 1\naddress = \"10.0.0.1\"\ninterface = \"eth0\""),
                      "cannot stand beside address");
    check_one_problem(only("address = \"10.0.0.1\""), "needs the key \"asn\"");
    check_one_problem(only("asn = 1\ninterface = \"a-name-that-is-too-long\""), "interface name");
}

TEST_CASE("peer addresses: unicast, link-local IPv6 only with its interface") {
    const auto address = [](std::string_view text) {
        return only("asn = 1\naddress = \"" + std::string(text) + '"');
    };
    const Config config = valid(address("fe80::1%eth0"));
    CHECK(config.peers.front().scope == "eth0");
    CHECK(config.peers.front().session.name == "fe80::1%eth0");
    check_one_problem(address("fe80::1"), "needs its interface");
    check_one_problem(address("2001:db8::1%eth0"), "is not link-local");
    check_one_problem(address("fe80::1%"), "bad interface");
    for (const std::string_view bad : {"",
                                       "10.0.0",
                                       "0.0.0.0",
                                       "::",
                                       "224.0.0.5",
                                       "ff02::1",
                                       "255.255.255.255",
                                       "::ffff:10.0.0.1",
                                       "router.example"}) {
        check_one_problem(address(bad), "address ");
    }
}

TEST_CASE("two peers share neither a name nor an address nor an interface") {
    check_one_problem(with_peer("name = \"a\"\n[[peer]]\nname=\"a\"\naddress=\"10.0.0.2\"\nasn=1"),
                      "the name \"a\" is taken");
    check_one_problem(with_peer("name = \"a\"\n[[peer]]\naddress=\"10.0.0.1\"\nasn=1"),
                      "belongs to another [[peer]]");
    check_one_problem(
        only("interface = \"eth0\"\nasn = 1\n[[peer]]\nname=\"b\"\ninterface = \"eth0\"\nasn = 1"),
        "give their addresses");
    CHECK(problems_of(only("address = \"fe80::1%eth0\"\nasn = 1\n"
                           "[[peer]]\naddress = \"fe80::1%eth1\"\nasn = 1"))
              .empty());
}

TEST_CASE("two peers share an address where their ports tell them apart") {
    const auto two = [](std::string_view first, std::string_view second) {
        return only("name = \"a\"\naddress = \"10.0.0.1\"\nasn = 1\n" + std::string(first) +
                    "\n[[peer]]\nname = \"b\"\naddress = \"10.0.0.1\"\nasn = 1\nport = 1179\n" +
                    std::string(second));
    };
    const std::string dials = "listen_port = 0";
    CHECK(problems_of(two(dials, dials)).empty());
    check_one_problem(two("", dials), "only with another port");
    check_one_problem(two(dials, ""), "only with another port");
    check_one_problem(two(dials, dials + "\nbfd = true"), "only with another port");
    check_one_problem(two(dials + "\nport = 1179", dials), "only with another port");
    check_one_problem(two(dials, dials) + "[[peer]]\nname = \"c\"\naddress = \"10.0.0.1\"\n"
                                          "asn = 1\nport = 1180",
                      "only with another port");
}

TEST_CASE("one link-local address on two interfaces has one key where both peers may dial in") {
    const auto two = [](std::string_view first, std::string_view second) {
        return only("address = \"fe80::1%eth0\"\nasn = 1\n" + std::string(first) +
                    "\n[[peer]]\naddress = \"fe80::1%eth1\"\nasn = 1\n" + std::string(second));
    };
    const std::string a = "password = \"a\"";
    const std::string b = "password = \"b\"";
    check_one_problem(two(a, b), "\"fe80::1%eth0\" has this address on another interface");
    check_one_problem(two(a, ""), "and another key");
    check_one_problem(two("", b), "listen_port = 0");
    CHECK(problems_of(two(a, a)).empty());
    CHECK(problems_of(two(a, b + "\nlisten_port = 0")).empty());
    CHECK(problems_of(two(a + "\nlisten_port = 1790", b)).empty());
}

TEST_CASE("peer.asn: a number, external or internal") {
    const auto asn = [](std::string_view text) {
        return only("address = \"10.0.0.1\"\nasn = " + std::string(text));
    };
    CHECK(valid(asn("\"internal\"")).peers.front().session.remote_as.kind ==
          bgp::RemoteAs::Kind::Internal);
    for (const std::string_view bad : {"0", "23456", "65535", "4294967295", "\"65001\"", "true"}) {
        check_one_problem(asn(bad), "asn must be a number");
    }
}

TEST_CASE("RFC 4271 §4.2: the hold time is zero or at least three seconds") {
    CHECK(peer("hold_time = \"0s\"").session.hold_time.count() == 0);
    CHECK(peer("hold_time = \"3s\"").session.hold_time.count() == 3);
    CHECK(peer("hold_time = \"9000ms\"").session.hold_time.count() == 9);
    check_one_problem(with_peer("hold_time = \"2s\""), "\"0s\" or from \"3s\"");
    check_one_problem(with_peer("hold_time = \"3500ms\""), "whole seconds");
    check_one_problem(with_peer("hold_time = \"65536s\""), "\"65535s\"");
    check_one_problem(with_peer("hold_time = 9"), "bare number");
    check_one_problem(with_peer("hold_time = \"9\""), "has no unit");
}

TEST_CASE("timers: positive, and in order") {
    check_one_problem(with_peer("connect_retry = \"0s\""), "at least \"1ms\"");
    check_one_problem(with_peer("connect_retry = \"3s\"\nconnect_retry_max = \"2s\""), "shorter");
    CHECK(peer("connect_retry = \"5s\"").session.connect_retry_max == std::chrono::seconds(5));
    CHECK_FALSE(peer("send_hold_time = \"\"").session.send_hold_time);
    CHECK(peer("send_hold_time = \"10s\"").session.send_hold_time == std::chrono::seconds(10));
    check_one_problem(with_peer("send_hold_time = \"9s\""), "longer than hold_time");
}

TEST_CASE("a passive peer must listen") {
    CHECK_FALSE(peer("listen_port = 0").session.listens);
    check_one_problem(with_peer("passive = true\nlisten_port = 0"), "needs a listen_port");
    check_one_problem(with_peer("port = 0"), "between 1 and 65535");
}

TEST_CASE("next hops and the source address are of the right family") {
    CHECK(peer("next_hop_ipv6 = \"2001:db8::1\"").session.next_hop_ipv6);
    check_one_problem(with_peer("next_hop_ipv4 = \"2001:db8::1\""), "must be an IPv4 address");
    check_one_problem(with_peer("next_hop_ipv6 = \"10.0.0.9\""), "must be an IPv6 address");
    check_one_problem(with_peer("local_address = \"2001:db8::1\""), "address family");
    check_one_problem(with_peer("local_address = \"10.0.0.1\""), "of the peer itself");
}

TEST_CASE("families: at least one, known ones; extended next hop by default when unnumbered") {
    CHECK(peer("families = [\"ipv6\"]").session.families == std::array{false, true});
    check_one_problem(with_peer("families = []"), "at least one");
    check_one_problem(with_peer("families = [\"ipv5\"]"), "must be one of \"ipv4\"");
    CHECK_FALSE(peer("").session.extended_next_hop);
    const Config unnumbered = valid(only("interface = \"eth0\"\nasn = \"external\"\nra = false"));
    CHECK(unnumbered.peers.front().session.extended_next_hop);
    CHECK_FALSE(unnumbered.peers.front().ra);
    check_one_problem(with_peer("ra = true"), "for peers with interface");
}

TEST_CASE("password, password_file and tcp_ao exclude one another") {
    CHECK(peer("password = \"secret\"").session.has_password);
    CHECK(peer("password_file = \"/etc/keys/a\"").password_file == "/etc/keys/a");
    CHECK_FALSE(peer("password = \"\"\npassword_file = \"\"").session.has_password);
    check_one_problem(with_peer("password = \"a\"\npassword_file = \"/etc/keys/a\""), "excludes");
    check_one_problem(with_peer("password = \"a\"\ntcp_ao = { key_file = \"/etc/keys/a\" }"),
                      "excludes");
    check_one_problem(with_peer("password = \"" + std::string(81, 'x') + '"'), "80 bytes");
    CHECK(peer("password = \"own\"\n[defaults.peer]\npassword_file = \"/etc/keys/a\"").password ==
          "own");
}

TEST_CASE("secret files exist") {
    check_one_problem(with_peer("password_file = \"/none\""), "No such file");
    check_one_problem(with_peer("password_file = \"keys/a\""), "absolute path");
    check_one_problem(with_peer("tcp_ao = { key_file = \"/none\" }"), "No such file");
}

TEST_CASE("CONTRACT 2: a key file of the default mode is a valid one, and warned of") {
    const auto directory =
        std::filesystem::temp_directory_path() / ("anyvip-keys-" + std::to_string(::getpid()));
    std::filesystem::create_directory(directory);
    const std::string key = directory / "key";
    const std::string other = directory / "other";
    for (const std::string& path : {key, other}) {
        std::ofstream(path) << "secret\n";
        ::chmod(path.c_str(), 0644);
    }
    const auto parsed = parse_config(with_peer("name = \"tor1\"\npassword_file = \"" + key +
                                               "\"\n[[peer]]\nname = \"tor2\"\n"
                                               "address = \"10.0.0.2\"\nasn = 1\n"
                                               "password_file = \"" +
                                               key +
                                               "\"\n[[peer]]\naddress = \"10.0.0.3\"\nasn = 1\n"
                                               "tcp_ao = { key_file = \"" +
                                               other + "\" }"));
    REQUIRE(parsed.has_value());
    CHECK(exposed_secret_files(*parsed, directory / "none") ==
          std::vector<SecretFile>{{key, "the key of peer tor1"},
                                  {other, "the key of peer 10.0.0.3"}});
    ::chmod(key.c_str(), 0640);
    const auto left = exposed_secret_files(*parsed, directory / "none");
    REQUIRE(left.size() == 1);
    CHECK(exposure_of(left[0]) ==
          other + " holds the key of peer 10.0.0.3 and can be read by everybody; chmod o-rwx it");
    std::filesystem::remove_all(directory);
}

TEST_CASE("the configuration is as secret as what stands in it") {
    CHECK(secret_files(valid(with_peer("password = \"x\"")), "/etc/file") ==
          std::vector<SecretFile>{{"/etc/file", "a password"}});
    CHECK(secret_files(valid(with_peer("password = \"x\"")), "").empty());
    CHECK(secret_files(valid(with_peer("")), "/etc/file").empty());
}

TEST_CASE("tcp_ao: key file required, identifiers of one octet, two algorithms") {
    const auto ao = peer("tcp_ao = { key_file = \"/etc/keys/a\", send_id = 7 }").tcp_ao;
    CHECK(ao == TcpAo{"/etc/keys/a", 7, 1, "hmac-sha1-96"});
    check_one_problem(with_peer("tcp_ao = {}"), "needs the key \"key_file\"");
    check_one_problem(with_peer("tcp_ao = true"), "must be a table");
    check_one_problem(with_peer("tcp_ao = { key_file = \"/etc/keys/a\", recv_id = 256 }"), "255");
    check_one_problem(with_peer("tcp_ao = { key_file = \"/etc/keys/a\", algorithm = \"md5\" }"),
                      "must be one of");
}

TEST_CASE("bfd: false, true, or a table with intervals down to microseconds") {
    CHECK_FALSE(peer("bfd = false").bfd);
    CHECK(peer("bfd = true").bfd == BfdConfig{});
    const auto bfd = peer("bfd = { transmit = \"12500us\", multiplier = 5, strict = true }").bfd;
    REQUIRE(bfd);
    CHECK(bfd->transmit.count() == 12500);
    CHECK(bfd->receive.count() == 300000);
    CHECK(bfd->strict);
    check_one_problem(with_peer("bfd = { multiplier = 0 }"), "between 1 and 255");
    check_one_problem(with_peer("bfd = { transmit = \"999us\" }"), "at least \"1ms\"");
    check_one_problem(with_peer("bfd = { recieve = \"1s\" }"), "did you mean \"receive\"?");
    check_one_problem(with_peer("bfd = 3"), "true, false or");
}

TEST_CASE("attributes that a kind of peer cannot have are refused there, ignored as a default") {
    const std::string internal = only("address = \"10.0.0.1\"\nasn = 65010\n");
    CHECK(valid(internal + "local_pref = 200").peers.front().session.policy.local_pref == 200U);
    check_one_problem(with_peer("local_pref = 200"), "for internal peers only");
    check_one_problem(internal + "prepend = 1", "for external peers only");
    check_one_problem(internal + "role = \"customer\"", "for external peers only");
    const std::string defaults = "[defaults.peer]\nprepend = 2\nlocal_pref = 200\n";
    CHECK(valid(internal + defaults).peers.front().session.policy.prepend == 0);
    CHECK_FALSE(peer(defaults).session.policy.local_pref);
    CHECK(peer("role = \"customer\"").session.role == std::uint8_t{3});
}

TEST_CASE("communities of three sizes are told apart; each bad one is reported") {
    const bgp::ExportPolicy policy =
        peer("communities = [\"65010:1\", \"no-export\", \"1:2:3\", \"rt:65010:7\"]")
            .session.policy;
    CHECK(policy.communities.size() == 2);
    CHECK(policy.large_communities.size() == 1);
    CHECK(policy.extended_communities.size() == 1);
    CHECK(problems_of(with_peer("communities = [\"65536:1\", \"x\", \"rt:1\", \"1:2:3:4\", 5]"))
              .size() == 5);
}

TEST_CASE("more communities than an UPDATE can carry are refused, once") {
    const auto list = [](int count) {
        std::string text;
        for (int i = 0; i < count; ++i) {
            text += "\"1:2:" + std::to_string(i) + "\",";
        }
        return "communities = [" + text + "]";
    };
    CHECK(peer(list(100)).session.policy.large_communities.size() == 100);
    const auto problems = problems_of(with_peer(list(200)));
    REQUIRE(problems.size() == 1);
    CHECK(problems[0].find("at most 100 communities") != std::string::npos);
}
