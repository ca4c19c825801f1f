// SPDX-License-Identifier: Apache-2.0
// dns checks: the message codec byte by byte, and servers that lie.
#include <array>
#include <map>
#include <vector>

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/write.hpp>

#include "health/probe/dns_message.hpp"
#include "test/unit/health/probe/support.hpp"

namespace anyvip::health {
namespace {

using namespace test;
using boost::asio::ip::udp;
using namespace std::string_literals;

// id 0x1234, RD; one question example.org A IN
const std::string query = "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"s
                          "\x07"s
                          "example\x03"s
                          "org\x00"s
                          "\x00\x01\x00\x01"s;

/// The query, answered: flags, answer count and answer section changed.
std::string reply(const std::string& asked,
                  const std::string& flags,
                  std::uint8_t count,
                  const std::string& answers) {
    std::string message = asked + answers;
    message.replace(2, 2, flags);
    message[7] = static_cast<char>(count);
    return message;
}

// name: pointer to the question; A IN, TTL 60, 192.0.2.1
const std::string record_a = "\xC0\x0C\x00\x01\x00\x01\x00\x00\x00\x3C\x00\x04\xC0\x00\x02\x01"s;
const std::string no_error = "\x81\x80"s;
const std::string truncated = "\x83\x80"s;
const std::string server_failure = "\x81\x82"s;

TEST_CASE("RFC 1035 §4.1: a query is one question with recursion desired") {
    CHECK(encode_dns_query({.id = 0x1234, .name = "example.org", .qtype = "A"}) == query);
    CHECK(encode_dns_query({.id = 0x1234, .name = "example.org.", .qtype = "TYPE1"}) == query);
    CHECK(encode_dns_query({.id = 0, .name = ".", .qtype = "NS"})->size() == 17);

    struct Row {
        std::string name;
        std::string qtype;
    };

    const std::vector<Row> bad{{"a..b", "A"},
                               {std::string(64, 'a'), "A"},
                               {std::string(300, 'a').replace(100, 1, "."), "A"},
                               {"a", "XYZ"},
                               {"a", "TYPE"},
                               {"a", "TYPE70000"}};
    for (const Row& row : bad) {
        CAPTURE(row.name);
        CHECK(!encode_dns_query({.id = 1, .name = row.name, .qtype = row.qtype}));
    }
}

TEST_CASE("RFC 1035 §4.1: answers are rendered as dig does, whatever they point at") {
    struct Row {
        std::string record;
        const char* text;
    };

    const std::vector<Row> rows{
        {record_a, "192.0.2.1"},
        {"\xC0\x0C\x00\x1C\x00\x01\x00\x00\x00\x3C\x00\x10"
         "\x20\x01\x0D\xB8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01"s,
         "2001:db8::1"},
        {"\xC0\x0C\x00\x05\x00\x01\x00\x00\x00\x3C\x00\x06\x03www\xC0\x0C"s, "www.example.org."},
        {"\xC0\x0C\x00\x0F\x00\x01\x00\x00\x00\x3C\x00\x04\x00\x0A\xC0\x0C"s, "10 example.org."},
        {"\xC0\x0C\x00\x10\x00\x01\x00\x00\x00\x3C\x00\x06\x02hi\x02yo"s, "\"hi\" \"yo\""},
        {"\xC0\x0C\x00\x10\x00\x01\x00\x00\x00\x3C\x00\x03\xFFhi"s, "\"hi\""},
        {"\xC0\x0C\x00\x21\x00\x01\x00\x00\x00\x3C\x00\x08\x00\x0A\x00\x14\x01\xBB\xC0\x0C"s,
         "10 20 443 example.org."},
        {"\xC0\x0C\x00\x06\x00\x01\x00\x00\x00\x3C\x00\x1A\x02ns\xC0\x0C\x00"
         "\x78\x00\x00\x01\x00\x00\x0E\x10\x00\x00\x02\x58\x00\x09\x3A\x80\x00\x00\x01\x2C"s,
         "ns.example.org. . 2013265921 3600 600 604800 300"},
        {"\xC0\x0C\x01\x01\x00\x01\x00\x00\x00\x3C\x00\x0E\x80\x05issueca.test"s,
         "128 issue \"ca.test\""},
        {"\xC0\x0C\x01\x01\x00\x01\x00\x00\x00\x3C\x00\x02\xAB\xCD"s, "\\# 2 abcd"},
        {"\xC0\x0C\x00\x2B\x00\x01\x00\x00\x00\x3C\x00\x02\xAB\xCD"s, "\\# 2 abcd"},
        {"\xC0\x0C\x00\x01\x00\x01\x00\x00\x00\x3C\x00\x02\xAB\xCD"s, "\\# 2 abcd"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.text);
        const auto answer = parse_dns_answer(query, reply(query, no_error, 1, row.record));
        REQUIRE(answer);
        CHECK(answer->rcode == "NOERROR");
        CHECK(answer->records == std::vector<std::string>{row.text});
    }
}

TEST_CASE("RFC 1035 §4.1: malformed and foreign answers are refused, and no pointer loops") {
    const std::vector<std::string> bad{
        reply(query, no_error, 1, ""),
        reply(query, no_error, 1, record_a.substr(0, 15)),
        reply(query, no_error, 1, "\xC0\x1D\x00\x01\x00\x01\x00\x00\x00\x3C\x00\x00"s),
        reply(query, no_error, 1, "\xFF\xFF\x00\x01\x00\x01\x00\x00\x00\x3C\x00\x00"s),
        reply(query, no_error, 1, "\x40\x00\x01\x00\x01\x00\x00\x00\x3C\x00\x00"s),
        query.substr(0, 20),
        reply(*encode_dns_query({.id = 0x1234, .name = "example.com", .qtype = "A"}),
              no_error,
              0,
              ""),
    };
    for (const std::string& message : bad) {
        CHECK(!parse_dns_answer(query, message));
    }
    CHECK(parse_dns_answer(query, reply(query, truncated, 1, ""))->is_truncated);
    CHECK(parse_dns_answer(query, reply(query, server_failure, 0, ""))->rcode == "SERVFAIL");
    CHECK(parse_dns_answer(query, reply(query, "\x81\x8F"s, 0, ""))->rcode == "RCODE15");
    CHECK(!is_dns_answer_to(query, query)); // not a response
    CHECK(!is_dns_answer_to(query, "\x12\x34\x81"s));
    CHECK(!is_dns_answer_to(query, "\x12\x35" + reply(query, no_error, 0, "").substr(2)));
    // Every cut of a good answer ends in an error or a value, never beyond the message.
    const std::string good = reply(query, no_error, 1, record_a);
    for (std::size_t size = 12; size < good.size(); ++size) {
        CHECK(!parse_dns_answer(query, good.substr(0, size)));
    }
}

/// A name server that answers what `answer` makes of the query, over UDP and TCP on one port.
class NameServer {
  public:
    using Answer = std::function<std::vector<std::string>(const std::string& query)>;

    NameServer(boost::asio::io_context& io, Answer answer)
        : udp_(io, udp::endpoint(boost::asio::ip::address_v4::loopback(), 0)),
          acceptor_(
              io,
              tcp::endpoint(boost::asio::ip::address_v4::loopback(), udp_.local_endpoint().port())),
          connection_(io), answer_(std::move(answer)) {
        udp_.async_receive_from(
            boost::asio::buffer(heard_), from_, [this](const auto& error, std::size_t octets) {
                if (!error) {
                    for (const auto& message : answer_(std::string(heard_.data(), octets))) {
                        udp_.send_to(boost::asio::buffer(message), from_);
                    }
                }
            });
        acceptor_.async_accept(connection_, [this](const auto& error) {
            if (!error) {
                connection_.async_read_some(
                    boost::asio::buffer(heard_),
                    [this](const auto&, std::size_t octets) { answer_stream(octets); });
            }
        });
    }

    [[nodiscard]] std::string target() const {
        return "127.0.0.1:" + std::to_string(udp_.local_endpoint().port());
    }

  private:
    void answer_stream(std::size_t octets) {
        for (const auto& message : answer_(std::string(heard_.data() + 2, octets - 2))) {
            const std::string size{static_cast<char>(message.size() >> 8U),
                                   static_cast<char>(message.size() & 0xFFU)};
            boost::asio::write(connection_, boost::asio::buffer(size + message));
        }
        connection_.close();
    }

    udp::socket udp_;
    udp::endpoint from_;
    tcp::acceptor acceptor_;
    tcp::socket connection_;
    std::array<char, 512> heard_{};
    Answer answer_;
};

TEST_CASE("dns: verdict and evidence over both transports") {
    struct Row {
        std::string flags;
        std::string answers;
        const char* expect_rcode;
        const char* expect_answer;
        Outcome outcome;
        const char* detail;
    };

    const std::vector<Row> rows{
        {no_error, record_a, "NOERROR", "", Outcome::Pass, "NOERROR"},
        {no_error, record_a, "NOERROR", "192.0.2.1", Outcome::Pass, "NOERROR"},
        {no_error,
         record_a,
         "NOERROR",
         "192.0.2.9",
         Outcome::Fail,
         "NOERROR, 192.0.2.1, expected 192.0.2.9"},
        {no_error, "", "NOERROR", "192.0.2.9", Outcome::Fail, "NOERROR, expected 192.0.2.9"},
        {server_failure, "", "NOERROR", "", Outcome::Fail, "SERVFAIL, expected NOERROR"},
        {"\x81\x83"s, "", "NXDOMAIN", "", Outcome::Pass, "NXDOMAIN"},
        {no_error, "\x01", "NOERROR", "", Outcome::Fail, "dns: malformed answer"},
    };
    for (const Row& row : rows) {
        for (const bool over_tcp : {false, true}) {
            CAPTURE(row.detail);
            CAPTURE(over_tcp);
            boost::asio::io_context io;
            const NameServer server(io, [&](const std::string& asked) {
                return std::vector{
                    reply(asked, row.flags, row.answers.empty() ? 0 : 1, row.answers)};
            });
            const DnsTarget target{.server = server.target(),
                                   .query = "example.org",
                                   .over_tcp = over_tcp,
                                   .expect_rcode = row.expect_rcode,
                                   .expect_answer = row.expect_answer};
            const Result result = probe(io, config_of(target));
            CHECK(result.outcome == row.outcome);
            CHECK(result.detail == row.detail);
        }
    }
}

TEST_CASE("RFC 7766 §5: what is cut off over UDP is asked again over TCP") {
    struct Row {
        std::string stream_flags; ///< of the answer over TCP
        const char* expect_answer;
        Outcome outcome;
        const char* detail;
        int queries;
    };

    const std::vector<Row> rows{
        {no_error, "192.0.2.1", Outcome::Pass, "NOERROR", 2},
        {no_error, "192.0.2.9", Outcome::Fail, "NOERROR, 192.0.2.1, expected 192.0.2.9", 2},
        {truncated, "192.0.2.9", Outcome::Fail, "dns: truncated over TCP", 2},
        {no_error, "", Outcome::Pass, "NOERROR", 1},
    };
    for (const Row& row : rows) {
        CAPTURE(row.detail);
        boost::asio::io_context io;
        int queries = 0;
        const NameServer server(io, [&](const std::string& asked) {
            return ++queries == 1 ? std::vector{reply(asked, truncated, 1, "")}
                                  : std::vector{reply(asked, row.stream_flags, 1, record_a)};
        });
        const DnsTarget target{
            .server = server.target(), .query = "example.org", .expect_answer = row.expect_answer};
        const Result result = probe(io, config_of(target));
        CHECK(result.outcome == row.outcome);
        CHECK(result.detail == row.detail);
        CHECK(queries == row.queries);
    }
}

TEST_CASE("dns: an answer with another id is nobody's; the right one behind it counts") {
    const auto with_other_id = [](std::string message) {
        message[0] = static_cast<char>(message[0] ^ 1);
        return message;
    };
    boost::asio::io_context io;
    const NameServer liar(io, [&](const std::string& asked) {
        return std::vector{with_other_id(reply(asked, no_error, 1, record_a))};
    });
    const Result result = probe(
        io,
        config_of(DnsTarget{.server = liar.target(), .query = "example.org"}, milliseconds(200)));
    CHECK(result.outcome == Outcome::Timeout);
    CHECK(result.detail ==
          "dns answer timeout after 0.2 s, datagrams of another id or question: 1");

    const NameServer both(io, [&](const std::string& asked) {
        const auto good = reply(asked, no_error, 1, record_a);
        return std::vector{with_other_id(good), good};
    });
    CHECK(
        probe(io, config_of(DnsTarget{.server = both.target(), .query = "example.org"})).outcome ==
        Outcome::Pass);
}

TEST_CASE("dns: nobody there is a hard failure; a bad question an error") {
    const Result refused =
        probe(config_of(DnsTarget{.server = dead_target(), .query = "example.org"}));
    CHECK(refused.detail == "connect refused");
    CHECK(refused.is_hard);
    const Result bad = probe(config_of(DnsTarget{.server = "127.0.0.1", .query = "a..b"}));
    CHECK(bad.outcome == Outcome::Error);
    CHECK(bad.detail == "no domain name: a..b");
}

} // namespace
} // namespace anyvip::health
