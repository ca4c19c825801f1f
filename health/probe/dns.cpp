// SPDX-License-Identifier: Apache-2.0
// dns: asks one question, over UDP or TCP, and looks at rcode and answer.
#include <algorithm>
#include <array>
#include <random>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/udp.hpp>

#include "health/probe/channel.hpp"
#include "health/probe/dns_message.hpp"
#include "health/probe/resolver.hpp"
#include "health/probe/run.hpp"

namespace anyvip::health {

namespace {

using boost::asio::ip::udp;

/// Nobody off the path shall be able to answer in the server's place.
std::uint16_t random_id() {
    static std::mt19937 engine{std::random_device{}()}; // the loop is one thread
    return static_cast<std::uint16_t>(engine());
}

/// Over TCP: the question, its answer and the judgement.
class DnsRun : public Run {
  public:
    DnsRun(const DnsTarget& target, RunContext& context)
        : Run(context), target_(target), address_(parse_host_port(target.server, 53)),
          channel_(context.io) {}

  protected:
    void begin() override {
        const auto query =
            encode_dns_query({.id = random_id(), .name = target_.query, .qtype = target_.qtype});
        if (!address_ || !query) {
            finish(
                {.outcome = Outcome::Error, .detail = address_ ? query.error() : address_.error()});
            return;
        }
        query_ = *query;
        ask();
    }

    void close() override { channel_.close(Closing::InOrder); }

    virtual void ask() { ask_over_tcp(); }

    void ask_over_tcp() {
        const std::size_t size = query_.size();
        framed_ = {static_cast<char>(size >> 8U), static_cast<char>(size & 0xFFU)};
        framed_ += query_;
        channel_.async_connect(
            *address_, connecting(address_->host), [self = self()](Failure failure) {
                if (self->is_over()) {
                    return;
                }
                if (failure) {
                    self->finish(std::move(*failure));
                } else {
                    self->write();
                }
            });
    }

    [[nodiscard]] const HostPort& address() const { return *address_; }

    [[nodiscard]] const std::string& query() const { return query_; }

    /// Returns false when only the whole of a truncated answer can tell.
    [[nodiscard]] bool judge(std::string_view message) {
        const auto answer = parse_dns_answer(query_, message);
        if (!answer) {
            fail("dns: " + answer.error());
            return true;
        }
        if (answer->rcode != target_.expect_rcode) {
            fail(answer->rcode + ", expected " + target_.expect_rcode);
            return true;
        }
        if (is_expected(answer->records)) {
            // Without the records: a rotating answer is no change of the result.
            pass(answer->rcode);
            return true;
        }
        if (answer->is_truncated) {
            return false;
        }
        std::string detail = answer->rcode;
        if (!answer->records.empty()) {
            detail += ", " + printable(answer->records.front(), 60);
        }
        if (answer->records.size() > 1) {
            detail += " and " + std::to_string(answer->records.size() - 1) + " more";
        }
        fail(detail + ", expected " + target_.expect_answer);
        return true;
    }

  private:
    [[nodiscard]] bool is_expected(const std::vector<std::string>& records) const {
        const std::string& expected = target_.expect_answer;
        return expected.empty() || std::ranges::any_of(records, [&](const std::string& record) {
                   return record == expected || record == "\"" + expected + "\"" ||
                          record == expected + ".";
               });
    }

    void write() {
        enter("dns answer");
        channel_.async_write(framed_, [self = self()](std::error_code error) {
            if (self->is_over()) {
                return;
            }
            if (error) {
                self->fail("dns query: " + error.message());
            } else {
                self->read();
            }
        });
    }

    void read() {
        channel_.async_read([self = self()](std::error_code error, std::string_view octets) {
            if (!self->is_over()) {
                self->answer_ += octets;
                self->on_read(error);
            }
        });
    }

    void on_read(std::error_code error) {
        const auto octet = [&](std::size_t at) {
            return static_cast<std::size_t>(static_cast<std::uint8_t>(answer_[at]));
        };
        const std::size_t wanted =
            answer_.size() < 2 ? 2 : 2 + (octet(0) << 8U | octet(1)); // at most 64 KiB
        if (answer_.size() >= 2 && answer_.size() >= wanted) {
            const std::string_view message = std::string_view(answer_).substr(2, wanted - 2);
            if (!is_dns_answer_to(query_, message)) {
                fail("dns: not our answer");
            } else if (!judge(message)) {
                fail("dns: truncated over TCP");
            }
        } else if (error) {
            const bool is_eof = error == boost::system::error_code(boost::asio::error::eof);
            fail("dns answer: " + (is_eof ? "closed without one" : error.message()));
        } else {
            read();
        }
    }

    std::shared_ptr<DnsRun> self() { return std::static_pointer_cast<DnsRun>(shared_from_this()); }

    DnsTarget target_;
    std::expected<HostPort, std::string> address_;
    std::string query_;
    Channel channel_;
    std::string framed_;
    std::string answer_;
};

/// Over UDP, and over TCP what does not fit (RFC 7766 §5).
class UdpRun : public DnsRun {
  public:
    UdpRun(const DnsTarget& target, RunContext& context)
        : DnsRun(target, context), socket_(context.io) {}

  private:
    void ask() override {
        Connecting watch = connecting(address().host);
        Resolver::of(io()).resolve(
            address().host,
            std::move(watch.is_wanted),
            [self = self(), begins = std::move(watch.begins), port = address().port](
                const std::expected<Addresses, Result>& resolved) {
                if (self->is_over()) {
                    return;
                }
                if (!resolved) {
                    self->finish(resolved.error());
                    return;
                }
                begins();
                for (const auto& server : *resolved) {
                    self->servers_.emplace_back(server, port);
                }
                self->ask_next();
            });
    }

    void close() override {
        close_socket();
        DnsRun::close();
    }

    void close_socket() {
        boost::system::error_code ignored;
        socket_.close(ignored);
    }

    void ask_next() {
        enter("dns answer");
        const udp::endpoint server = servers_[asked_++];
        boost::system::error_code error;
        socket_.open(server.protocol(), error);
        if (error) {
            fail_to_run("socket", error);
            return;
        }
        socket_.non_blocking(true, error);
        socket_.connect(server, error);
        if (!error) {
            socket_.send(boost::asio::buffer(query()), 0, error);
        }
        if (error) {
            refused(error);
            return;
        }
        read();
    }

    /// The next address of its name may be where it listens.
    void refused(const boost::system::error_code& error) {
        if (asked_ == servers_.size()) {
            finish(connect_failure(error, false));
            return;
        }
        close_socket();
        ask_next();
    }

    void read() {
        socket_.async_receive(
            boost::asio::buffer(answer_),
            [self = self()](const boost::system::error_code& error, std::size_t octets) {
                if (self->is_over()) {
                    return;
                }
                const std::string_view message(self->answer_.data(), octets);
                if (error) {
                    self->refused(error); // ICMP said so
                } else if (!is_dns_answer_to(self->query(), message)) {
                    ++self->strangers_;
                    self->read();
                } else if (!self->judge(message)) {
                    self->close_socket();
                    self->ask_over_tcp();
                }
            });
    }

    Result timed_out() override {
        Result result = Run::timed_out();
        if (strangers_ > 0) {
            result.detail += ", datagrams of another id or question: " + std::to_string(strangers_);
        }
        return result;
    }

    std::shared_ptr<UdpRun> self() { return std::static_pointer_cast<UdpRun>(shared_from_this()); }

    udp::socket socket_;
    std::vector<udp::endpoint> servers_;
    std::size_t asked_ = 0;
    std::array<char, 4096> answer_{};
    unsigned strangers_ = 0;
};

} // namespace

RunPointer make_run(const DnsTarget& target, RunContext context) {
    if (target.over_tcp) {
        return std::make_shared<DnsRun>(target, context);
    }
    return std::make_shared<UdpRun>(target, context);
}

} // namespace anyvip::health
